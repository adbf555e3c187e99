"""Parsing in worker processes: what hostile text costs, and that it costs nobody else anything."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from code_insight.languages import LANGUAGES, Language, by_name, language_of
from code_insight.model import NO_FACTS, Facts, SkipReason
from code_insight.parsing import IdlePool, ParseLimits, ParserPool, facts, parse

SAMPLES = Path(__file__).parent.parent / "samples"

# Each ends or stalls the grammar that reads it.
CRASHES_PYTHON = "\n".join(" " * depth + '$"{' for depth in range(400)).encode()
NEVER_ENDS_BASH = b"a(b[c{" * 30_000
EATS_MEMORY_CPP = b"a<" * 100_000
EATS_MEMORY_JAVA = b"a<" * 100_000

QUICK = ParseLimits(workers=2, wall_seconds=1.0, memory_bytes=300 << 20)


def results(items: Iterable[tuple[str, str, bytes]], limits: ParseLimits = QUICK) -> dict[str, Facts | SkipReason]:
    with ParserPool(limits) as pool:
        return dict(pool.parse_many(items))


def names(facts: Facts | SkipReason) -> list[str]:
    assert isinstance(facts, Facts), facts
    return [symbol.name for symbol in facts.symbols]


def functions(count: int) -> Iterator[tuple[str, str, bytes]]:
    for number in range(count):
        yield f"good{number}", "python", f"def f{number}(): pass\n".encode()


def worker_processes() -> set[int]:
    """The live children of this process that multiprocessing spawned to work."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def wait_until_no_worker_lives(seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while worker_processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker_processes()


# --- parse: a pure function ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\xfe\x00x", b"\xef\xbb\xbfx = 1\r\n", "größe\u2028日本".encode()])
def test_any_text_has_facts(language: Language, text: bytes) -> None:
    assert isinstance(parse(language, text), Facts)


def test_equal_text_has_equal_facts() -> None:
    paths = [path for path in sorted(SAMPLES.rglob("*.*")) if path.is_file()]
    rows = [(language_of(path.as_posix(), path.read_text()), path.read_bytes()) for path in paths]
    work = [(language, text) for language, text in rows if language is not None]
    assert [parse(language, text) for language, text in work] == [parse(language, text) for language, text in work]


def test_a_worker_says_the_same_as_this_process() -> None:
    text = (SAMPLES / "python" / "shop" / "cart.py").read_bytes()
    assert results([("cart", "python", text)]) == {"cart": parse(by_name()["python"], text)}


def test_a_text_of_one_long_line_is_parsed_in_time() -> None:
    text = b"".join(b"function f%d(a){return a.b};" % number for number in range(5_000)) + b"export const x = 1"
    found = results([("one", "javascript", text)], ParseLimits())["one"]
    assert isinstance(found, Facts)
    assert (len(found.symbols), found.symbols[-1].signature) == (5_001, "export const x = 1")


def test_a_text_has_the_same_facts_whole_and_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken ones too, in which nodes without length stand for what is missing."""
    chance = random.Random(7)
    texts = [(path, path.read_bytes()) for path in sorted(SAMPLES.rglob("*.*")) if path.is_file()]
    texts += [(path, text[chance.randrange(99) : -chance.randrange(99) - 1]) for path, text in texts for _ in range(4)]
    known = [(language, text) for path, text in texts if (language := language_of(path.name)) and language.grammar]
    whole = [parse(language, text) for language, text in known]
    monkeypatch.setattr(facts, "_PIECE_BYTES", 100)
    assert [parse(language, text) for language, text in known] == whole
    assert {language.name for language, _ in known} == {one.name for one in LANGUAGES if one.grammar}


def test_a_language_without_symbols_has_no_facts() -> None:
    assert parse(by_name()["yaml"], b"- " * 300) == NO_FACTS


def test_broken_text_has_the_facts_that_can_be_understood_and_the_lines_that_cannot() -> None:
    facts = parse(by_name()["go"], b"package a\nfunc good() {}\nvar x = = 1\nfunc alsoGood() {}\n")
    assert {"good", "alsoGood"} <= set(names(facts))
    assert facts.error_lines == (3,)


def test_at_most_20_error_lines_are_listed() -> None:
    assert len(parse(by_name()["c"], b"int f() { return ) ; }\n" * 100).error_lines) == 20


def test_deep_nesting_needs_no_deep_stack() -> None:
    text = b"x = " + b"[" * 3_000 + b"name" + b"]" * 3_000
    assert [reference.name for reference in parse(by_name()["python"], text).references] == ["name"]


def test_a_name_as_long_as_data_is_none() -> None:
    assert parse(by_name()["python"], b"a" * 10_000 + b" = 1\n") == NO_FACTS


# --- the pool: hostile text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("python", CRASHES_PYTHON, SkipReason.PARSE_CRASHED),
        ("bash", NEVER_ENDS_BASH, SkipReason.PARSE_TIMEOUT),
        ("cpp", EATS_MEMORY_CPP, SkipReason.PARSE_MEMORY),
    ],
)
def test_hostile_text_costs_its_own_facts_only(language: str, text: bytes, reason: SkipReason) -> None:
    limits = ParseLimits(workers=2, wall_seconds=6.0 if reason is SkipReason.PARSE_MEMORY else 1.0)
    items = [*functions(3), ("bad", language, text), ("after", "go", b"package a\nfunc after() {}\n")]
    found = results(items, limits)
    assert found.pop("bad") is reason
    assert [names(found[f"good{number}"]) for number in range(3)] == [["f0"], ["f1"], ["f2"]]
    assert names(found["after"]) == ["after"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("java", EATS_MEMORY_JAVA),
        ("python", b"(" * 100_000),
        ("php", b"<?php " + b"${" * 50_000),
        ("markdown", b"> " * 50_000),
    ],
)
def test_hostile_text_ends_within_its_limits(language: str, text: bytes) -> None:
    start = time.monotonic()
    results([("bad", language, text)])
    assert time.monotonic() - start < 2 * QUICK.wall_seconds + 5


def test_a_language_that_keeps_crashing_is_given_up_for_this_run() -> None:
    limits = ParseLimits(workers=2, wall_seconds=5.0, failures_per_language=3)
    bad = [(f"bad{number}", "python", CRASHES_PYTHON) for number in range(8)]
    good = [(f"go{number}", "go", b"package a\nfunc f() {}\n") for number in range(3)]
    found = results([*bad, *good], limits)
    reasons = Counter(str(found[key]) for key, _, _ in bad)
    assert reasons == {"parse_crashed": 3, "parse_skipped": 5}
    assert all(names(found[key]) == ["f"] for key, _, _ in good)


# --- the pool: streaming, cancelling ---------------------------------------------------------------------------------


def test_every_file_of_many_is_answered_once() -> None:
    answers: list[tuple[str, Facts | SkipReason]] = []
    with ParserPool(QUICK) as pool:
        answers.extend(pool.parse_many(functions(500)))
    assert sorted(key for key, _ in answers) == sorted(f"good{number}" for number in range(500))
    assert all(names(facts) == [f"f{key.removeprefix('good')}"] for key, facts in answers)


def test_a_pool_can_be_used_again() -> None:
    with ParserPool(QUICK) as pool:
        first, second = dict(pool.parse_many(functions(3))), dict(pool.parse_many(functions(3)))
    assert first == second


def test_no_more_is_taken_than_may_be_in_flight() -> None:
    taken = 0

    def endless() -> Iterator[tuple[int, str, bytes]]:
        nonlocal taken
        while True:
            taken += 1
            yield taken, "python", b"x = 1\n" * 1_000

    limits = ParseLimits(workers=1, bytes_in_flight=100_000, batch_bytes=30_000)
    with ParserPool(limits) as pool:
        answers = pool.parse_many(endless())
        next(answers)
        answers.close()  # type: ignore[attr-defined]
    assert taken * 6_000 < 100_000 + 3 * 30_000


def test_closing_the_iterator_ends_the_work_and_leaves_the_pool_usable() -> None:
    items = [("good", "python", b"def f(): pass\n"), ("stuck", "bash", NEVER_ENDS_BASH)]
    limits = ParseLimits(workers=2, wall_seconds=60.0, batch_files=1)
    start = time.monotonic()
    with ParserPool(limits) as pool:
        answers = pool.parse_many(items)
        assert next(answers)[0] == "good"
        answers.close()  # type: ignore[attr-defined]
        assert dict(pool.parse_many(functions(1))).keys() == {"good0"}
    assert time.monotonic() - start < 20


def test_leaving_the_pool_ends_its_workers() -> None:
    with ParserPool(ParseLimits(workers=2, wall_seconds=60.0, batch_files=1)) as pool:
        answers = pool.parse_many([("good", "python", b"x = 1\n"), ("stuck", "bash", NEVER_ENDS_BASH)])
        next(answers)
        assert worker_processes()
    wait_until_no_worker_lives()


def test_idle_workers_that_the_system_kills_are_replaced() -> None:
    with ParserPool(QUICK) as pool:
        dict(pool.parse_many(functions(3)))
        for worker in worker_processes():
            os.kill(worker, signal.SIGKILL)
        assert dict(pool.parse_many(functions(3))).keys() == {"good0", "good1", "good2"}


def test_a_pool_works_in_a_thread() -> None:
    found: dict[str, Facts | SkipReason] = {}
    thread = threading.Thread(target=lambda: found.update(results(functions(2))))
    thread.start()
    thread.join(30)
    assert found.keys() == {"good0", "good1"}


def test_an_error_of_the_source_of_texts_reaches_the_caller() -> None:
    def broken() -> Iterator[tuple[str, str, bytes]]:
        yield "good", "python", b"x = 1\n"
        raise OSError("no more blobs")

    with pytest.raises(OSError, match="no more blobs"):
        results(broken())


def test_an_unused_pool_starts_no_process() -> None:
    before = worker_processes()
    with ParserPool(QUICK):
        assert worker_processes() == before


# --- a worker that waits ---------------------------------------------------------------------------------------------


@pytest.fixture
def idle() -> Iterator[IdlePool]:
    pool = IdlePool(QUICK, 60.0)
    yield pool
    pool.close()
    wait_until_no_worker_lives()


def parsed(idle: IdlePool, items: Iterable[tuple[str, str, bytes]]) -> dict[str, Facts | SkipReason]:
    with idle.taken() as pool:
        return dict(pool.parse_many(items))


def test_a_worker_that_waits_parses_what_comes_next(idle: IdlePool) -> None:
    parsed(idle, functions(1))
    worker = worker_processes()
    assert len(worker) == 1
    assert names(parsed(idle, functions(1))["good0"]) == ["f0"]
    assert worker_processes() == worker


def test_two_at_a_time_have_a_worker_each_and_one_waits(idle: IdlePool) -> None:
    with idle.taken() as pool:
        assert dict(pool.parse_many(functions(1))).keys() == {"good0"}
        assert parsed(idle, functions(1)).keys() == {"good0"}
        assert len(worker_processes()) == 2
    assert len(worker_processes()) == 1


def test_a_worker_does_not_wait_for_ever() -> None:
    parsed(IdlePool(QUICK, 0.2), functions(1))
    wait_until_no_worker_lives()


def test_a_worker_that_a_text_has_killed_is_not_followed_by_one_that_waits(idle: IdlePool) -> None:
    parsed(idle, functions(1))
    found = parsed(idle, [("hostile", "bash", NEVER_ENDS_BASH), ("good", "python", b"def f(): pass\n")])
    assert found["hostile"] is SkipReason.PARSE_TIMEOUT
    assert names(found["good"]) == ["f"]
    wait_until_no_worker_lives()


def test_a_worker_that_has_become_large_does_not_wait(idle: IdlePool) -> None:
    with idle.taken() as pool:
        pool.workers().schedule(_grow).result()
    wait_until_no_worker_lives()


_kept: list[bytes] = []


def _grow() -> None:
    _kept.append(b"x" * (100 << 20))


def test_a_worker_that_the_system_kills_while_it_waits_is_replaced(idle: IdlePool) -> None:
    parsed(idle, functions(1))
    (worker,) = worker_processes()
    os.kill(worker, signal.SIGKILL)
    assert names(parsed(idle, functions(1))["good0"]) == ["f0"]


def test_a_worker_that_waits_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    parent = subprocess.Popen([sys.executable, tmp_path / "waits.py"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate(timeout=10)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}/cmdline").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}/cmdline").exists()


WAITS = """
import multiprocessing, time
from code_insight.parsing import IdlePool, ParseLimits

if __name__ == "__main__":
    idle = IdlePool(ParseLimits(), 60.0)
    with idle.taken() as pool:
        list(pool.parse_many([("a", "python", b"def f(): pass")]))
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(60)
"""


# --- the processes ---------------------------------------------------------------------------------------------------


def test_importing_the_parser_loads_no_grammar_and_no_pool() -> None:
    heavy = ("tree_sitter", "pebble", "multiprocessing", "markdown_it")
    code = f"import sys, code_insight.parsing; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


MAIN = """
from code_insight.parsing import ParseLimits, ParserPool

if __name__ == "__main__":
    import resource
    with ParserPool(ParseLimits(workers=1)) as pool:
        (answer,) = pool.parse_many([("a", "python", b"def f(): pass")])
    print(answer[1].symbols[0].name)
"""


def test_a_program_started_as_a_module_can_use_a_pool(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text(MAIN)
    output = subprocess.run(
        [sys.executable, "-W", "error", "-m", "program"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "TMPDIR": "/nonexistent"},
    )
    assert (output.stdout.strip(), output.stderr) == ("f", "")

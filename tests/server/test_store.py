"""The index file: facts by blob, commits that are whole, damage that is noticed."""

import random
import sqlite3
import time
from pathlib import Path

import pytest
from code_insight import store
from code_insight.errors import IndexDamaged, StorageFailed
from code_insight.model import (
    NO_FACTS,
    REFERENCE_KINDS,
    Commit,
    Facts,
    FileRole,
    ImportFact,
    ReferenceFact,
    ReferenceKind,
    References,
    Repository,
    SkipReason,
    SymbolFact,
    SymbolKind,
)
from code_insight.store import IndexedCommit, NewBlob, NewFile, Reader, Writer, pack, seals, writing

FLASK = Repository("local/flask", "/flask")
FACTS = Facts(
    symbols=(
        SymbolFact("Flask", SymbolKind.CLASS, "", -1, 1, 4, 1, 6, "class Flask(App)", "The app.", ("web.App", "Base")),
        SymbolFact("route", SymbolKind.METHOD, "Flask", 0, 3, 4, 3, 8, "def route(self)", "", ()),
    ),
    references=References(
        {
            "App": [1, 12 << 3 | REFERENCE_KINDS.index(ReferenceKind.INHERIT), 1, 0],
            "helper": [
                *(4, 15 << 3 | REFERENCE_KINDS.index(ReferenceKind.CALL), 2, 0),
                *(9, 20_000 << 3 | REFERENCE_KINDS.index(ReferenceKind.NAME), 0, 0),
            ],
        },
        {"": 0},
    ),
    imports=(ImportFact("web", "App", "", 1), ImportFact("os", "", "system", 2)),
    error_lines=(7, 8),
)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def _commit(number: int) -> Commit:
    return Commit(f"{number:040x}", f"{number + 1000:040x}", number, f"commit {number}")


def _oid(text: str) -> str:
    return text.encode().hex().ljust(40, "0")[:40]


def _add(
    index: Path, number: int, texts: dict[str, str], ref: str = "", keep: int = 9, facts: Facts = NO_FACTS
) -> None:
    """A commit whose files have these texts is in the index; a text's blob is named after it."""
    with Writer(index, 1) as writer:
        blobs = {oid: known[0] for oid in map(_oid, texts.values()) if (known := writer.blob_of(oid, "python"))}
        new = {_oid(text): text.encode() for text in texts.values() if _oid(text) not in blobs}
        numbers = writer.add_blobs([NewBlob(oid, "python", data, pack(facts), None) for oid, data in new.items()])
        blobs.update(zip(new, numbers, strict=True))
        files = [NewFile(p, _oid(t), blobs[_oid(t)], len(t), FileRole.SOURCE, None) for p, t in texts.items()]
        writer.add_commit(_commit(number), ref, files, keep)


def _held(index: Path) -> tuple[IndexedCommit, ...]:
    return store.commits(FLASK, index)


def _damage(index: Path, at: int, size: int = 4096) -> None:
    with index.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * size)


# What goes in comes out.


def test_facts_are_read_as_they_were_written(index: Path) -> None:
    _add(index, 1, {"app.py": "class Flask(App): …\n"}, facts=FACTS)
    with Reader(_held(index)[0]) as reader:
        file = reader.file("app.py")
        assert file is not None
        symbols = reader.symbols_in("app.py")
        assert [(s.name, s.kind, s.container, s.parent, s.start_line, s.end_line, s.name_line) for s in symbols] == [
            ("Flask", SymbolKind.CLASS, "", -1, 1, 4, 1),
            ("route", SymbolKind.METHOD, "Flask", 0, 3, 4, 3),
        ]
        assert (symbols[0].bases, symbols[0].doc, symbols[0].signature) == (
            ("web.App", "Base"),
            "The app.",
            "class Flask(App)",
        )
        uses = reader.occurrences_in(file.blob)
        assert [ReferenceFact(use.name, use.kind, use.line, use.column, use.symbol) for use in uses] == [
            *FACTS.references
        ]
        assert tuple(reader.imports_of(file.blob)) == FACTS.imports
        assert tuple(reader.error_lines(file.blob)) == FACTS.error_lines
        assert reader.text(file.blob) == "class Flask(App): …\n"


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\n\n", 2), ("\n", 1), ("a\nb", 2)])
def test_lines_are_counted_as_an_editor_does(index: Path, text: str, lines: int) -> None:
    _add(index, 1, {"a.py": text})
    with Reader(_held(index)[0]) as reader:
        file = reader.file("a.py")
        assert file is not None
        assert (file.lines, reader.text(file.blob)) == (lines, text)


def test_a_skipped_file_keeps_its_reason(index: Path) -> None:
    with Writer(index, 1) as writer:
        new = NewFile("big.bin", "b" * 40, 0, 10**9, FileRole.SOURCE, SkipReason.TOO_LARGE)
        writer.add_commit(_commit(1), "", [new], 3)
    with Reader(_held(index)[0]) as reader:
        [file] = reader.files()
        assert (file.skip_reason, file.blob, file.lines) == (SkipReason.TOO_LARGE, 0, 0)


def test_a_name_of_several_definitions_lists_all(index: Path) -> None:
    _add(index, 1, {"a.py": "a", "b.py": "b"}, facts=FACTS)
    with Reader(_held(index)[0]) as reader:
        assert [symbol.path for symbol in reader.symbols_named("route")] == ["a.py", "b.py"]
        assert [symbol.path for symbol in reader.derived_from("App")] == ["a.py", "b.py"]
        assert reader.derived_from("%") == []
        assert reader.symbol_names() == ["Flask", "route"]
        assert {use.path for use in reader.occurrences("helper")} == {"a.py", "b.py"}


def test_the_uses_in_one_file_are_those_of_all_files_that_stand_in_it(index: Path) -> None:
    _add(index, 1, {"a.py": "a", "b.py": "b"}, facts=FACTS)
    with Reader(_held(index)[0]) as reader:
        users = reader.files_with("helper")
        together = [use for file in users for use in reader.occurrences_of("helper", file)]
        assert [file.path for file in users] == ["a.py", "b.py"]
        assert together == list(reader.occurrences("helper"))
        assert not reader.occurrences_of("nobody", users[0])
        assert not reader.files_with("nobody")


def test_a_literal_narrows_the_blobs_to_those_that_may_have_it(index: Path) -> None:
    _add(index, 1, {"a.py": "the quick fox", "b.py": "the lazy dog", "c.py": 'say "quoted" AND (more'})
    with Reader(_held(index)[0]) as reader:
        blobs = {file.path: file.blob for file in reader.files()}
        assert reader.blobs_with("QUICK") == {blobs["a.py"]}
        assert reader.blobs_with("the ") == {blobs["a.py"], blobs["b.py"]}
        assert reader.blobs_with('"quoted" AND (') == {blobs["c.py"]}
        assert reader.blobs_with("absent") == set()
        assert reader.blobs_with("qu") == {blobs["a.py"], blobs["c.py"]}
        assert reader.blobs_with("azy do") == {blobs["b.py"]}
        assert reader.blobs_with("laz do") == set()
        assert reader.blobs_with("-> (") is None


def test_words_are_found_in_any_case_and_script_and_after_many_small_additions(index: Path) -> None:
    texts = {f"{number}.py": f"word{number} = 'größe ΣΟΦΟΣ 検索エンジン'" for number in range(40)}
    for number in range(1, 41):
        _add(index, number, dict(list(texts.items())[:number]), keep=2)
    with Reader(_held(index)[0]) as reader:
        assert len(reader.blobs_with("RÖSS") or ()) == len(reader.blobs_with("σοφοσ") or ()) == 40
        assert len(reader.blobs_with("索エ") or ()) == 40
        assert [len(reader.blobs_with(f"ord{number} ") or ()) for number in range(40)] == [1] * 40


def test_words_of_very_many_texts_are_found_as_those_of_a_few(index: Path) -> None:
    texts = {f"{number}.py": f"Word{number}_é = 'ΣΟΦΟΣ'\x7f\x01" for number in range(1_001)}
    _add(index, 1, texts)
    with Reader(_held(index)[0]) as reader:
        assert len(reader.blobs_with("οφο") or ()) == 1_001
        assert [len(reader.blobs_with(f"ORD{number}_É ") or ()) for number in range(1_001)] == [1] * 1_001


@pytest.mark.parametrize("others", [0, 1_000])
def test_the_end_of_a_word_of_any_length_is_found(index: Path, others: int) -> None:
    texts = {f"{number}.py": f"{number} other" for number in range(others)}
    _add(index, 1, {**texts, "long.py": "検" * 11_000 + "索エンジン"})
    with Reader(_held(index)[0]) as reader:
        assert len(reader.blobs_with("索エンジ") or ()) == 1
        assert len(reader.blobs_with("ther") or ()) == others


def test_the_words_of_what_a_killed_run_left_are_found_once_a_commit_has_it(index: Path) -> None:
    with Writer(index, 1) as writer:
        writer.add_blobs([NewBlob(_oid("left behind"), "python", b"left behind", pack(NO_FACTS), None)])
    _add(index, 1, {"a.py": "left behind", "b.py": "new"})
    with Reader(_held(index)[0]) as reader:
        assert len(reader.blobs_with("behin") or ()) == 1


def test_words_that_every_text_has_narrow_nothing(index: Path) -> None:
    _add(index, 1, {"a.py": " ".join(f"common{number}" for number in range(2_000)), "b.py": "rare common"})
    with Reader(_held(index)[0]) as reader:
        assert reader.blobs_with("ommon") is None
        assert len(reader.blobs_with("re commo") or ()) == len(reader.blobs_with("rare ") or ()) == 1


# Commits.


def test_what_is_held_of_a_commit_is_not_told_of_the_same_commit_in_another_file(index: Path) -> None:
    for path, text in (("a.py", "door"), ("b.py", "window")):
        for file in index.parent.glob(f"{index.name}*"):
            file.unlink()
        _add(index, 1, {path: text})
        with Reader(_held(index)[0]) as reader:
            assert [file.path for file in reader.files()] == [path]
            assert {word: len(reader.blobs_with(word) or ()) for word in ("doo", "indo")} == {
                "doo": text == "door",
                "indo": text == "window",
            }


def test_an_answer_is_read_from_the_file_that_is_there_now(index: Path) -> None:
    for number, text in enumerate(("old", "new")):
        other = index.with_name(f"{text}.db")
        _add(other, number, {"a.py": text})
        other.replace(index)
        with Reader(_held(index)[0]) as reader:
            assert [reader.text(file.blob) for file in reader.files()] == [text]


def test_between_answers_the_two_files_that_were_read_last_are_open(tmp_path: Path) -> None:
    for number in range(4):
        _add(tmp_path / f"{number}.db", 1, {"a.py": ""})
    for number in (3, 2, 1, 0, 3):
        with Reader(_held(tmp_path / f"{number}.db")[0]) as reader:
            assert reader.files()
    assert _open_below(tmp_path) == {"0.db", "3.db"}
    store.close_idle()
    assert not _open_below(tmp_path)


def _open_below(folder: Path) -> set[str]:
    opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {path.name for path in opened if path.parent == folder and path.suffix == ".db"}


def test_the_symbols_of_a_line_are_the_one_it_defines_and_the_innermost_around_it(index: Path) -> None:
    _add(index, 1, {"a.py": "a"}, facts=FACTS)
    with Reader(_held(index)[0]) as reader:
        blob = reader.files()[0].blob
        assert reader.names_at(blob, [1, 2, 3]) == {1: "Flask", 3: "route"}
        around = [reader.symbol_around("a.py", line) for line in (2, 4, 5)]
        assert [symbol and symbol.name for symbol in around] == ["Flask", "route", None]
        flask = reader.symbol_defined_at("a.py", 1)
        assert flask == reader.symbol_at("a.py", 0) == around[0]
        assert flask is not None
        assert [symbol.name for symbol in reader.members_of(flask)] == ["route"]
        assert reader.symbol_at("a.py", -1) is None


def test_no_question_about_a_name_looks_through_all_files_of_the_commit(index: Path) -> None:
    _add(index, 1, {"a.py": "Flask helper"}, facts=FACTS)
    asked: list[str] = []
    with Reader(_held(index)[0]) as reader:
        reader._db.set_trace_callback(asked.append)
        assert list(reader.occurrences("helper"))
        assert reader.files_with("helper")
        assert reader.paths_with("helper")
        assert reader.symbols_named("Flask")
        assert reader.derived_from("App")
        reader.aliases_of("App")
        reader._db.set_trace_callback(None)
        plans = [row[3] for query in asked for row in reader._db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(asked) == 6
    assert "SEARCH file USING PRIMARY KEY (commit_=?)" not in plans
    assert not [step for step in plans if step.startswith("SCAN")]


def test_there_are_no_commits_in_a_file_that_is_not_there(index: Path) -> None:
    assert _held(index) == ()


def test_the_default_branch_comes_first_then_the_last_one_asked_for(index: Path) -> None:
    _add(index, 1, {"a.py": "a"}, "")
    _add(index, 2, {"a.py": "b"}, "develop")
    assert [(held.commit.time, held.refs) for held in _held(index)] == [(1, ("",)), (2, ("develop",))]


def test_one_commit_may_have_several_refs(index: Path) -> None:
    _add(index, 1, {"a.py": "a"}, "")
    _add(index, 1, {"a.py": "a"}, "v1.0")
    assert [sorted(held.refs) for held in _held(index)] == [["", "v1.0"]]


def test_a_ref_that_moved_names_the_new_commit_alone(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    _add(index, 2, {"a.py": "b"})
    assert [(held.commit.time, held.refs) for held in _held(index)] == [(2, ("",)), (1, ())]


def test_blobs_that_no_commit_names_are_invisible(index: Path) -> None:
    with Writer(index, 1) as writer:
        writer.add_blobs([NewBlob("a" * 40, "python", b"class Flask: pass", pack(FACTS), None)])
    assert _held(index) == ()


def test_an_old_commit_goes_with_its_blobs_and_leaves_the_text_index_right(index: Path) -> None:
    _add(index, 1, {"a.py": "old words here", "s.py": "shared text"}, keep=2, facts=FACTS)
    _add(index, 2, {"a.py": "newer words", "s.py": "shared text"}, keep=2, facts=FACTS)
    _add(index, 3, {"a.py": "newest words", "s.py": "shared text"}, keep=2, facts=FACTS)
    assert [held.commit.time for held in _held(index)] == [3, 2]
    with Reader(_held(index)[0]) as reader:
        assert reader.blobs_with("old words") == set()
        assert len(reader.blobs_with("words") or ()) == 2
        assert len(reader.blobs_with("shared text") or ()) == 1
        assert reader.totals() == (2, 2, 4)
    with sqlite3.connect(index) as db:
        assert db.execute("SELECT COUNT(*) FROM blob").fetchone() == (3,)
        assert db.execute("SELECT COUNT(DISTINCT blob) FROM symbol").fetchone() == (3,)
        for table in ("import", "occurrence", "used"):
            assert db.execute(f"SELECT COUNT(DISTINCT blob) FROM {table}").fetchone() == (3,)
    db.close()


def test_a_commit_that_was_just_added_is_never_the_one_that_goes(index: Path) -> None:
    """All within one second, so that the time of the last look decides nothing."""
    for number, ref in enumerate(["zeta", "", "alpha", "beta"], start=1):
        _add(index, number, {"a.py": str(number)}, ref, keep=1)
        assert [held.refs for held in _held(index)] == [(ref,)]


def test_the_default_branch_stays_while_others_come(index: Path) -> None:
    for number, ref in enumerate(["", "a", "b", "c"], start=1):
        _add(index, number, {"a.py": str(number)}, ref, keep=2)
    assert [held.refs for held in _held(index)] == [("",), ("c",)]


def test_a_reader_sees_one_state_while_a_writer_works(index: Path) -> None:
    _add(index, 1, {"a.py": "first text"}, keep=1)
    with Reader(_held(index)[0]) as reader:
        before = reader.totals()
        began = time.monotonic()
        _add(index, 2, {"a.py": "second text", "b.py": "more"}, keep=1)
        assert time.monotonic() - began < 5, "a writer does not wait for readers"
        assert reader.totals() == before
        assert reader.text(reader.files()[0].blob) == "first text"


def test_a_writer_that_fails_leaves_what_was_there(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    with pytest.raises(ZeroDivisionError), Writer(index, 1) as writer:
        writer.add_commit(_commit(2), "", (NewFile("x", "x", 1 // 0, 0, FileRole.SOURCE, None) for _ in "x"), 3)
    assert [held.commit.time for held in _held(index)] == [1]


def test_what_depends_on_more_than_the_content_is_not_known_by_it(index: Path) -> None:
    """A symlink may become a file of the same content, and a limit may be raised."""
    kept = [
        NewFile(f"{reason}.py", "a" * 40, 0, 1, FileRole.SOURCE, reason)
        for reason in (SkipReason.SYMLINK, SkipReason.SUBMODULE, SkipReason.TOO_LARGE, SkipReason.UNSAFE_PATH)
    ]
    binary = NewFile("binary.py", "b" * 40, 0, 1, FileRole.SOURCE, SkipReason.BINARY)
    with Writer(index, 1) as writer:
        writer.add_commit(_commit(1), "", [*kept, binary], 3)
        assert writer.files_known() == {("binary.py", "b" * 40): binary}


# Versions and damage.


def test_an_index_of_another_format_is_made_anew(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    with sqlite3.connect(index) as db:
        db.execute("UPDATE meta SET value = '0'")
    db.close()
    seals.seal(index)
    assert _held(index) == ()
    with Writer(index, 1) as writer:
        assert not writer.has_commit(_commit(1).oid)


def test_facts_of_an_older_parser_answer_until_the_commit_is_whole_again(index: Path) -> None:
    _add(index, 1, {"a.py": "text"}, "", facts=FACTS)
    _add(index, 1, {"a.py": "text"}, "v1.0", facts=FACTS)
    [before] = _held(index)
    with Writer(index, 2) as writer:
        assert not writer.has_commit(before.commit.oid)
        assert writer.files_known() == {}
        assert writer.blob_of(b"text".hex().ljust(40, "0"), "python") is None
        number = writer.add_blobs([NewBlob(b"text".hex().ljust(40, "0"), "python", b"text", pack(NO_FACTS), None)])[0]
        with Reader(before) as reader:
            assert len(reader.symbols_in("a.py")) == 2
        file = NewFile("a.py", b"text".hex().ljust(40, "0"), number, 4, FileRole.SOURCE, None)
        writer.add_commit(before.commit, "", [file], 3)
        assert writer.has_commit(before.commit.oid)
    [after] = _held(index)
    assert sorted(after.refs) == ["", "v1.0"]
    with Reader(after) as reader:
        assert reader.symbols_in("a.py") == []
        assert len(reader.blobs_with("text") or ()) == 1


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_index_has_no_commits_and_is_made_anew(index: Path, content: bytes) -> None:
    index.write_bytes(content)
    assert _held(index) == ()
    _add(index, 1, {"a.py": "a"})
    assert len(_held(index)) == 1


def test_another_programs_database_is_no_index(index: Path) -> None:
    with sqlite3.connect(index) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    assert _held(index) == ()


def test_a_damaged_index_is_an_error_and_never_a_crash(index: Path, tmp_path: Path) -> None:
    _add(index, 1, {f"{n}.py": f"text {n} " * 400 for n in range(40)}, facts=FACTS)
    whole = index.read_bytes()
    failures = 0
    for page in range(1, len(whole) // 4096):
        index.write_bytes(whole)
        _damage(index, page * 4096)
        try:
            for held in _held(index):
                with Reader(held) as reader:
                    for file in reader.files():
                        reader.text(file.blob)
                        reader.symbols_in(file.path)
                        reader.occurrences_in(file.blob)
                    reader.blobs_with("text")
                    reader.central(10)
        except StorageFailed:
            failures += 1
    assert failures > 5


def test_damage_is_noticed(index: Path) -> None:
    _add(index, 1, {f"{n}.py": f"text {n} " * 400 for n in range(40)}, facts=FACTS)
    assert not store.is_damaged(index)
    index.write_bytes(index.read_bytes()[:-8192])
    assert store.is_damaged(index)


def test_a_text_that_does_not_unpack_is_an_error_of_storage(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    with sqlite3.connect(index) as db:
        db.execute("UPDATE blob SET text = x'00ff'")
    db.close()
    with Reader(_held(index)[0]) as reader, pytest.raises(StorageFailed):
        reader.text(1)


def test_an_index_that_is_locked_is_not_thrown_away(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(index, 1, {"a.py": "a"})
    with sqlite3.connect(index, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0.01}))
        with pytest.raises(StorageFailed):
            Writer(index, 1)
    db.close()
    assert len(_held(index)) == 1


# Seals.


def _sealed(index: Path) -> bool:
    return index.with_name("index.db.seal").exists()


def test_every_flipped_bit_is_found_before_anything_is_answered(index: Path) -> None:
    for number in range(20):
        _add(index, number, {f"{name}.py": f"text of {name} in {number}\n" * 20 for name in "abc"})
    whole, generator = index.read_bytes(), random.Random(7)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        index.write_bytes(damaged)
        with pytest.raises(IndexDamaged):
            store.check(index)
    index.write_bytes(whole)
    store.check(index)


def test_a_file_is_without_a_seal_while_it_is_written(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    assert _sealed(index)
    with Writer(index, 1):
        assert not _sealed(index)
        store.check(index)
    assert _sealed(index)


def test_a_file_whose_log_a_reader_still_needs_has_no_seal_until_it_is_written_again(index: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    with Reader(_held(index)[0]) as reader:
        assert len(reader.files()) == 1
        _add(index, 2, {"b.py": "b"})
        assert not _sealed(index)
        store.check(index)
    _add(index, 3, {"c.py": "c"})
    assert _sealed(index)
    store.check(index)


@pytest.mark.parametrize("log_bytes", [0, 16 << 20])
def test_a_seal_that_is_made_of_what_was_written_is_that_of_the_whole_file(
    index: Path, monkeypatch: pytest.MonkeyPatch, log_bytes: int
) -> None:
    monkeypatch.setattr(writing, "_LOG_BYTES", log_bytes)
    generator = random.Random(11)
    for number in range(30):
        count = generator.choice([1, 3, 60])
        _add(
            index, number, {f"{n}.py": f"{number} {n} " * generator.randrange(2_000) for n in range(count)}, facts=FACTS
        )
        if not generator.randrange(5):  # a log that is emptied, and begun anew in its own file
            with Reader(_held(index)[0]) as reader:
                assert reader.files()
                _add(index, 100 + number, {"a.py": str(number)})
            assert not _sealed(index)
        else:
            assert index.with_name("index.db.seal").read_bytes() == seals._digests(index)
    assert index.stat().st_size > 10 * seals._SEGMENT_BYTES


def test_a_writer_seals_nothing_that_was_damaged_where_it_does_not_write(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(index, 1, {f"{n}.py": f"text {n} " * 3_000 for n in range(300)}, facts=FACTS)
    whole = index.read_bytes()
    with Writer(index, 1) as writer:
        writer.add_commit(_commit(1), "again", [], 3)
        _damage(index, len(whole) // 2, 1)
    assert index.read_bytes() != whole
    monkeypatch.setattr(seals, "_compared", {})  # as in a process that starts
    with pytest.raises(IndexDamaged):
        store.check(index)


def test_of_a_log_that_ends_in_the_middle_of_a_page_what_stands_before_counts(index: Path, tmp_path: Path) -> None:
    _add(index, 1, {"a.py": "a"})
    with Reader(_held(index)[0]) as reader:
        assert reader.files()
        _add(index, 2, {f"{n}.py": f"{n} " * 5_000 for n in range(20)}, facts=FACTS)
        log = seals.log_of(index).read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(log[: 32 + 24 + 4096] + log[32 + 24 + 4096 :][:10])
    assert len(seals.segments_in(cut)) == 1
    cut.write_bytes(log)
    assert len(seals.segments_in(cut)) > 1
    cut.write_bytes(b"")
    assert seals.segments_in(cut) == set()


def test_nobody_writes_to_a_file_that_is_damaged(index: Path) -> None:
    _add(index, 1, {"a.py": "a" * 100})
    _damage(index, index.stat().st_size - 200, 1)
    damaged = index.read_bytes()
    with pytest.raises(IndexDamaged):
        Writer(index, 1)
    assert index.read_bytes() == damaged


def test_a_seal_is_compared_once_for_each_state_of_the_file(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(index, 1, {"a.py": "a"})
    index.touch()
    counted: list[Path] = []
    digests = seals._digests

    def counting(path: Path) -> bytes:
        counted.append(path)
        return digests(path)

    monkeypatch.setattr(seals, "_digests", counting)
    for _ in range(5):
        store.check(index)
    assert len(counted) == 1

"""What a task speaks of, and what is found for it, with the reasons."""

from pathlib import Path

import pytest
from code_insight.errors import InvalidArgument
from code_insight.model import SymbolKind
from code_insight.queries.context import Context, Piece, Reason, ReasonKind, context, ranked_paths, task_of
from code_insight.queries.context.task import Place
from code_insight.queries.stems import exactly, places_of, stem, terms_of
from code_insight.store import IndexedCommit

from tests.server.indexed import index
from tests.server.places import Repository, catalog_at

TRACE = """\
ValueError when a door is opened
Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/bazaar/cli.py", line 5, in main
    knock(Door())
  File "/usr/lib/python3/site-packages/bazaar/doors.py", line 19, in knock
    door.open('')
ValueError: ''
"""


def names(pieces: tuple[Piece, ...]) -> list[str]:
    return [piece.symbol.qualified_name if piece.symbol else piece.file.path for piece in pieces]


def reasons(found: Context, name: str) -> set[ReasonKind]:
    pieces = [*found.code, *found.tests, *found.documents]
    return {reason.kind for piece in pieces if name in names((piece,)) for reason in piece.reasons}


# Words.


@pytest.mark.parametrize(
    "words",
    [
        ("parse", "parsed", "parser", "parses", "parsing"),
        ("query", "queries"),
        ("render", "renderer", "rendering", "rendered"),
        ("filter", "filters", "filtering"),
        ("connect", "connection", "connections", "connected"),
        ("migrate", "migration", "migrations", "migrating"),
        ("iterator", "iterate", "iteration"),
        ("serialize", "serializer", "serialization"),
    ],
)
def test_words_of_one_meaning_have_one_stem_that_they_begin_with(words: tuple[str, ...]) -> None:
    assert len(set(map(stem, words))) == 1
    assert all(word.startswith(stem(word)) for word in words)


def test_identifiers_are_taken_apart() -> None:
    assert [word for _, word in terms_of("HTTPResponse get_session_key maxRetries2")] == [
        "http", "response", "session", "key", "max", "retries",
    ][1:]  # fmt: skip


def test_a_word_is_found_as_a_hump_and_not_within_another_word() -> None:
    text = "formatted transform resetForm FORM form_valid URLForm forms"
    assert [text[at:].split()[0] for at in places_of("form", text, text.lower())] == [
        "Form", "FORM", "form_valid", "Form", "forms",
    ]  # fmt: skip


def test_an_identifier_is_found_in_one_piece_in_any_case() -> None:
    text = "get_form ResetForm get_form2 target_form GET_FORM(get_form)"
    places = list(places_of(exactly("get_Form"), text, text.lower()))
    assert [text[at : at + 9] for at in places] == ["get_form ", "GET_FORM(", "get_form)"]


# What a task speaks of.


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('  File "/app/shop/cart.py", line 12, in fill', Place("/app/shop/cart.py", 12, "fill")),
        ("    at fill (/app/src/cart.ts:10:5)", Place("/app/src/cart.ts", 10, "fill")),
        ("    at async Cart.fill (/app/src/cart.ts:10:5)", Place("/app/src/cart.ts", 10, "fill")),
        ("    at com.example.Cart.fill(Cart.java:12)", Place("Cart.java", 12, "fill")),
        ("   at Shop.Cart.Fill(Int32 n) in C:\\src\\Cart.cs:line 12", Place("C:/src/Cart.cs", 12, "Fill")),
        ("\t/go/src/shop/cart.go:55 +0x1d", Place("/go/src/shop/cart.go", 55)),
        ("lib/cart.rb:12:in `fill'", Place("lib/cart.rb", 12, "fill")),
        ("lib/cart.rb:12:in 'Shop::Cart#fill'", Place("lib/cart.rb", 12, "fill")),
        ("             at ./src/cart.rs:12:5", Place("./src/cart.rs", 12)),
        ("#1  0x4005 in fill (n=1) at cart.c:12", Place("cart.c", 12, "fill")),
        ("see docs/carts/index.md, please", Place("docs/carts/index.md")),
    ],
)
def test_a_path_is_recognised_with_its_line_and_function(line: str, place: Place) -> None:
    assert place in task_of(f"It fails\n{line}\n").places


def test_the_innermost_line_of_a_stack_trace_comes_first() -> None:
    java = "E: no\n\tat a.B.c(B.java:3)\n\tat a.B.d(B.java:9)\n"
    lines = [[place.line for place in task_of(trace).places if place.line] for trace in (TRACE, java)]
    assert lines == [[19, 5], [3, 9]]


def test_what_every_stack_trace_has_is_no_word_of_it() -> None:
    words = set(task_of(TRACE).words.values())
    assert {"cli", "door", "knock"} <= words
    assert words.isdisjoint({"usr", "lib", "site", "packages", "bazaar", "traceback", "recent", "call"})


def test_lines_of_a_log_that_differ_in_numbers_alone_count_once() -> None:
    log = "".join(f"12:00:{second:02} GET /carts/{second * 7} 200\n" for second in range(60))
    task = task_of(f"It stops\n{log}12:01:00 lost connection\n")
    assert task.terms[stem("carts")] == task.terms[stem("connection")]


def test_what_looks_like_code_is_a_name() -> None:
    task = task_of("`queryset` is empty after Model.save() of an HTTPResponse, but get_or_create works. So what?")
    assert task.names == ("queryset", "Model.save", "HTTPResponse", "get_or_create")


def test_the_first_line_counts_for_more() -> None:
    task = task_of("Doors jam\n\nWindows do not.")
    assert task.terms[stem("doors")] > task.terms[stem("windows")]


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "a/" * 50_000, "A" * 100_000, "a.b" * 33_000, "ab " * 33_000, "路径" * 50_000, 'File "' * 16_000],
)
def test_a_task_of_100_kb_of_any_shape_is_read(bazaar: IndexedCommit, text: str) -> None:
    task = task_of(text)
    assert len(task.terms) <= 48
    assert len(task.places) <= 40
    assert context(bazaar, text).task == task


# What is found.


def test_a_stack_trace_leads_to_the_functions_that_it_names(bazaar: IndexedCommit) -> None:
    found = context(bazaar, TRACE)
    assert names(found.code)[:2] == ["knock", "main"]
    assert {file.file.path for file in found.files[:2]} == {"src/bazaar/doors.py", "src/bazaar/cli.py"}
    assert reasons(found, "knock") >= {ReasonKind.PLACE}


def test_a_stack_trace_of_another_commit_leads_to_the_function_that_it_names(tmp_path: Path) -> None:
    text = "def open():\n    return 1\n\n\n" + "x = 1\n" * 40 + "def close():\n    return 2\n"
    indexed = index(tmp_path, {"shop/door.py": text})
    found = context(indexed, 'Traceback\n  File "/srv/shop/door.py", line 2, in close\n')
    assert names(found.code)[0] == "close"
    assert found.code[0].reasons == (Reason(ReasonKind.NAMED, "close"),)


def test_of_a_long_definition_the_lines_around_the_named_one_are_given(tmp_path: Path) -> None:
    indexed = index(tmp_path, {"door.py": "def door():\n" + "".join(f"    x = {n}\n" for n in range(2, 400))})
    piece = context(indexed, "it fails at door.py:300 always").code[0]
    assert piece.symbol
    assert (piece.symbol.start_line, piece.symbol.end_line) == (1, 399)
    assert "    x = 300" in piece.lines
    assert len(piece.lines) < 40


def test_a_path_alone_leads_to_what_the_file_defines_and_who_uses_that(bazaar: IndexedCommit) -> None:
    found = context(bazaar, "src/bazaar/doors.py")
    assert [file.file.path for file in found.files] == ["src/bazaar/doors.py"]
    assert names(found.code)[:4] == ["Door", "_fits", "knock", "LIMIT"]
    assert reasons(found, "Door") == {ReasonKind.PLACE}
    assert "FakeDoor" in names(found.tests)


def test_a_name_alone_leads_to_what_has_all_of_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "def get_or_make():\n    return 1\n",
        "b.py": "from a import get_or_make\n\n\ndef b():\n    return get_or_make()\n",
        "make.py": "def make():\n    return make() + make()\n",
    }
    assert [file.file.path for file in context(index(tmp_path, files), "`get_or_make()`").files] == ["a.py", "b.py"]


def test_a_name_in_a_sentence_counts_for_more_than_its_parts(tmp_path: Path) -> None:
    part = "def f():\n    page_cache = cache_page\n    return page_cache\n"
    indexed = index(tmp_path, {"a.py": part, "b.py": part.replace("return page_cache", "return pageCache(page)")})
    assert ranked_paths(indexed, "why is pageCache empty?")[0] == "b.py"
    first, second = context(indexed, "why is pageCache empty?").code
    assert first.reasons == (Reason(ReasonKind.WORDS, "pageCache"),)
    assert second.reasons == (Reason(ReasonKind.WORDS, "cache, page"),)


def test_a_question_in_words_leads_to_the_function_that_has_them(bazaar: IndexedCommit) -> None:
    found = context(bazaar, "where is it checked whether a key fits?")
    assert names(found.code)[0] in ("Door.open", "_fits")
    assert found.words == ("fits", "key") or set(found.words) == {"key", "fits"}


def test_a_name_leads_to_its_definition_to_those_who_use_it_and_to_its_tests(bazaar: IndexedCommit) -> None:
    found = context(bazaar, "`Door.open` should take a number")
    assert names(found.code)[0] == "Door.open"
    assert reasons(found, "Door.open") == {ReasonKind.NAMED}
    assert reasons(found, "_fits") >= {ReasonKind.USED_BY} or "_fits" in names(found.code)
    assert "test_door_opens" in names(found.tests)


def test_a_file_is_named_for_its_path_without_lines_that_hardly_say_anything(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{name}.py": f"def {name}():\n    return door\n" for name in "abcdefgh"}
    files |= {"boil/steam.sh": "true door\n", "kettle.py": "def steam():\n    boil(steam, door)\n    boil(steam)\n"}
    found = context(index(tmp_path, files), "boil steam at the door")
    assert "boil/steam.sh" in [file.file.path for file in found.files]
    assert "boil/steam.sh" not in names(found.code)
    assert names(found.code)[0] == "steam"


def test_documents_have_a_place_of_their_own(bazaar: IndexedCommit) -> None:
    found = context(bazaar, "open a door")
    assert all(piece.file.path.endswith(".md") for piece in found.documents)
    assert any(piece.symbol and piece.symbol.kind is SymbolKind.HEADING for piece in found.documents)


def test_each_piece_is_whole_has_a_reason_and_is_there_once(bazaar: IndexedCommit) -> None:
    found = context(bazaar, TRACE)
    pieces = [*found.code, *found.tests, *found.documents]
    assert all(piece.reasons for piece in pieces)
    assert all(piece.symbol is None or piece.last == piece.symbol.end_line for piece in pieces)
    places = [(piece.file.path, piece.first, piece.last) for piece in pieces]
    assert len(places) == len(set(places))


def test_source_comes_before_its_tests_and_what_lies_aside(bazaar: IndexedCommit) -> None:
    paths = ranked_paths(bazaar, "knock at a door")
    assert paths.index("src/bazaar/doors.py") < paths.index("tests/test_doors.py")
    assert paths.index("src/bazaar/doors.py") < paths.index("examples/try.py")


def test_a_word_that_is_the_name_of_a_file_leads_to_it(tmp_path: Path) -> None:
    text = "def boil():\n    kettle = 1\n    return kettle\n"
    indexed = index(tmp_path, {"src/a.py": text, "src/steam_engine.py": f"{text}\n", "src/steam.py": f"{text}\n\n"})
    assert ranked_paths(indexed, "the kettle does not boil")[0] == "src/a.py"
    assert ranked_paths(indexed, "steam-engine: the kettle does not boil")[0] == "src/steam_engine.py"


def test_a_commit_that_said_the_same_leads_to_the_files_that_it_changed(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    repository.commit({"a.py": "def a():\n    return 1\n", "b.py": "def b():\n    return 1\n"}, "first")
    repository.commit({"b.py": "def b():\n    return 2\n"}, "Stop the kettle from boiling over")
    indexed = catalog_at(tmp_path).add(str(repository.folder)).indexed
    found = context(indexed, "the kettle boils over")
    assert [file.file.path for file in found.files] == ["b.py"]
    assert [commit.entry.subject for commit in found.commits] == ["Stop the kettle from boiling over"]
    assert {reason.kind for reason in found.files[0].reasons} == {ReasonKind.COMMIT}


def test_of_two_files_that_say_the_same_the_one_that_was_changed_lately_comes_first(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    text = "def boil():\n    return kettle({})\n"
    repository.commit({"a.py": text.format(1), "b.py": text.format(1)}, "first")
    repository.commit({"b.py": text.format(2)}, "second")
    repository.commit({"c.py": "\n"}, "third")
    indexed = catalog_at(tmp_path).add(str(repository.folder)).indexed
    assert ranked_paths(indexed, "the kettle is cold") == ["b.py", "a.py"]


def test_a_file_that_has_the_words_in_its_path_is_not_behind_one_that_mentions_them(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"lib/pipes.c": "int steam(void)\n{\n  return 1;\n}\n", "steam/boiler.sh": "true\n"}
    assert ranked_paths(index(tmp_path, files), "steam boiler")[0] == "steam/boiler.sh"


def test_what_was_changed_together_is_named(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    for number in range(3):
        repository.commit({"door.py": f"def door():\n    return {number}\n", "paint.css": f"/* {number} */\n"}, "x")
    indexed = catalog_at(tmp_path).add(str(repository.folder)).indexed
    ((path, other),) = context(indexed, "what does door() do").together
    assert (path, other.path, other.support) == ("door.py", "paint.css", 3)


@pytest.mark.parametrize("text", ["xyzzy plugh", "Привет, мир", "!!! ???", "的", "the and of"])
def test_where_nothing_speaks_for_anything_all_parts_are_empty(bazaar: IndexedCommit, text: str) -> None:
    found = context(bazaar, text)
    assert (found.files, found.code, found.tests, found.documents, found.commits) == ((), (), (), (), ())


def test_a_task_in_another_language_finds_what_is_written_in_it(tmp_path: Path) -> None:
    indexed = index(
        tmp_path,
        {
            "a.py": "def a():\n    # проверка пароля пользователя\n    return 1\n",
            "b.py": "def b():\n    # パスワードを確認する\n    return 1\n",
            "c.py": "def größe():\n    return 1\n",
        },
    )
    assert ranked_paths(indexed, "где проверка пароля?") == ["a.py"]
    assert ranked_paths(indexed, "パスワードの確認") == ["b.py"]
    assert ranked_paths(indexed, "Die Größe ist falsch") == ["c.py"]


def test_code_comes_before_catalogues_of_translations(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "locale/de/all.po": 'msgid "no key"\nmsgstr "kein Schlüssel für KeyError"\n' * 9,
        "doors.py": "def open(key):\n    raise KeyError(key)\n",
    }
    found = context(index(tmp_path, files), "Kein Schlüssel, nur KeyError")
    assert found.files[0].file.path == "doors.py"
    assert names(found.code) == ["open"]
    assert names(found.documents) == ["locale/de/all.po"]


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_task_is_refused(bazaar: IndexedCommit, text: str) -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        context(bazaar, text)

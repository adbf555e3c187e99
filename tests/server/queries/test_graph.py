"""Who uses a symbol, and whom it uses."""

import pytest
from code_insight.errors import NotFound
from code_insight.queries.graph import Users, used, users
from code_insight.store import IndexedCommit


def places(found: Users) -> list[str]:
    return [f"{use.occurrence.path}:{use.occurrence.line}" for use in found.uses]


def test_a_line_is_one_use_and_the_definition_is_none(bazaar: IndexedCommit) -> None:
    found = places(users(bazaar, "knock"))
    assert len(found) == len(set(found)) == 6
    assert "src/bazaar/doors.py:17" not in found


def test_source_comes_before_examples_before_tests(bazaar: IndexedCommit) -> None:
    order = [path.partition("/")[0] for path in places(users(bazaar, "knock"))]
    assert order == sorted(order, key=["src", "examples", "tests"].index)


def test_in_a_file_calls_come_before_the_import(bazaar: IndexedCommit) -> None:
    cli = [use.occurrence.kind for use in users(bazaar, "knock").uses if use.occurrence.path == "src/bazaar/cli.py"]
    assert cli == ["call", "import"]


def test_a_use_says_what_it_stands_in(bazaar: IndexedCommit) -> None:
    inside = {use.inside.qualified_name for use in users(bazaar, "knock").uses if use.inside}
    assert inside == {"main", "update", "test_door_opens"}


def test_uses_in_other_languages_are_counted_and_left_out(bazaar: IndexedCommit) -> None:
    found = users(bazaar, "Thing.get")
    assert found.others == {"javascript": 1}
    assert {use.occurrence.path.rpartition(".")[2] for use in found.uses} == {"py"}


def test_other_definitions_of_the_name_are_told(bazaar: IndexedCommit) -> None:
    assert {symbol.path for symbol in users(bazaar, "Door").homonyms} == {"src/bazaar/window.py", "vendor/lib/door.py"}


def test_a_declaration_in_c_is_no_other_definition(bazaar: IndexedCommit) -> None:
    found = users(bazaar, "box_open")
    assert found.homonyms == ()
    assert places(found) == ["c/use.c:5"]


def test_a_page_of_uses_has_its_part_of_all(bazaar: IndexedCommit) -> None:
    every = places(users(bazaar, "Door"))
    pages = [places(users(bazaar, "Door", first=at, most=2)) for at in range(0, len(every), 2)]
    assert [place for page in pages for place in page] == every
    assert users(bazaar, "Door", first=2, most=1).total == len(every)


def test_counts_by_role_are_of_all_uses(bazaar: IndexedCommit) -> None:
    found = users(bazaar, "Door")
    assert sum(found.by_role.values()) == found.total == len(found.uses)


def test_what_a_function_uses_is_led_by_what_is_defined_here(bazaar: IndexedCommit) -> None:
    symbol, names = used(bazaar, "Door.open")
    assert symbol.qualified_name == "Door.open"
    known = {name.name: name.definitions[0].path for name in names if name.definitions}
    assert known == {"_fits": "src/bazaar/doors.py", "price": "src/bazaar/base.py", "LIMIT": "src/bazaar/doors.py"}
    assert [bool(name.definitions) for name in names] == sorted((bool(n.definitions) for n in names), reverse=True)


def test_an_imported_name_means_the_definition_in_that_module(bazaar: IndexedCommit) -> None:
    _, names = used(bazaar, "test_door_opens")
    (door,) = [name for name in names if name.name == "Door"]
    assert door.definitions[0].path == "src/bazaar/doors.py"


def test_an_unknown_symbol_is_answered_with_the_nearest(bazaar: IndexedCommit) -> None:
    for ask in (users, used):
        with pytest.raises(NotFound, match="knock"):
            ask(bazaar, "knokc")

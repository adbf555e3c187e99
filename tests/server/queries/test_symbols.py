"""Where a name is defined, and what belongs to it."""

import pytest
from code_insight.errors import NotFound
from code_insight.model import FileRole
from code_insight.queries.symbols import definition, find, outline
from code_insight.store import IndexedCommit


def found(indexed: IndexedCommit, name: str, path: str = "") -> list[str]:
    return [f"{symbol.path}:{symbol.start_line}" for symbol in find(indexed, name, path)]


def test_source_comes_before_what_is_vendored(bazaar: IndexedCommit) -> None:
    assert found(bazaar, "Door") == ["src/bazaar/doors.py:6", "src/bazaar/window.py:1", "vendor/lib/door.py:1"]


@pytest.mark.parametrize("name", ["Door.open", "doors.Door.open", "bazaar.doors.Door.open", "Door::open", "Door#open"])
def test_a_qualified_name_finds_one_member(bazaar: IndexedCommit, name: str) -> None:
    assert found(bazaar, name) == ["src/bazaar/doors.py:9"]


def test_brackets_behind_a_name_do_not_matter(bazaar: IndexedCommit) -> None:
    assert found(bazaar, "knock()") == found(bazaar, "knock")


def test_an_inherited_member_is_found_where_it_is_defined(bazaar: IndexedCommit) -> None:
    assert found(bazaar, "Door.price") == ["src/bazaar/base.py:4"]
    assert found(bazaar, "FakeDoor.open") == ["src/bazaar/doors.py:9"]


def test_a_definition_in_c_comes_before_its_declaration(bazaar: IndexedCommit) -> None:
    assert found(bazaar, "box_open") == ["c/box.c:3", "c/box.h:3"]


def test_a_type_comes_before_its_constructor(bazaar: IndexedCommit) -> None:
    assert [symbol.kind for symbol in find(bazaar, "Down")] == ["class", "constructor"]


def test_a_path_narrows_the_definitions(bazaar: IndexedCommit) -> None:
    assert found(bazaar, "Door", "vendor") == ["vendor/lib/door.py:1"]
    with pytest.raises(NotFound, match=r"'Door' is not defined in go\. It is defined in src/bazaar/doors.py"):
        found(bazaar, "Door", "go")


def test_an_unknown_name_is_answered_with_the_nearest_and_their_places(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match=r"The nearest: knock \(src/bazaar/doors.py:18\)"):
        find(bazaar, "knokc")
    with pytest.raises(NotFound, match="search"):
        find(bazaar, "qqqqqqqq")


def test_the_base_of_a_class_is_followed_through_its_alias(bazaar: IndexedCommit) -> None:
    (door, *_) = find(bazaar, "Door")
    ((name, base),) = definition(bazaar, door).bases
    assert name == "Base"
    assert base is not None
    assert (base.name, base.path) == ("Thing", "src/bazaar/base.py")


def test_derived_types_are_those_of_this_type_not_of_its_namesakes(bazaar: IndexedCommit) -> None:
    door, window, _ = find(bazaar, "Door")
    assert [symbol.name for symbol in definition(bazaar, door).derived] == ["FakeDoor"]
    assert definition(bazaar, window).derived == ()
    (thing,) = find(bazaar, "Thing")
    assert [symbol.name for symbol in definition(bazaar, thing).derived] == ["Door"]


def test_methods_outside_of_a_go_type_are_its_members(bazaar: IndexedCommit) -> None:
    (stall, *_) = find(bazaar, "Stall")
    assert [symbol.name for symbol in definition(bazaar, stall).members] == ["Name", "Sell"]
    assert found(bazaar, "Stall.Sell") == ["go/stall/sell.go:4"]


def test_source_is_the_lines_of_the_symbol(bazaar: IndexedCommit) -> None:
    (fits,) = find(bazaar, "_fits")
    assert definition(bazaar, fits).source == ("def _fits(key: str) -> bool:", "    return key == 'secret-phrase'")


def test_an_outline_of_a_file_has_its_symbols_in_order(bazaar: IndexedCommit) -> None:
    (one,) = outline(bazaar, "src/bazaar/doors.py")
    assert [symbol.name for symbol in one.symbols] == ["LIMIT", "Door", "open", "_fits", "knock"]


def test_an_outline_of_a_folder_has_the_outermost_symbols_of_its_files(bazaar: IndexedCommit) -> None:
    outlines = {one.file.path: [s.name for s in one.symbols] for one in outline(bazaar, "src/bazaar")}
    assert outlines["src/bazaar/base.py"] == ["Thing"]
    assert outlines["src/bazaar/__init__.py"] == []


def test_an_outline_of_everything_has_source_first(bazaar: IndexedCommit) -> None:
    roles = [one.file.role for one in outline(bazaar, "")]
    assert roles.index(FileRole.TEST) > max(at for at, role in enumerate(roles) if role is FileRole.SOURCE)


def test_an_outline_of_nothing_names_the_nearest(bazaar: IndexedCommit) -> None:
    with pytest.raises(NotFound, match=r"src/bazaar/doors\.py"):
        outline(bazaar, "src/bazaar/door.py")

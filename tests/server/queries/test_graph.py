"""Who uses a symbol, and whom it uses."""

from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.queries.graph import Certainty, Users, used, users
from code_insight.store import IndexedCommit

from tests.server.indexed import index

HOUSE: dict[str, str | bytes] = {
    "house/door.py": (
        "LIMIT = 3\nclass Door:\n    def __init__(self, width=1):\n        self.width = width\n\n"
        "    def swing(self):\n        return self.width < LIMIT\n\n"
        "    def paint(self):\n        return self.swing()\n\n\n"
        "class Gate(Door):\n    def __init__(self):\n        super().__init__(2)\n"
    ),
    "house/lamp.py": (
        "class Lamp:\n    def __init__(self): ...\n\n    def swing(self): ...\n\n"
        "    def main(self):\n        self.swing()\n"
    ),
    "house/use.py": (
        "from house.door import Door\nfrom house.lamp import Lamp\n\n\n"
        "def main(door: Door, lamp: Lamp, thing):\n"
        "    thing.swing()\n    thing.paint()\n    lamp.swing()\n    door.swing()\n    Door().paint()\n    Lamp()\n"
        "    door.width\n"
    ),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    """A door and a lamp that both swing; only the door is painted."""
    return index(tmp_path_factory.mktemp("house"), HOUSE)


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
    assert (found.uses, found.elsewhere) == ((), 1)  # the one in Python is of a dictionary


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


def sure(found: Users) -> dict[str, Certainty]:
    return {place: use.certainty for place, use in zip(places(found), found.uses, strict=True)}


def test_uses_that_mean_another_class_are_left_out_and_counted(house: IndexedCommit) -> None:
    found = users(house, "Door.swing")
    assert sure(found) == {
        "house/door.py:10": Certainty.EXACT,
        "house/use.py:9": Certainty.EXACT,
        "house/use.py:6": Certainty.NAME,
    }
    assert found.elsewhere == 2
    assert found.by_certainty == {Certainty.EXACT: 2, Certainty.NAME: 1}
    assert found.is_resolved


def test_a_use_that_nothing_tells_is_likely_when_only_one_definition_has_the_name(house: IndexedCommit) -> None:
    assert sure(users(house, "Door.paint")) == {
        "house/use.py:10": Certainty.EXACT,
        "house/use.py:7": Certainty.LIKELY,
    }


def test_the_surest_uses_come_first(bazaar: IndexedCommit, house: IndexedCommit) -> None:
    for found in (users(house, "Door.swing"), users(house, "Door.paint"), users(bazaar, "Door.open")):
        order = [list(Certainty).index(use.certainty) for use in found.uses]
        assert order == sorted(order)


def test_an_everyday_name_is_never_likely(bazaar: IndexedCommit) -> None:
    assert Certainty.LIKELY not in users(bazaar, "Thing.get").by_certainty


def test_a_constructor_is_used_where_its_class_is_called(house: IndexedCommit) -> None:
    found = users(house, "Door.__init__")
    assert sure(found) == {"house/door.py:15": Certainty.EXACT, "house/use.py:10": Certainty.EXACT}


def test_what_is_no_function_or_class_is_known_by_name_only(house: IndexedCommit) -> None:
    found = users(house, "LIMIT")
    assert (found.is_resolved, found.by_certainty) == (False, {Certainty.NAME: 1})


def test_in_a_language_without_evidence_a_use_is_known_by_name_only(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.sh": "open_box() {\n  echo 1\n}\n", "b.sh": ". ./a.sh\nopen_box\n"}
    found = users(index(tmp_path, files), "open_box")
    assert (found.is_resolved, found.elsewhere) == (False, 0)
    assert set(found.by_certainty) == {Certainty.NAME}


def test_a_variable_that_holds_what_is_from_outside_is_defined_here(house: IndexedCommit) -> None:
    _, names = used(house, "Door.swing")
    assert [[s.path for s in n.definitions] for n in names if n.name == "LIMIT"] == [["house/door.py"]]


def test_what_a_function_uses_is_exact_where_evidence_tells(house: IndexedCommit) -> None:
    _, names = used(house, "main", "house/use.py")
    known = {n.name: ([s.qualified_name for s in n.definitions], n.certainty) for n in names if n.definitions}
    assert known["Door"] == (["Door"], Certainty.EXACT)
    assert known["paint"] == (["Door.paint"], Certainty.NAME)
    assert known["swing"][1] is Certainty.NAME


def test_an_unknown_symbol_is_answered_with_the_nearest(bazaar: IndexedCommit) -> None:
    for ask in (users, used):
        with pytest.raises(NotFound, match="knock"):
            ask(bazaar, "knokc")


def test_uses_of_an_everyday_name_are_looked_into_where_its_type_is_named_first(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "def get(): ...\n" + "print(x.get())\n" * 700,
        "shop.py": "class Cart:\n    def get(self): ...\n",
        "z.py": "from shop import Cart\n\nCart().get()\n",
    }
    found = users(index(tmp_path, files), "Cart.get")
    assert [(use.occurrence.path, use.certainty) for use in found.uses if use.certainty is Certainty.EXACT] == [
        ("z.py", Certainty.EXACT)
    ]


def test_what_one_answer_has_read_holds_for_the_next_about_the_same_commit_only(tmp_path: Path) -> None:
    first = index(tmp_path, {"shop.py": "class Cart: ...\n", "use.py": "from shop import Cart\n\nCart()\n"})
    assert [use.certainty for use in users(first, "Cart").uses] == [Certainty.EXACT] * 2
    assert [use.certainty for use in users(first, "Cart").uses] == [Certainty.EXACT] * 2
    (tmp_path / "project" / "use.py").write_text("from other import Cart\n\nCart()\n")
    second = index(tmp_path, {"other.py": "class Cart: ...\n"})
    assert users(second, "Cart", "shop.py").total == 0
    assert users(first, "Cart").total == 2

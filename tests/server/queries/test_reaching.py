"""Who uses a symbol and whom it uses, through others: how far away, how sure, each once."""

from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.queries import reaching
from code_insight.queries.reaching import Reach, reach
from code_insight.store import IndexedCommit

from tests.server.indexed import index

SHOP: dict[str, str | bytes] = {
    "shop/price.py": "def net(value):\n    return value\n\n\ndef gross(value):\n    return net(value) * 2\n",
    "shop/cart.py": (
        "import json\nfrom shop.price import gross\n\n\n"
        "class Cart:\n"
        "    def __init__(self):\n        self.paid = log()\n\n"
        "    def total(self):\n        return gross(json.loads('1'))\n\n\n"
        "class Basket(Cart):\n"
        "    def total(self):\n        return 2\n\n\n"
        "def log(): ...\n"
    ),
    "shop/desk.py": "from shop.cart import Cart\n\n\ndef serve():\n    return Cart().total()\n",
    "shop/odd.py": "def odd(thing):\n    return thing.total()\n",
    "tests/test_desk.py": "from shop.desk import serve\n\n\ndef test_serve():\n    assert serve()\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    return index(tmp_path_factory.mktemp("shop"), SHOP)


def _steps(found: Reach) -> list[tuple[int, str, str]]:
    return [
        (one.distance, one.symbol.qualified_name if one.symbol else one.path, str(one.certainty))
        for one in found.reached
    ]


def test_users_are_found_through_others_and_the_nearest_come_first(shop: IndexedCommit) -> None:
    found = reach(shop, "net")
    assert _steps(found) == [
        (1, "gross", "exact"),
        (2, "Cart.total", "exact"),
        (3, "serve", "exact"),
        (4, "test_serve", "exact"),
    ]
    assert [one.role for one in found.reached] == ["source", "source", "source", "test"]


def test_what_is_used_is_found_through_others_with_the_constructor_of_what_is_made(shop: IndexedCommit) -> None:
    assert _steps(reach(shop, "serve", is_out=True)) == [
        (1, "Cart", "exact"),
        (1, "Cart.total", "exact"),
        (2, "log", "exact"),
        (2, "gross", "exact"),
        (3, "net", "exact"),
    ]


@pytest.mark.parametrize(("is_out", "of"), [(False, "net"), (True, "serve")])
@pytest.mark.parametrize("depth", [1, 2])
def test_it_goes_no_deeper_than_asked(shop: IndexedCommit, of: str, depth: int, *, is_out: bool) -> None:
    found = reach(shop, of, is_out=is_out, depth=depth)
    assert max(one.distance for one in found.reached) == depth
    assert found.not_followed > 0


def test_a_way_is_as_sure_as_its_least_sure_step(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "def weigh(thing):\n    return thing.measure_all()\n\n\ndef sell(thing):\n    return weigh(thing)\n",
        "b.py": "class Scale:\n    def measure_all(self):\n        return add()\n\n\ndef add(): ...\n",
    }
    indexed = index(tmp_path, files)
    assert _steps(reach(indexed, "add")) == [
        (1, "Scale.measure_all", "exact"),
        (2, "weigh", "likely"),
        (3, "sell", "likely"),
    ]
    assert _steps(reach(indexed, "sell", is_out=True)) == [
        (1, "weigh", "exact"),
        (2, "Scale.measure_all", "likely"),
        (3, "add", "likely"),
    ]


def test_what_matches_by_name_alone_is_counted_and_not_followed(shop: IndexedCommit) -> None:
    found = reach(shop, "odd", is_out=True)
    assert (found.reached, found.by_name) == ((), 1)
    found = reach(shop, "Cart.total")
    assert ("odd" in {name for _, name, _ in _steps(found)}, found.by_name) == (False, 1)


def test_who_calls_a_method_of_the_base_may_reach_the_one_that_overrides_it(shop: IndexedCommit) -> None:
    assert _steps(reach(shop, "Basket.total", depth=1)) == [(1, "serve", "likely")]


@pytest.mark.parametrize("is_out", [False, True])
def test_what_calls_itself_and_each_other_has_an_end_and_is_there_once(tmp_path: Path, *, is_out: bool) -> None:
    text = "def ping():\n    ping()\n    pong()\n\n\ndef pong():\n    pong()\n    ping()\n    ping()\n"
    assert _steps(reach(index(tmp_path, {"a.py": text}), "ping", is_out=is_out)) == [(1, "pong", "exact")]


@pytest.mark.parametrize("is_out", [False, True])
def test_the_bounds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_out: bool) -> None:
    monkeypatch.setattr(reaching, "_MOST_REACHED", 3)
    users = "".join(f"def f{n}():\n    go()\n" for n in range(10))
    used = "".join(f"    f{n}()\n" for n in range(10))
    go = f"def go():\n{used}" if is_out else "def go(): ...\n"
    found = reach(
        index(tmp_path, {"a.py": go + (users.replace("go()", "pass") if is_out else users)}), "go", is_out=is_out
    )
    assert len(found.reached) == 3
    assert found.not_followed >= 7


def test_functions_of_c_are_followed_where_one_has_the_name(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "box.h": "int box_open(int key);\n",
        "box.c": '#include "box.h"\n\nstatic int turn(int key)\n{\n  return key;\n}\n\n'
        "int box_open(int key)\n{\n  return turn(key);\n}\n",
        "use.c": '#include "box.h"\n\nint use(void)\n{\n  return box_open(1);\n}\n',
    }
    indexed = index(tmp_path, files)
    assert [(d, n) for d, n, _ in _steps(reach(indexed, "turn"))] == [(1, "box_open"), (2, "use")]
    assert [(d, n) for d, n, _ in _steps(reach(indexed, "use", is_out=True))] == [(1, "box_open"), (2, "turn")]


def test_what_is_not_there_is_refused_with_what_is_near(shop: IndexedCommit) -> None:
    with pytest.raises(NotFound, match="gross"):
        reach(shop, "grosss")

"""What can break when something changes, which tests reach it, and what was not seen."""

from pathlib import Path

import pytest
from code_insight.catalog import Catalog
from code_insight.errors import InvalidArgument, NotFound
from code_insight.model import HistoryEnd, Symbol
from code_insight.queries import reaching
from code_insight.queries.impact import Impact, impact
from code_insight.queries.reaching import DEEPEST, Reached
from code_insight.store import IndexedCommit

from tests.server.indexed import index
from tests.server.places import Repository

SHOP: dict[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/price.py": (
        "TAX = 2\n\n\ndef net(value):\n    return value\n\n\ndef gross(value):\n    return net(value) * TAX\n"
    ),
    "shop/cart.py": (
        "from shop.price import gross, TAX\n\n\n"
        "class Cart:\n"
        "    def total(self):\n        return gross(1)\n\n"
        "    def show(self):\n        return self.total()\n\n\n"
        "class Basket(Cart):\n"
        "    def total(self):\n        return 2\n"
    ),
    "shop/desk.py": "from shop.cart import Cart\n\n\ndef serve(TAX):\n    cart = Cart()\n    return cart.show()\n",
    "shop/odd.py": "def odd(thing):\n    return thing.total(), thing.TAX\n",
    "tests/test_cart.py": "from shop.cart import Cart\n\n\ndef test_show():\n    assert Cart().show()\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> IndexedCommit:
    return index(tmp_path_factory.mktemp("shop"), SHOP)


def _named(users: tuple[Reached, ...]) -> list[tuple[int, str]]:
    return [(user.distance, user.symbol.qualified_name if user.symbol else user.path) for user in users]


def _names(symbols: tuple[Symbol, ...]) -> list[str]:
    return [symbol.qualified_name for symbol in symbols]


# Symbols.


def test_users_are_found_through_others_and_the_nearest_come_first(shop: IndexedCommit) -> None:
    found = impact(shop, "net")
    assert _named(found.users) == [(1, "gross"), (2, "Cart.total"), (3, "Cart.show"), (4, "serve")]
    assert [user.through.name for user in found.users if user.through] == ["net", "gross", "total", "show"]
    assert {user.certainty for user in found.users} == {"exact"}


def test_tests_are_told_apart(shop: IndexedCommit) -> None:
    assert _named(impact(shop, "gross").tests) == [(3, "test_show")]


def test_what_uses_the_name_alone_is_counted_and_not_shown(shop: IndexedCommit) -> None:
    found = impact(shop, "Cart.total")
    assert "odd" not in {name for _, name in _named(found.users)}
    assert found.unseen.by_name == 1


def test_who_calls_a_method_of_the_base_may_reach_the_one_that_overrides_it(shop: IndexedCommit) -> None:
    found = impact(shop, "Basket.total")
    assert [(u.symbol and u.symbol.name, u.certainty, u.through and u.through.qualified_name) for u in found.users][
        :1
    ] == [("show", "likely", "Cart.total")]


def test_a_method_that_overrides_it_depends_on_it(shop: IndexedCommit) -> None:
    (override,) = [user for user in impact(shop, "Cart.total").users if user.kind is None]
    assert (override.symbol and override.symbol.qualified_name, override.distance) == ("Basket.total", 1)


def test_who_mentions_a_type_that_only_has_something_of_a_type_is_no_user(tmp_path: Path) -> None:
    text = (
        "class Price: ...\n\n\nclass Cart:\n    price: Price\n\n\nclass Sale(Price): ...\n\n\n"
        "def show(cart: Cart): ...\n\n\ndef sell(sale: Sale): ...\n"
    )
    assert _named(impact(index(tmp_path, {"a.py": text}), "Price").users) == [(1, "Cart"), (1, "Sale"), (2, "sell")]


def test_a_type_changes_with_its_methods(shop: IndexedCommit) -> None:
    found = impact(shop, "Cart")
    assert _names(found.seeds) == ["Cart", "Cart.total", "Cart.show"]
    assert [name for _, name in _named(found.users)] == ["Basket", "serve", "Basket.total"]


def test_a_variable_is_used_where_it_is_imported_and_not_where_another_has_its_name(shop: IndexedCommit) -> None:
    direct = {name for distance, name in _named(impact(shop, "TAX").users) if distance == 1}
    assert direct == {"gross", "shop/cart.py"}


def test_two_that_call_each_other_have_an_end(tmp_path: Path) -> None:
    indexed = index(tmp_path, {"a.py": "def ping():\n    pong()\n\n\ndef pong():\n    ping()\n"})
    assert _named(impact(indexed, "ping").users) == [(1, "pong")]


def test_it_goes_so_deep_and_says_that_there_is_more(tmp_path: Path) -> None:
    chain = "\n\n\n".join(f"def f{n}():\n    return f{n - 1}()" for n in range(1, 10))
    found = impact(index(tmp_path, {"a.py": f"def f0():\n    return 0\n\n\n{chain}\n"}), "f0")
    assert _named(found.users) == [(n, f"f{n}") for n in range(1, DEEPEST + 1)]
    assert found.unseen.not_followed == 1


def test_a_name_that_occurs_fifty_thousand_times_has_an_answer(tmp_path: Path) -> None:
    calls = "".join(f"def f{n}(x):\n" + "    x.go()\n" * 500 for n in range(100))
    files: dict[str, str | bytes] = {"a.py": "class A:\n    def go(self): ...\n", "b.py": calls}
    found = impact(index(tmp_path / "one", files), "A.go")
    assert (len(found.users), found.unseen.by_name) == (100, 0)
    found = impact(index(tmp_path / "two", files | {"c.py": "class C:\n    def go(self): ...\n"}), "A.go")
    assert (len(found.users), found.unseen.by_name) == (0, 50_000)


def test_the_bounds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_MOST_REACHED", 3)
    calls = "".join(f"def f{n}():\n    go()\n" for n in range(10))
    found = impact(index(tmp_path, {"a.py": f"def go(): ...\n{calls}"}), "go")
    assert (len(found.users), found.unseen.not_followed) == (3, 7)


def test_in_a_language_without_rules_a_name_that_only_one_has_is_likely(tmp_path: Path) -> None:
    files = {"a.rb": "def weigh(x)\n  x\nend\n", "b.rb": "def sell(x)\n  weigh(x)\nend\n"}
    found = impact(index(tmp_path, {**files}), "weigh")
    assert [(name, user.certainty) for (_, name), user in zip(_named(found.users), found.users, strict=True)] == [
        ("sell", "likely")
    ]


# Files and folders.


def test_a_file_is_used_by_what_is_outside_of_it(shop: IndexedCommit) -> None:
    found = impact(shop, path="shop/price.py")
    assert _named(found.users) == [(1, "Cart.total"), (1, "shop/cart.py"), (2, "Cart.show"), (3, "serve")]
    assert _named(found.tests) == [(3, "test_show")]


def test_a_folder_is_used_by_what_is_outside_of_it(shop: IndexedCommit) -> None:
    found = impact(shop, path="./shop/")
    assert (_named(found.users), _named(found.tests)) == ([], [(1, "test_show")])


def test_who_imports_a_file_without_symbols_uses_it(tmp_path: Path) -> None:
    indexed = index(tmp_path, {"a.ts": 'import "./style.css";\n', "style.css": "a { color: red }\n"})
    assert _named(impact(indexed, path="style.css").users) == [(1, "a.ts")]


def test_what_has_no_users_has_an_answer_too(shop: IndexedCommit) -> None:
    found = impact(shop, path="shop/__init__.py")
    assert (found.seeds, found.users, found.tests, found.together) == ((), (), (), ())


# Commits.


def _replaced(path: str, old: str, new: str) -> dict[str, str | bytes]:
    text = SHOP[path]
    assert isinstance(text, str)
    assert old in text
    return {path: text.replace(old, new)}


@pytest.fixture
def past(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit(SHOP, "start")
    return made


def _impact(catalog: Catalog, past: Repository, commits: str) -> Impact:
    return impact(catalog.add(str(past.folder)).indexed, commits=commits)


def test_commits_change_the_symbols_whose_lines_they_touch(catalog: Catalog, past: Repository) -> None:
    past.commit(_replaced("shop/cart.py", "gross(1)", "gross(5)"), "dearer")
    past.commit({"README.md": "# Shop\n"}, "say what it is")
    found = _impact(catalog, past, "HEAD~2..HEAD")
    assert found.changed
    assert [entry.subject for entry in found.changed.commits] == ["say what it is", "dearer"]
    assert found.changed.files == ("README.md", "shop/cart.py")
    assert _names(found.changed.symbols) == ["Cart.total"]
    assert _named(found.users) == [(1, "Cart.show"), (1, "Basket.total"), (2, "serve")]
    assert _named(found.tests) == [(2, "test_show")]


@pytest.mark.parametrize("end", ["..", "..HEAD", "..@", "...main", "..{head}", " .. {head} "])
def test_commits_are_named_in_many_ways(catalog: Catalog, past: Repository, end: str) -> None:
    base = past.git("rev-parse", "HEAD")
    head = past.commit({"a.txt": "1\n"}, "one")
    catalog.add(str(past.folder), "main")
    found = _impact(catalog, past, base[:8] + end.format(head=head))
    assert found.changed
    assert [entry.oid for entry in found.changed.commits] == [head]


def test_one_commit_is_asked_about_by_its_digits(catalog: Catalog, past: Repository) -> None:
    middle = past.commit(_replaced("shop/price.py", "return value", "return value + 1"), "more")
    past.commit({"a.txt": "1\n"}, "later")
    found = _impact(catalog, past, middle[:10])
    assert found.changed
    assert _names(found.changed.symbols) == ["net"]


def test_a_type_changes_when_its_head_does_and_not_with_each_method(catalog: Catalog, past: Repository) -> None:
    past.commit(_replaced("shop/cart.py", "class Basket(Cart):", "class Basket(Cart, object):"), "head")
    found = _impact(catalog, past, "HEAD")
    assert found.changed
    assert _names(found.changed.symbols) == ["Basket"]


def test_lines_are_found_where_later_commits_have_moved_them(catalog: Catalog, past: Repository) -> None:
    changed = past.commit(_replaced("shop/price.py", "return value", "return value + 1"), "more")
    past.git("mv", "shop/price.py", "shop/prices.py")
    past.commit(None, "rename")
    text = (past.folder / "shop/prices.py").read_text()
    past.commit({"shop/prices.py": f'"""Prices."""\n\nimport math\n\n{text}'}, "words")
    found = _impact(catalog, past, changed)
    assert found.changed
    assert [(s.path, s.name) for s in found.changed.symbols] == [("shop/prices.py", "net")]


def test_a_branch_that_was_merged_is_what_it_brought(catalog: Catalog, past: Repository) -> None:
    base = past.git("rev-parse", "HEAD")
    past.git("checkout", "-q", "-b", "topic")
    topic = past.commit(_replaced("shop/price.py", "return value", "return value + 1"), "topic")
    past.git("checkout", "-q", "main")
    past.commit(_replaced("shop/odd.py", "thing.total()", "thing.total(1)"), "other")
    past.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    found = _impact(catalog, past, f"{base}..{topic}")
    assert found.changed
    assert ([e.subject for e in found.changed.commits], _names(found.changed.symbols)) == (["topic"], ["net"])
    found = _impact(catalog, past, "HEAD^..HEAD")
    assert found.changed
    assert [e.subject for e in found.changed.commits] == ["merge", "topic"]
    assert _names(found.changed.symbols) == ["net"]


def test_a_file_that_is_gone_is_told(catalog: Catalog, past: Repository) -> None:
    (past.folder / "shop/odd.py").unlink()
    past.commit(None, "gone")
    found = _impact(catalog, past, "HEAD")
    assert found.changed
    assert (found.changed.gone, found.changed.files, found.seeds) == (("shop/odd.py",), (), ())


def test_what_usually_changes_with_it_and_did_not_is_told(catalog: Catalog, past: Repository) -> None:
    for number in range(3):
        past.commit({"shop/odd.py": f"ODD = {number}\n", "odd.md": f"{number}\n"}, str(number))
    past.commit({"shop/odd.py": "ODD = 9\n"}, "alone")
    (together,) = _impact(catalog, past, "HEAD").together
    assert (together.path, together.support, together.confidence) == ("odd.md", 3, 0.75)
    (of_file,) = impact(catalog.find("shop"), path="shop/odd.py").together
    assert (of_file.path, of_file.support, of_file.confidence) == ("odd.md", 3, 0.6)


@pytest.mark.parametrize(
    ("commits", "said"),
    [
        ("nonsense..HEAD", "No commit 'nonsense'"),
        ("HEAD~99999..HEAD", "No commit 'HEAD~99999'"),
        ("HEAD~100000..HEAD", "No commit 'HEAD~100000'"),
        ("0000000", "No commit '0000000'"),
        ("--all", "No commit '--all'"),
        ("HEAD^{tree}", "No commit 'HEAD"),
        ("~" * 399, "No commit"),
    ],
)
def test_commits_that_are_not_known_are_refused(catalog: Catalog, past: Repository, commits: str, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        _impact(catalog, past, commits)


def test_a_range_without_commits_is_refused(catalog: Catalog, past: Repository) -> None:
    with pytest.raises(InvalidArgument, match="has every commit of"):
        _impact(catalog, past, "HEAD..HEAD")


def test_of_a_shallow_clone_it_is_said_that_older_history_is_not_seen(
    catalog: Catalog, past: Repository, tmp_path: Path
) -> None:
    past.commit({"a.txt": "1\n"}, "later")
    past.git("clone", "-q", "--depth=1", f"file://{past.folder}", str(tmp_path / "shallow"))
    assert impact(catalog.add(str(tmp_path / "shallow")).indexed, "net").unseen.history is HistoryEnd.SHALLOW


# Refusals.


@pytest.mark.parametrize(
    "asked",
    [{}, {"symbol": "net", "commits": "HEAD"}, {"path": "shop", "commits": "HEAD"}],
)
def test_one_thing_is_asked_about(shop: IndexedCommit, asked: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument, match="Ask about one thing"):
        impact(shop, **asked)  # type: ignore[arg-type]


def test_what_is_not_there_is_refused_with_what_is_near(shop: IndexedCommit) -> None:
    with pytest.raises(NotFound, match="gross"):
        impact(shop, "grosss")
    with pytest.raises(NotFound, match=r"shop/price\.py"):
        impact(shop, path="shop/prices.py")


def test_types_that_inherit_from_each_other_have_an_answer(tmp_path: Path) -> None:
    text = "class A(B):\n    def go(self): ...\n\n\nclass B(A):\n    def go(self): ...\n"
    found = impact(index(tmp_path, {"a.py": text}), "A.go")
    assert [(user.symbol and user.symbol.qualified_name, user.kind) for user in found.users] == [("B.go", None)]

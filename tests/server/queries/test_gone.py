"""What commits took away, and who still uses it."""

from pathlib import Path

import pytest
from code_insight.catalog import Catalog
from code_insight.queries.gone import Gone, unread_before
from code_insight.queries.impact import Impact, impact

from tests.server.places import Repository, catalog_at

SHOP: dict[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/price.py": "def net(value):\n    return value\n\n\ndef gross(value):\n    return net(value) * 2\n",
    "shop/cart.py": (
        "from shop.price import gross, net\n\n\n"
        "class Cart:\n"
        "    def total(self):\n        return gross(1) + net(1)\n\n"
        "    def weigh(self):\n        return 1\n\n\n"
        "class Basket(Cart):\n"
        "    def total(self):\n        return 2\n"
    ),
    "shop/desk.py": "from shop.cart import Cart\n\n\ndef serve():\n    return Cart().weigh()\n",
    "shop/shelf.py": "def net(value):\n    return value\n\n\ndef put():\n    return net(1)\n",
    "tests/test_desk.py": "from shop.cart import Cart\n\n\ndef test_it():\n    assert Cart().weigh()\n",
}


@pytest.fixture
def past(catalog: Catalog, tmp_path: Path) -> Repository:
    """The shop, of which a first commit is indexed."""
    made = Repository(tmp_path / "shop")
    made.commit(SHOP, "start")
    catalog.add(str(made.folder))
    return made


def _changed(past: Repository, path: str, old: str, new: str) -> str:
    text = (past.folder / path).read_text()
    assert old in text
    return past.commit({path: text.replace(old, new)}, "change")


def _impact(catalog: Catalog, past: Repository, commits: str = "HEAD") -> Impact:
    return impact(catalog.add(str(past.folder)).indexed, commits=commits)


def _names(gone: Gone) -> list[str]:
    return [symbol.qualified_name for symbol in gone.symbols]


def _users(gone: Gone) -> list[tuple[str, str, str]]:
    return [
        (user.symbol.qualified_name if user.symbol else user.path, user.through.qualified_name, str(user.certainty))
        for user in gone.users
        if user.through
    ]


def test_who_uses_a_function_that_is_gone_is_found_and_who_means_another_is_not(
    catalog: Catalog, past: Repository
) -> None:
    past.commit({"shop/price.py": "def gross(value):\n    return value * 2\n"}, "net is gone")
    found = _impact(catalog, past)
    assert _names(found.gone) == ["net"]
    assert _users(found.gone) == [("Cart.total", "net", "exact")]


def test_who_uses_a_method_that_is_gone_is_found_and_what_follows_from_that(catalog: Catalog, past: Repository) -> None:
    _changed(past, "shop/cart.py", "    def weigh(self):\n        return 1\n", "")
    found = _impact(catalog, past)
    assert _names(found.gone) == ["Cart.weigh"]
    assert _users(found.gone) == [("serve", "Cart.weigh", "exact"), ("test_it", "Cart.weigh", "exact")]
    assert "serve" not in {user.symbol.name for user in found.users if user.symbol}


def test_a_method_that_a_base_still_has_breaks_nobody(catalog: Catalog, past: Repository) -> None:
    past.commit({"shop/till.py": "from shop.cart import Basket\n\n\ndef pay():\n    return Basket().total()\n"}, "till")
    _changed(
        past,
        "shop/cart.py",
        "class Basket(Cart):\n    def total(self):\n        return 2\n",
        "class Basket(Cart): ...\n",
    )
    found = _impact(catalog, past)
    assert (_names(found.gone), found.gone.users) == (["Basket.total"], ())


def test_a_method_that_a_base_from_outside_may_have_breaks_nobody(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "stream")
    read = "    def read(self): ...\n\n"
    text = f"import io\n\n\nclass Stream(io.RawIOBase):\n{read}    def all(self):\n        return self.read()\n"
    made.commit({"stream.py": text}, "start")
    catalog.add(str(made.folder))
    made.commit({"stream.py": text.replace(read, "")}, "the base has it")
    found = _impact(catalog, made)
    assert (_names(found.gone), found.gone.users) == (["Stream.read"], ())


def test_who_uses_something_of_a_file_that_is_gone_is_found(catalog: Catalog, past: Repository) -> None:
    (past.folder / "shop/price.py").unlink()
    past.commit(None, "no prices")
    found = _impact(catalog, past)
    assert _names(found.gone) == ["net", "gross"]
    assert {*_users(found.gone)} == {("Cart.total", "gross", "exact"), ("Cart.total", "net", "exact")}


def test_what_is_renamed_is_gone_under_its_old_name(catalog: Catalog, past: Repository) -> None:
    _changed(past, "shop/price.py", "def gross", "def with_tax")
    assert _users(_impact(catalog, past).gone) == [("Cart.total", "gross", "exact")]


def test_what_moved_with_its_users_breaks_nobody(catalog: Catalog, past: Repository) -> None:
    past.git("mv", "shop/price.py", "shop/prices.py")
    _changed(past, "shop/cart.py", "shop.price ", "shop.prices ")
    found = _impact(catalog, past)
    assert (found.gone.symbols, found.gone.users) == ((), ())


def test_who_imports_a_file_that_moved_from_where_it_was_is_found(catalog: Catalog, past: Repository) -> None:
    past.git("mv", "shop/price.py", "shop/prices.py")
    past.commit(None, "move")
    found = _impact(catalog, past)
    assert (found.gone.symbols, {user for user, *_ in _users(found.gone)}) == ((), {"Cart.total"})


def test_what_moved_and_is_imported_where_it_was_breaks_nobody(catalog: Catalog, past: Repository) -> None:
    past.commit(
        {
            "shop/price.py": "from shop.tax import gross\n\n\ndef net(value):\n    return value\n",
            "shop/tax.py": "def gross(value):\n    return value * 2\n",
        },
        "taxes",
    )
    found = _impact(catalog, past)
    assert (found.gone.symbols, found.gone.users) == ((), ())


def test_a_class_that_is_gone_takes_its_methods_along(catalog: Catalog, past: Repository) -> None:
    past.commit({"shop/cart.py": "class Basket: ...\n"}, "no cart")
    found = _impact(catalog, past)
    assert _names(found.gone) == ["Cart", "Basket.total"]
    assert {("serve", "Cart", "exact"), ("test_it", "Cart", "exact")} <= {*_users(found.gone)}


def test_what_was_there_at_neither_end_is_nothing(catalog: Catalog, past: Repository) -> None:
    _changed(past, "shop/price.py", "def net", "def brief(): ...\n\n\ndef net")
    _changed(past, "shop/price.py", "def brief(): ...\n\n\n", "")
    found = _impact(catalog, past, "HEAD~2..HEAD")
    assert (found.gone.symbols, found.gone.users, found.gone.unknown) == ((), (), ())


def _with_a_past(folder: Path) -> Repository:
    """The shop with a commit that takes something away, of which nothing is indexed yet."""
    made = Repository(folder / "shop")
    made.commit(SHOP, "start")
    _changed(made, "shop/cart.py", "    def weigh(self):\n        return 1\n", "")
    return made


def test_what_the_index_never_had_is_told(catalog: Catalog, tmp_path: Path) -> None:
    made = _with_a_past(tmp_path)
    gone = _impact(catalog, made).gone
    assert (gone.symbols, gone.unknown, gone.before) == ((), ("shop/cart.py",), made.git("rev-parse", "HEAD~"))


def test_what_the_index_never_had_is_read_from_the_repository(catalog: Catalog, tmp_path: Path) -> None:
    indexed = catalog.add(str(_with_a_past(tmp_path).folder)).indexed
    unread = unread_before(indexed, "HEAD")
    known = catalog.symbols_at(indexed, unread.commit, unread.blobs)
    gone = impact(indexed, commits="HEAD", known=known).gone
    assert (_names(gone), gone.unknown) == (["Cart.weigh"], ())
    assert _users(gone) == [("serve", "Cart.weigh", "exact"), ("test_it", "Cart.weigh", "exact")]


def test_of_a_repository_that_is_not_there_any_more_nothing_is_read(catalog: Catalog, tmp_path: Path) -> None:
    made = _with_a_past(tmp_path)
    indexed = catalog.add(str(made.folder)).indexed
    unread = unread_before(indexed, "HEAD")
    made.folder.rename(tmp_path / "elsewhere")
    assert catalog.symbols_at(indexed, unread.commit, unread.blobs) == {}


def test_no_question_waits_for_who_adds_repositories(catalog: Catalog, tmp_path: Path) -> None:
    indexed = catalog.add(str(_with_a_past(tmp_path).folder)).indexed
    unread = unread_before(indexed, "HEAD")
    places = [catalog._jobs.acquire() for _ in range(catalog.limits.jobs)]
    assert catalog.symbols_at(indexed, unread.commit, unread.blobs) == {}
    for _ in places:
        catalog._jobs.release()
    assert catalog.symbols_at(indexed, unread.commit, unread.blobs) != {}


def test_what_was_before_the_first_commit_is_nothing(catalog: Catalog, past: Repository) -> None:
    found = _impact(catalog, past, past.git("rev-parse", "HEAD"))
    assert (found.gone.symbols, found.gone.unknown, found.gone.before) == ((), (), "")


def test_of_a_file_that_cannot_be_read_any_more_nothing_is_said_to_be_gone(catalog: Catalog, past: Repository) -> None:
    past.commit({"shop/price.py": b"\0\1"}, "binary")
    gone = _impact(catalog, past).gone
    assert (gone.symbols, gone.users, gone.unknown) == ((), (), ("shop/price.py",))


def test_a_file_that_is_too_large_is_not_read_and_told(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path, file_bytes=300)
    made = Repository(tmp_path / "shop")
    made.commit({"a.py": "def gone(): ...\n" + "# long\n" * 60}, "start")
    made.commit({"a.py": "def new(): ...\n"}, "new")
    indexed = catalog.add(str(made.folder)).indexed
    unread = unread_before(indexed, "HEAD")
    known = catalog.symbols_at(indexed, unread.commit, unread.blobs)
    assert impact(indexed, commits="HEAD", known=known).gone.unknown == ("a.py",)


FILES: dict[str, tuple[dict[str, str | bytes], str, str]] = {  # files, what goes, what is broken then
    "go": (
        {
            "go.mod": "module example.invalid/a\n\ngo 1.22\n",
            "box/box.go": "package box\n\ntype Box struct{}\n\nfunc (b *Box) Open() int { return 1 }\n",
            "use/use.go": 'package use\n\nimport "example.invalid/a/box"\n\n'
            "func Use(b *box.Box) int { return b.Open() }\n",
        },
        "func (b *Box) Open() int { return 1 }\n",
        "Use",
    ),
    "typescript": (
        {
            "box.ts": "export const one = 1;\nexport function open(): number { return 1; }\n",
            "use.ts": 'import { open } from "./box";\n\nexport function use() { return open(); }\n',
        },
        "export function open(): number { return 1; }\n",
        "use",
    ),
    "java": (
        {
            "a/Box.java": "package a;\n\npublic class Box {\n  public int open() { return 1; }\n}\n",
            "a/Use.java": "package a;\n\nclass Use {\n  int use(Box box) { return box.open(); }\n}\n",
        },
        "  public int open() { return 1; }\n",
        "Use.use",
    ),
    "c": (
        {
            "box.h": "int box_size(void);\nint box_open(int key);\n",
            "box.c": '#include "box.h"\n\nint box_size(void) { return 1; }\nint box_open(int key) { return key; }\n',
            "use.c": '#include "box.h"\n\nint use(void) { return box_open(1); }\n',
        },
        "int box_open(int key) { return key; }\n",
        "use",
    ),
}


@pytest.mark.parametrize("language", FILES)
def test_it_is_so_in_other_languages(catalog: Catalog, tmp_path: Path, language: str) -> None:
    files, old, user = FILES[language]
    made = Repository(tmp_path / language)
    made.commit(files, "start")
    catalog.add(str(made.folder))
    texts = {path: text.replace(old, "") for path, text in files.items() if isinstance(text, str)}
    made.commit({path: text.replace("int box_open(int key);\n", "") for path, text in texts.items()}, "gone")
    assert [name for name, *_ in _users(_impact(catalog, made).gone)] == [user]

"""The import graph around a file, a folder and a repository."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.queries.dependencies import cycles, dependencies
from code_insight.queries.requirements import Requirement
from code_insight.store import IndexedCommit

from tests.server.places import Repository, catalog_at

FILES = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["requests>=2.31", "python-dateutil"]\n',
    "uv.lock": '[[package]]\nname = "requests"\nversion = "2.32.5"\n',
    "shop/__init__.py": "",
    "shop/cart.py": "from shop.money import Money, Coin\nimport requests\n",
    "shop/money.py": "import shop.cart\nfrom dateutil import parser\n",
    "shop/alone.py": "X = 1\n",
    "web/pages.py": "from shop.cart import Cart\nimport requests\nimport flask\n",
    "tests/test_cart.py": "from shop.cart import Cart\n",
}


@pytest.fixture
def indexed(tmp_path: Path) -> IndexedCommit:
    repository = Repository(tmp_path / "shop")
    repository.commit(FILES, "first")
    return catalog_at(tmp_path).add(str(repository.folder)).indexed


def test_a_file_has_what_it_imports_and_who_imports_it_source_first(indexed: IndexedCommit) -> None:
    found = dependencies(indexed, "shop/cart.py")
    assert [(edge.path, edge.names, edge.lines) for edge in found.imports] == [
        ("shop/money.py", ("Money", "Coin"), (1,))
    ]
    assert [edge.path for edge in found.imported_by] == ["shop/money.py", "web/pages.py", "tests/test_cart.py"]


def test_files_that_import_each_other_are_a_cycle(indexed: IndexedCommit) -> None:
    assert dependencies(indexed).cycles == (("shop/cart.py", "shop/money.py"),)
    assert dependencies(indexed, "web").cycles == ()


def test_a_package_from_outside_has_what_its_manifest_asks_for_and_its_lock_has_chosen(indexed: IndexedCommit) -> None:
    found = {package.name: (package.files, package.requirement) for package in dependencies(indexed).packages}
    assert found == {
        "requests": (2, Requirement(">=2.31", "2.32.5", "pyproject.toml")),
        "dateutil": (1, Requirement("", "", "pyproject.toml")),
        "flask": (1, None),
    }


def test_a_folder_speaks_of_other_folders(indexed: IndexedCommit) -> None:
    found = dependencies(indexed, "shop")
    assert found.imports == ()
    assert [(edge.path, edge.count) for edge in found.imported_by] == [("web/", 1), ("tests/", 1)]


def test_the_whole_repository_is_its_folders_among_each_other(indexed: IndexedCommit) -> None:
    assert [edge.path for edge in dependencies(indexed).imports] == ["web/ → shop/", "tests/ → shop/"]


def test_an_unknown_path_names_the_nearest(indexed: IndexedCommit) -> None:
    with pytest.raises(NotFound, match=r"shop/cart\.py"):
        dependencies(indexed, "shop/carts.py")


def test_a_file_apart_has_none(indexed: IndexedCommit) -> None:
    found = dependencies(indexed, "shop/alone.py")
    assert (found.imports, found.imported_by, found.packages, found.unresolved) == ((), (), (), 0)


def _reaches(graph: dict[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    work = list(graph.get(start, []))
    while work:
        node = work.pop()
        if node not in found:
            found.add(node)
            work += graph.get(node, [])
    return found


@pytest.mark.parametrize("seed", range(25))
def test_a_cycle_is_what_reaches_itself_through_each_other(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(14)]
    graph = {name: chance.sample(names, chance.randrange(3)) for name in names}
    reach = {name: _reaches(graph, name) for name in names}
    expected = {tuple(sorted(other for other in names if other in reach[n] and n in reach[other])) for n in names}
    assert set(cycles(graph)) == {group for group in expected if len(group) > 1}


def test_a_chain_of_imports_as_long_as_can_be_is_walked() -> None:
    graph = {str(number): [str(number + 1)] for number in range(50_000)}
    assert cycles(graph | {"50000": ["0"]})[0][0] == "0"

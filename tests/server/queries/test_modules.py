"""Who imports whom, folded."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from code_insight.errors import NotFound
from code_insight.queries.modules import ModuleGraph, file_imports, module_graph
from code_insight.store import IndexedCommit

from tests.server.indexed import index as index_files


def index(folder: Path, files: Mapping[str, str]) -> IndexedCommit:
    return index_files(folder, dict(files))


def imports_of(graph: ModuleGraph) -> set[tuple[str, str]]:
    return {(graph.modules[arrow.source].name, graph.modules[arrow.target].name) for arrow in graph.arrows}


def test_files_of_one_folder_are_modules_and_imports_are_arrows(tmp_path: Path) -> None:
    commit = index(
        tmp_path, {"src/shop/a.py": "from shop import b\n", "src/shop/b.py": "x = 1\n", "src/shop/c.py": "y = 1\n"}
    )
    graph = module_graph(commit)
    assert graph.folder == "src/shop"
    assert imports_of(graph) == {("a.py", "b.py")}
    assert all(module.is_file for module in graph.modules)


def test_tests_and_what_lies_aside_are_no_modules(tmp_path: Path) -> None:
    files = {
        "shop/a.py": "import shop.b\n",
        "shop/b.py": "",
        "tests/test_a.py": "import shop.a\n",
        "docs/d.py": "import shop.a\n",
    }
    commit = index(tmp_path, files)
    assert {module.path for module in module_graph(commit).modules} == {"shop/a.py", "shop/b.py"}
    assert set(file_imports(commit).sources["shop/a.py"]) == {"docs/d.py", "tests/test_a.py"}


def test_a_large_tree_is_folded_into_what_a_reader_takes_in(tmp_path: Path) -> None:
    files = {
        f"p{folder}/m{number}.py": f"import p{(folder + 1) % 10}.m{number}\n"
        for folder in range(10)
        for number in range(10)
    }
    graph = module_graph(index(tmp_path, files))
    assert 5 <= len(graph.modules) <= 26
    assert sum(module.files for module in graph.modules) == 100
    assert {module.files for module in graph.modules if not module.is_file} == {10}


def test_a_folder_of_many_files_keeps_those_that_import_most(tmp_path: Path) -> None:
    files = {f"m{number}.py": "import m0\n" for number in range(1, 100)} | {"m0.py": ""}
    graph = module_graph(index(tmp_path, files))
    assert "m0.py" in {module.name for module in graph.modules}
    assert len(graph.modules) + graph.folded == 100


def test_circles_are_named_and_their_modules_marked(tmp_path: Path) -> None:
    files = {"p/a.py": "import p.b\n", "p/b.py": "import p.a\n", "p/c.py": "import p.a\n"}
    graph = module_graph(index(tmp_path, files))
    assert graph.circles == (("p/a.py", "p/b.py"),)
    assert {module.name for module in graph.modules if module.in_circle} == {"a.py", "b.py"}


def test_a_folder_has_a_graph_of_its_own(tmp_path: Path) -> None:
    files = {"p/q/a.py": "import p.q.b\nimport p.c\n", "p/q/b.py": "", "p/c.py": ""}
    graph = module_graph(index(tmp_path, files), "p/q")
    assert imports_of(graph) == {("a.py", "b.py")}


def test_what_imports_nothing_is_an_empty_graph_and_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    commit = index(tmp_path, {"a.py": "x = 1\n", "docs/b.md": "# b\n"})
    assert module_graph(commit).modules == ()
    assert module_graph(commit, "docs").modules == ()
    with pytest.raises(NotFound, match="nearest: docs"):
        module_graph(commit, "doc")

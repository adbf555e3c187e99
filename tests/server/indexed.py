"""Repositories that many tests ask: made, and indexed, once in a session."""

import functools
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

from code_insight.catalog import Catalog
from code_insight.store import IndexedCommit

from tests.server.places import Repository, catalog_at

SAMPLES = Path(__file__).parent.parent / "samples"
_PACKAGES = ("starlette", "click", "markdown_it", "uvicorn")


@functools.cache
def shelf(base: Path) -> Catalog:
    """A catalog of code that other people wrote and that the locked environment always has: one repository for each
    package, and one, `samples`, of the small tree in every language."""
    folder = base / "shelf"
    for name in _PACKAGES:
        _add(folder, name, _folder_of(name), name)
    _add(folder, "samples", SAMPLES, "")
    catalog = catalog_at(folder, workers=2)
    for name in (*_PACKAGES, "samples"):
        catalog.add(str(folder / name))
    return catalog


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _add(folder: Path, name: str, source: Path, into: str) -> Repository:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "*.so")
    made = Repository(folder / name)
    shutil.copytree(source, made.folder / into, ignore=ignored, dirs_exist_ok=True)
    made.commit(message=f"{name} as installed")
    return made


def starlette_with_a_past(folder: Path) -> None:
    """Starlette as installed, in a repository of four commits by two people."""
    made = _add(folder.parent, folder.name, _folder_of("starlette"), "starlette")
    for who, name in (("Ada", "routing"), ("Grace", "applications"), ("Ada", "routing")):
        file = folder / "starlette" / f"{name}.py"
        file.write_bytes(file.read_bytes() + b"# more\n")
        made.git("commit", "-qam", f"{name}: <b>more</b> & more", "--author", f"{who} <{who}@example.invalid>")


Indexing = Callable[[dict[str, str | bytes]], IndexedCommit]


def index(folder: Path, files: dict[str, str | bytes]) -> IndexedCommit:
    """These files, committed to a repository of that folder's name, and indexed."""
    repository = Repository(folder / "project")
    repository.commit(files)
    return catalog_at(folder).add(str(repository.folder)).indexed

"""Places: a small repository, its catalog, and a git host on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from code_insight.catalog import Catalog
from code_insight.clone_url import ClonePolicy

from tests.server.git_server import GitHost, running
from tests.server.places import Repository, catalog_at


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository in the folder `flask` with one commit: a text, a program, and a test of it."""
    made = Repository(tmp_path / "flask")
    made.commit(
        {
            "README.md": "# Flask\n",
            "src/app.py": 'class Flask:\n    """The application."""\n\n    def route(self):\n        return helper()\n',
            "tests/test_app.py": "def test_route():\n    Flask().route()\n",
        },
        "first",
    )
    return made


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog that may index what is below the test's folder."""
    return catalog_at(tmp_path)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A git host on loopback; `git.example.invalid`, which nobody can resolve, is also its name."""
    with running(tmp_path_factory.mktemp("host"), "git.example.invalid") as made:
        yield made


@pytest.fixture
def hosted(host: GitHost, tmp_path: Path) -> Repository:
    """A repository at the git host, with one text; its path there is the name of its folder."""
    made = Repository(host.root / tmp_path.name)
    made.commit({"README.txt": "hello\n"}, "first")
    return made


@pytest.fixture
def cloning(host: GitHost, tmp_path: Path) -> Catalog:
    """An empty catalog that may clone from the git host."""
    policy = ClonePolicy((host.authority,), private_addresses=True)
    return catalog_at(tmp_path, clone=policy, ca_file=str(host.ca_file))

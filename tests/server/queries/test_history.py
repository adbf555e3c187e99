"""Which commits shaped something, who knows it, what changes with it."""

import subprocess
from pathlib import Path

import pytest
from code_insight.ancestry import HistoryLimits
from code_insight.catalog import Catalog
from code_insight.errors import NotFound
from code_insight.git.past import SWEEPING_FILES
from code_insight.model import HistoryEnd
from code_insight.queries.history import History, history

from tests.places import GIT_ENVIRONMENT
from tests.server.places import Repository, catalog_at

YEAR = 365 * 86_400


class Past:
    """A repository in which people commit at times of their own, counted in years after 2000."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder)

    def commit(self, who: str, year: float, subject: str, **files: str) -> None:
        self.repository.write({path.replace("_", "."): text for path, text in files.items()})
        self.repository.git("add", "--all")
        author = f"{who} <{who.lower()}@example.org>"
        date = f"@{946684800 + int(year * YEAR)} +0000"
        self.repository.git("commit", "-q", "--allow-empty", "-m", subject, f"--author={author}", f"--date={date}")


CART = "def fill():\n    return 1\n\n\ndef empty():\n    return 0\n"


@pytest.fixture
def past(tmp_path: Path) -> Past:
    made = Past(tmp_path / "shop")
    made.commit("Ada", 1, "start", cart_py=CART, test_py="1\n", readme_md="shop\n")
    made.commit("Ada", 2, "fill more", cart_py=CART.replace("return 1", "return 2"), test_py="2\n")
    made.commit("Bob", 10, "empty less", cart_py=CART.replace("1", "2").replace("0", "9"), test_py="3\n")
    made.commit("Bob", 11, "docs", readme_md="shop!\n")
    return made


def _history(catalog: Catalog, past: Past, path: str = "", symbol: str = "") -> History:
    return history(catalog.add(str(past.repository.folder)).indexed, path, symbol)


def _subjects(found: History) -> list[str]:
    return [touch.commit.subject for touch in found.touches]


def test_a_file_has_the_commits_that_changed_it(catalog: Catalog, past: Past) -> None:
    found = _history(catalog, past, "cart.py")
    assert _subjects(found) == ["empty less", "fill more", "start"]
    assert [(touch.added, touch.removed) for touch in found.touches] == [(1, 1), (1, 1), (6, 0)]
    assert [(year.year, year.commits) for year in found.years] == [(2009, 1), (2001, 1), (2000, 1)]
    assert (found.end, found.commits, found.oldest and found.oldest.subject) == (HistoryEnd.ROOT, 4, "start")
    assert not found.is_edge


def test_a_symbol_has_the_commits_that_changed_its_lines(catalog: Catalog, past: Past) -> None:
    assert _subjects(_history(catalog, past, symbol="fill")) == ["fill more", "start"]
    assert _subjects(_history(catalog, past, symbol="empty")) == ["empty less", "start"]


def test_a_symbol_is_followed_through_a_rename_of_its_file(catalog: Catalog, past: Past) -> None:
    past.repository.git("mv", "cart.py", "basket.py")
    past.commit("Bob", 12, "rename")
    found = _history(catalog, past, symbol="fill")
    assert _subjects(found) == ["fill more", "start"]
    assert found.earlier_paths == ("cart.py",)
    assert not found.is_edge
    assert _subjects(_history(catalog, past, "basket.py")) == ["rename", "empty less", "fill more", "start"]


def test_a_new_symbol_has_one_commit(catalog: Catalog, past: Past) -> None:
    past.commit("Bob", 12, "weigh", cart_py=CART + "\n\ndef weigh():\n    return 5\n")
    found = _history(catalog, past, symbol="weigh")
    assert (_subjects(found), found.is_edge) == (["weigh"], False)


def test_who_changed_it_last_knows_it_best(catalog: Catalog, past: Past) -> None:
    authors = _history(catalog, past, "cart.py").authors
    assert [(author.name, author.commits) for author in authors] == [("Bob", 1), ("Ada", 2)]
    assert authors[0].share > 0.9
    assert sum(author.share for author in authors) == pytest.approx(1)


def test_one_who_writes_from_two_addresses_is_one(catalog: Catalog, tmp_path: Path) -> None:
    made = Past(tmp_path / "people")
    for who in ("Ada <ada@home>", "Ada <ada@work>", "A. Lovelace <ADA@work>"):
        made.repository.write({"a.txt": who})
        made.repository.git("add", "--all")
        made.repository.git("commit", "-q", "-m", who, f"--author={who}")
    authors = history(catalog.add(str(made.repository.folder)).indexed, "a.txt").authors
    assert sorted((author.name, author.commits) for author in authors) == [("A. Lovelace", 3)]


def test_what_changes_together_is_found_with_support_and_confidence(catalog: Catalog, past: Past) -> None:
    (together,) = _history(catalog, past, "cart.py").together
    assert (together.path, together.support, together.confidence) == ("test.py", 3, 1.0)


def test_what_changed_together_under_another_name_counts_too(catalog: Catalog, past: Past) -> None:
    past.repository.git("mv", "test.py", "tests.py")
    past.commit("Bob", 12, "rename")
    assert [one.path for one in _history(catalog, past, "cart.py").together] == ["tests.py"]


def test_a_folder_has_the_commits_of_all_that_is_in_it(catalog: Catalog, past: Past) -> None:
    found = _history(catalog, past)
    assert _subjects(found) == ["docs", "empty less", "fill more", "start"]
    assert [(one.path, one.support) for one in found.together] == [("cart.py", 3), ("test.py", 3), ("readme.md", 2)]


def test_what_is_gone_still_has_a_history(catalog: Catalog, past: Past) -> None:
    (past.repository.folder / "test.py").unlink()
    past.repository.git("mv", "cart.py", "basket.py")
    past.commit("Bob", 12, "gone")
    gone, moved = _history(catalog, past, "test.py"), _history(catalog, past, "cart.py")
    assert (gone.is_gone, gone.moved_to, _subjects(gone)[0]) == (True, "", "gone")
    assert (moved.is_gone, moved.moved_to, _subjects(moved)[0]) == (True, "basket.py", "empty less")


def test_what_never_was_is_not_found(catalog: Catalog, past: Past) -> None:
    with pytest.raises(NotFound, match=r"no file or folder 'carts\.py'.*nearest: cart\.py"):
        _history(catalog, past, "carts.py")
    with pytest.raises(NotFound, match="No symbol 'refill'"):
        _history(catalog, past, symbol="refill")


def test_a_commit_of_very_many_files_ends_what_is_known_of_lines(catalog: Catalog, past: Past) -> None:
    many = {f"n{number}_txt": f"{number}\n" for number in range(SWEEPING_FILES)}
    past.commit("Bob", 12, "sweep", cart_py="# new\n" + CART, **many)
    found = _history(catalog, past, symbol="fill")
    assert found.lost_at
    assert found.lost_at.subject == "sweep"
    assert [(touch.commit.subject, touch.added) for touch in found.touches] == [("sweep", None)]
    assert _subjects(_history(catalog, past, "cart.py"))[0] == "sweep"


def test_of_a_shallow_clone_it_is_said_how_far_it_is_seen(catalog: Catalog, tmp_path: Path, past: Past) -> None:
    source = f"file://{past.repository.folder}"
    command = ["git", "clone", "-q", "--depth=3", source, str(tmp_path / "shallow")]
    subprocess.run(command, check=True, env=GIT_ENVIRONMENT, timeout=60)
    indexed = catalog.add(str(tmp_path / "shallow")).indexed
    found = history(indexed, symbol="fill")
    assert (_subjects(found), found.is_edge, found.end) == ([], True, HistoryEnd.SHALLOW)
    found = history(indexed, "cart.py")
    assert (_subjects(found), found.is_edge, found.commits) == (["empty less"], True, 2)


def test_before_any_history_was_read_there_is_an_answer(tmp_path: Path, past: Past) -> None:
    command = ["git", "clone", "-q", "--depth=1", f"file://{past.repository.folder}", str(tmp_path / "one")]
    subprocess.run(command, check=True, env=GIT_ENVIRONMENT, timeout=60)
    indexed = catalog_at(tmp_path, history=HistoryLimits(step_commits=1)).add(str(tmp_path / "one")).indexed
    for path, symbol in (("", ""), ("cart.py", ""), ("", "fill")):
        found = history(indexed, path, symbol)
        assert (found.touches, found.commits, found.oldest, found.authors) == ((), 0, None, ())


def test_odd_files_have_a_history_too(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "odd")
    made.write({"data.bin": b"a\0b", "run.sh": "echo\n"})
    made.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    made.git("add", "data.bin", "run.sh")
    made.git("commit", "-q", "-m", "one")
    made.git("update-index", "--chmod=+x", "run.sh")
    made.git("update-index", "--cacheinfo", f"160000,{'2' * 40},module")
    made.write({"data.bin": b"a\0c"})
    made.git("add", "data.bin")
    made.git("commit", "-q", "-m", "two")
    indexed = catalog.add(str(made.folder)).indexed
    found = {path: history(indexed, path).touches for path in ("data.bin", "module", "run.sh")}
    assert {path: [(t.commit.subject, t.added) for t in touches] for path, touches in found.items()} == {
        "data.bin": [("two", None), ("one", None)],
        "module": [("two", None), ("one", None)],
        "run.sh": [("two", 0), ("one", 1)],
    }

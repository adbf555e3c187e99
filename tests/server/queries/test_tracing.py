"""Lines followed back through the hunks of changes."""

import random
import subprocess
from pathlib import Path

import pytest
from code_insight.catalog import Catalog
from code_insight.model import Hunk
from code_insight.queries.tracing import Step, step_back, trace
from code_insight.store import IndexedCommit, Reader, short

from tests.places import GIT_ENVIRONMENT
from tests.server.places import Repository


@pytest.mark.parametrize(
    ("hunks", "before"),
    [
        ((), Step(10, 20, 0, 0)),
        ((Hunk(3, 1, 3, 4),), Step(7, 17, 0, 0)),
        ((Hunk(30, 1, 30, 4),), Step(10, 20, 0, 0)),
        ((Hunk(9, 1, 8, 0),), Step(11, 21, 0, 0)),
        ((Hunk(10, 1, 9, 0),), Step(11, 21, 0, 0)),
        ((Hunk(15, 2, 15, 2),), Step(10, 20, 2, 2)),
        ((Hunk(14, 0, 15, 3),), Step(10, 17, 3, 0)),
        ((Hunk(15, 3, 14, 0),), Step(10, 23, 0, 3)),
        ((Hunk(8, 4, 8, 4),), Step(10, 20, 2, 2)),
        ((Hunk(18, 6, 18, 6),), Step(10, 20, 3, 3)),
        ((Hunk(9, 0, 10, 11),), Step(10, 9, 11, 0)),
        ((Hunk(0, 0, 1, 40),), Step(1, 0, 11, 0)),
        ((Hunk(5, 30, 5, 30),), Step(10, 20, 11, 11)),
        ((Hunk(1, 1, 1, 3), Hunk(12, 1, 14, 2), Hunk(40, 1, 43, 1)), Step(8, 17, 2, 1)),
    ],
)
def test_lines_10_to_20_are_where_they_were(hunks: tuple[Hunk, ...], before: Step) -> None:
    assert step_back(hunks, 10, 20) == before


def _shaped(indexed: IndexedCommit, path: str, first: int, last: int) -> list[str]:
    """The commits that shaped these lines, the newest first."""
    with Reader(indexed) as reader:
        file = reader.file(path)
        assert file
        past = reader.past()
        entries = past.entries(trace(past, path, short(file.oid), first, last).lines)
        return [entry.oid for _, entry in sorted(entries.items())]


def _as_git_says(repository: Repository, path: str, first: int, last: int) -> list[str]:
    command = ["git", "log", "--format=%H", "-s", "--topo-order", f"-L{first},{last}:{path}"]
    ran = subprocess.run(command, cwd=repository.folder, env=GIT_ENVIRONMENT, capture_output=True, check=True)
    return ran.stdout.decode().split()


@pytest.mark.parametrize("seed", range(2))
def test_lines_are_followed_as_git_follows_them(catalog: Catalog, tmp_path: Path, seed: int) -> None:
    """Random edits of single lines, and insertions and deletions elsewhere, with renames and merges in between."""
    chance = random.Random(seed)
    made = Repository(tmp_path / "project")
    lines = [f"line {number}\n" for number in range(100)]
    path = "a.txt"
    made.commit({path: "".join(lines)}, "first")
    for number in range(20):
        if number % 10 == 9:
            made.git("mv", path, f"a{number}.txt")
            path = f"a{number}.txt"
        at = chance.randrange(len(lines))
        match chance.randrange(3):
            case 0:
                lines[at] = f"changed in {number}\n"
            case 1:
                lines[at:at] = [f"new in {number}, {more}\n" for more in range(3)]
            case 2:
                del lines[at]
        made.commit({path: "".join(lines)}, str(number))
    indexed = catalog.add(str(made.folder)).indexed
    for first in range(1, len(lines) - 10, 18):
        ours, theirs = _shaped(indexed, path, first, first + 8), _as_git_says(made, path, first, first + 8)
        assert ours == theirs, (first, path)


def test_a_branch_and_its_merge_are_followed_to_where_the_lines_come_from(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "project")
    lines = [f"line {number}\n" for number in range(30)]
    first = made.commit({"a.txt": "".join(lines)})
    made.git("checkout", "-q", "-b", "side")
    lines[24] = "theirs\n"
    theirs = made.commit({"a.txt": "".join(lines)})
    made.git("checkout", "-q", "main")
    ours_lines = ["ours\n", *(f"line {number}\n" for number in range(30))]
    ours = made.commit({"a.txt": "".join(ours_lines)})
    made.git("merge", "-q", "--no-edit", "side")
    indexed = catalog.add(str(made.folder)).indexed
    assert _shaped(indexed, "a.txt", 1, 1) == [ours]
    assert _shaped(indexed, "a.txt", 26, 26) == [theirs, first]
    assert _shaped(indexed, "a.txt", 15, 16) == [first]


def test_a_revert_leads_back_through_what_it_reverts(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "project")
    commits = [made.commit({"a.txt": text}) for text in ("a\nb\n", "a\nB\n", "a\nb\n")]
    indexed = catalog.add(str(made.folder)).indexed
    assert _shaped(indexed, "a.txt", 2, 2) == commits[::-1]
    assert _shaped(indexed, "a.txt", 1, 1) == commits[:1]

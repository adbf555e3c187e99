"""How the history of a commit comes into its index: step by step, once, and no further than it can be known."""

import subprocess
from pathlib import Path

import pytest
from code_insight.ancestry import HistoryLimits
from code_insight.catalog import Catalog
from code_insight.errors import Cancelled
from code_insight.git import Call
from code_insight.model import HistoryEnd
from code_insight.store import IndexedCommit, PastChange, Reader

from tests.places import GIT_ENVIRONMENT
from tests.server.git_server import GitHost
from tests.server.places import Repository, catalog_at


def _subjects(indexed: IndexedCommit) -> list[str]:
    """Those of the commits of its history, the newest first."""
    with Reader(indexed) as reader:
        return [entry.subject for entry in reader.past().all_entries()]


def _changes(indexed: IndexedCommit, path: str) -> list[PastChange]:
    with Reader(indexed) as reader:
        return reader.past().changes_at(path)


@pytest.fixture
def long(tmp_path: Path) -> Repository:
    """A repository of 12 commits, "0" to "11", that change one file."""
    made = Repository(tmp_path / "long")
    for number in range(12):
        made.commit({"a.txt": f"{number}\n"}, str(number))
    return made


ALL = [str(number) for number in reversed(range(12))]


def test_the_history_of_a_small_repository_is_known_at_once(catalog: Catalog, long: Repository) -> None:
    added = catalog.add(str(long.folder))
    assert added.history is HistoryEnd.ROOT
    assert _subjects(added.indexed) == ALL
    assert [(c.age, c.added, c.removed) for c in _changes(added.indexed, "a.txt")][-2:] == [(10, 1, 1), (11, 1, 0)]


def test_a_long_history_comes_step_by_step(tmp_path: Path, long: Repository) -> None:
    catalog = catalog_at(tmp_path, history=HistoryLimits(step_commits=5))
    added = catalog.add(str(long.folder))
    assert (added.history, _subjects(added.indexed)) == (HistoryEnd.PENDING, ALL[:5])
    steps = [(end, len(_subjects(added.indexed))) for end in catalog.deepen(added.indexed)]
    assert steps == [(HistoryEnd.PENDING, 10), (HistoryEnd.ROOT, 12)]
    assert _subjects(added.indexed) == ALL
    assert [*catalog.deepen(added.indexed)] == [HistoryEnd.ROOT]


def test_a_history_has_a_bound_which_can_be_raised(tmp_path: Path, long: Repository) -> None:
    for most, end in ((5, HistoryEnd.BOUND), (9, HistoryEnd.BOUND), (100, HistoryEnd.ROOT)):
        added = catalog_at(tmp_path, history=HistoryLimits(commits=most)).add(str(long.folder))
        assert (added.history, _subjects(added.indexed)) == (end, ALL[:most])


def test_a_new_commit_costs_only_what_is_new(
    catalog: Catalog, long: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.add(str(long.folder))
    long.commit({"a.txt": "12\n"}, "12")
    asked: list[str] = []
    from code_insight import git

    real = git.changes

    def changes(git_dir, commits, limits, call):  # type: ignore[no-untyped-def]
        asked.extend(commit.subject for commit in commits)
        return real(git_dir, commits, limits, call)

    monkeypatch.setattr(git, "changes", changes)
    added = catalog.add(str(long.folder))
    assert asked == ["12"]
    assert _subjects(added.indexed) == ["12", *ALL]


def test_each_indexed_commit_has_its_own_history(catalog: Catalog, long: Repository) -> None:
    long.git("checkout", "-q", "-b", "side", "HEAD~3")
    long.commit({"b.txt": "b\n"}, "side")
    main, side = catalog.add(str(long.folder), "main").indexed, catalog.add(str(long.folder), "side").indexed
    assert _subjects(main) == ALL
    assert _subjects(side) == ["side", *ALL[3:]]
    assert _changes(main, "b.txt") == []
    assert [change.age for change in _changes(side, "a.txt")] == list(range(1, 10))


def test_a_merge_joins_two_histories(catalog: Catalog, long: Repository) -> None:
    long.git("checkout", "-q", "-b", "side", "HEAD~3")
    long.commit({"b.txt": "b\n"}, "side")
    long.git("checkout", "-q", "main")
    long.git("merge", "-q", "-m", "merge", "side")
    indexed = catalog.add(str(long.folder)).indexed
    assert sorted(_subjects(indexed)) == sorted(["merge", "side", *ALL])
    assert _subjects(indexed)[0] == "merge"
    assert len(_changes(indexed, "b.txt")) == 1


def test_what_no_commit_has_in_its_history_any_more_is_forgotten(tmp_path: Path, long: Repository) -> None:
    catalog = catalog_at(tmp_path, commits=1)
    long.git("checkout", "-q", "-b", "side", "HEAD~3")
    long.commit({"b.txt": "b\n"}, "side")
    catalog.add(str(long.folder), "side")
    main = catalog.add(str(long.folder), "main").indexed
    with Reader(main) as reader:
        assert reader._db.execute("SELECT COUNT(*) FROM past WHERE subject = 'side'").fetchone() == (0,)
        assert reader._db.execute("SELECT COUNT(*) FROM change").fetchone() == (12,)


def test_history_survives_a_force_push(catalog: Catalog, long: Repository) -> None:
    catalog.add(str(long.folder))
    long.git("reset", "-q", "--hard", "HEAD~4")
    long.commit({"a.txt": "other\n"}, "other")
    assert _subjects(catalog.add(str(long.folder)).indexed) == ["other", *ALL[4:]]


def test_a_shallow_clone_is_known_as_far_as_it_goes(catalog: Catalog, tmp_path: Path, long: Repository) -> None:
    _clone(long.folder, tmp_path / "shallow", "--depth=4")
    added = catalog.add(str(tmp_path / "shallow"))
    assert (added.history, _subjects(added.indexed)) == (HistoryEnd.SHALLOW, ALL[:3])
    assert [*catalog.deepen(added.indexed)] == [HistoryEnd.SHALLOW], "somebody else's clone is not deepened"


def _clone(source: Path, target: Path, *options: str) -> None:
    command = ["git", "clone", "-q", *options, f"file://{source}", str(target)]
    subprocess.run(command, check=True, env=GIT_ENVIRONMENT, timeout=60)


def test_a_commit_whose_objects_are_lost_is_known_without_its_changes(catalog: Catalog, long: Repository) -> None:
    oid = long.git("rev-parse", "HEAD~5:a.txt")
    (long.git_dir / "objects" / oid[:2] / oid[2:]).unlink()
    added = catalog.add(str(long.folder))
    assert _subjects(added.indexed) == ALL
    assert [change.age for change in _changes(added.indexed, "a.txt")] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_times_that_lie_do_not_hide_a_commit(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "liar")
    parent = ""
    for time in (4102444800, 5, 253402300799, 0, 1767225600):
        tree = made.git("mktree", stdin=f"100644 blob {made.blob(str(time).encode())}\ta.txt\n".encode())
        who = f"a <a> {time} +0000"
        oid = made.commit_object(f"tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{time}\n".encode())
        parent = f"parent {oid}\n"
    added = catalog.add(str(made.folder))
    assert _subjects(added.indexed) == ["1767225600", "0", "253402300799", "5", "4102444800"]


def test_reading_a_history_can_be_cancelled_and_goes_on_later(tmp_path: Path, long: Repository) -> None:
    catalog = catalog_at(tmp_path, history=HistoryLimits(step_commits=2))
    indexed = catalog.add(str(long.folder)).indexed
    with pytest.raises(Cancelled):
        next(catalog.deepen(indexed, Call(cancelled=lambda: True)))
    assert _subjects(indexed) == ALL[:2]
    assert [*catalog.deepen(indexed)][-1] is HistoryEnd.ROOT


# A host.


@pytest.fixture
def hosted_long(host: GitHost, tmp_path: Path) -> Repository:
    """A repository of 30 commits at the git host."""
    made = Repository(host.root / f"{tmp_path.name}-long")
    for number in range(30):
        made.commit({"a.txt": f"{number}\n"}, str(number))
    return made


def test_a_clone_is_shallow_at_first_and_then_deepened(
    cloning: Catalog, host: GitHost, hosted_long: Repository
) -> None:
    added = cloning.add(host.url(hosted_long.folder.name))
    assert (added.history, _subjects(added.indexed)) == (HistoryEnd.SHALLOW, [])
    steps = [len(_subjects(added.indexed)) for _ in cloning.deepen(added.indexed)]
    assert steps == [0, 19, 30]
    objects = added.indexed.index.parent / "objects.git"
    assert len(list(objects.glob("objects/pack/*.pack"))) == 1
    assert (objects / "shallow").read_text().split() == [added.indexed.commit.oid], "what was read is not kept"


def test_what_is_new_at_a_host_is_joined_to_what_is_known(
    cloning: Catalog, host: GitHost, hosted_long: Repository
) -> None:
    url = host.url(hosted_long.folder.name)
    for _ in cloning.deepen(cloning.add(url).indexed):
        pass
    for number in (30, 31, 32):
        hosted_long.commit({"a.txt": f"{number}\n"}, str(number))
    added = cloning.add(url)
    assert added.history is HistoryEnd.SHALLOW
    assert [*cloning.deepen(added.indexed)] == [HistoryEnd.SHALLOW, HistoryEnd.ROOT]
    assert _subjects(added.indexed) == [str(number) for number in reversed(range(33))]


def test_a_change_at_a_host_is_packed_with_the_rest_only_after_some(
    cloning: Catalog, host: GitHost, hosted_long: Repository
) -> None:
    url, packs = host.url(hosted_long.folder.name), []
    for number in range(30, 42):
        indexed = cloning.add(url).indexed
        assert [*cloning.deepen(indexed)][-1] is HistoryEnd.ROOT
        packs.append(len(list(indexed.index.parent.glob("objects.git/objects/pack/*.pack"))))
        hosted_long.commit({"a.txt": f"{number}\n"}, str(number))
    assert packs == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4]
    assert _subjects(indexed) == [str(number) for number in reversed(range(41))]


def test_a_server_deepens_in_the_background(cloning: Catalog, host: GitHost, hosted_long: Repository) -> None:
    added = cloning.add(host.url(hosted_long.folder.name))
    cloning.deepen_later(added)
    cloning.wait(20)
    assert len(_subjects(added.indexed)) == 30


def test_a_history_that_is_known_is_not_deepened_after_a_change(catalog: Catalog, repository: Repository) -> None:
    catalog.add(str(repository.folder))
    repository.commit({"more.txt": "more\n"})
    added = catalog.add(str(repository.folder))
    assert added.history is HistoryEnd.ROOT
    before = added.indexed.index.with_name("index.db.seal").stat()
    catalog.deepen_later(added)
    catalog.wait(20)
    assert added.indexed.index.with_name("index.db.seal").stat() == before, "nobody has written"


def test_objects_do_not_grow_by_a_pack_for_each_fetch(cloning: Catalog, host: GitHost, hosted: Repository) -> None:
    for number in range(12):
        hosted.commit({"a.txt": f"{number}\n"}, str(number))
        indexed = cloning.add(host.url(hosted.folder.name)).indexed
    assert len(list(indexed.index.parent.glob("objects.git/objects/pack/*.pack"))) <= 9

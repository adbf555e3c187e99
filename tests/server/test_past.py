"""What happened before a commit, read from objects: who, when, which lines."""

import random
from pathlib import Path

import pytest
from code_insight import git
from code_insight.git import Call, GitLimits
from code_insight.git.past import SWEEPING_FILES
from code_insight.model import Change, Hunk, PastCommit

from tests.server.places import Repository

LIMITS = GitLimits(seconds=20)


def _commits(repository: Repository) -> list[PastCommit]:
    """All commits of main, the newest first."""
    with git.commit_reader(repository.git_dir, LIMITS, Call()) as read:
        found = [read(oid) for oid in repository.git("rev-list", "--topo-order", "main").splitlines()]
    return [commit for commit in found if commit]


def _changes(repository: Repository) -> list[list[Change]]:
    return git.changes(repository.git_dir, _commits(repository), LIMITS, Call())


def _newest(repository: Repository) -> dict[str, Change]:
    """What the newest commit changed, by path."""
    return {change.path: change for change in _changes(repository)[0]}


@pytest.fixture
def empty(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


def test_a_commit_says_who_wrote_it_and_what_stands_before_it(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("commit", "-q", "--allow-empty", "-m", "Sub ject\n\nbody", "--author", "Ä Ö <Å@Example.org>")
    newest = _commits(repository)[0]
    assert newest[1:] == ((first,), "Ä Ö", "å@example.org", 1767225600, 1767225600, "Sub ject")


@pytest.mark.parametrize(
    ("author", "name", "email", "authored"),
    [
        (b"a <a@b> -2208988800 +0000", "a", "a@b", 0),
        (b"a <a@b> 4102444800 +0000", "a", "a@b", 4102444800),
        (b"a <a@b> 99999999999999999999 +0000", "a", "a@b", 253_402_300_799),
        (b"J\xf6rg <J@B> 5 +0000", "Jörg", "j@b", 5),
        ("Jörg <j> 5 +0000".encode(), "Jörg", "j", 5),
        (b"<> 5 +0000", "", "", 5),
        (b"nobody", "nobody", "", 0),
        (b"a <b <c>> 5 +0000", "a", "b <c", 0),
        (b"", "", "", 0),
        (b"x" * 500 + b" <" + b"y" * 500 + b"> 5 +0000", "x" * 100, "y" * 100, 5),
    ],
)
def test_an_author_may_be_anything(empty: Repository, author: bytes, name: str, email: str, authored: int) -> None:
    tree = empty.git("mktree")
    empty.commit_object(f"tree {tree}\nauthor ".encode() + author + b"\ncommitter c <c> 7 +0000\n\nx\n")
    commit = _commits(empty)[0]
    assert (commit.author, commit.email, commit.authored, commit.time) == (name, email, authored, 7)


def test_a_message_of_any_size_is_read_past(empty: Repository) -> None:
    tree = empty.git("mktree")
    oid = empty.commit_object(f"tree {tree}\nauthor a <a> 1 +0\ncommitter a <a> 1 +0\n\n".encode() + b"x" * 3_000_000)
    with git.commit_reader(empty.git_dir, LIMITS, Call()) as read:
        found = [read(oid), read(oid), read("1" * 40), read(tree)]
    assert [commit.subject if commit else None for commit in found] == ["x" * 200, "x" * 200, None, None]


def test_the_first_commit_adds_all_its_files(repository: Repository) -> None:
    found = _newest(repository)
    assert {path: (change.source, change.old, change.hunks) for path, change in found.items()} == {
        "README.md": ("", "", (Hunk(0, 0, 1, 1),)),
        "src/app.py": ("", "", (Hunk(0, 0, 1, 5),)),
        "tests/test_app.py": ("", "", (Hunk(0, 0, 1, 2),)),
    }


def test_a_change_knows_its_lines_and_blobs(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD:src/app.py")
    repository.commit(
        {"src/app.py": 'class Flask:\n    """The app."""\n\n    def route(self):\n        x()\n        y()\n'}
    )
    change = _newest(repository)["src/app.py"]
    assert (change.source, change.old, change.new) == (
        "src/app.py",
        before,
        repository.git("rev-parse", "HEAD:src/app.py"),
    )
    assert change.hunks == (Hunk(2, 1, 2, 1), Hunk(5, 1, 5, 2))


def test_a_renamed_file_knows_what_it_was(repository: Repository) -> None:
    repository.git("mv", "src/app.py", "src/ap\tplication.py")
    with (repository.folder / "src/ap\tplication.py").open("a") as file:
        file.write("more\n")
    repository.commit()
    assert [(c.path, c.source, c.hunks) for c in _changes(repository)[0]] == [
        ("src/ap\tplication.py", "src/app.py", (Hunk(5, 0, 6, 1),))
    ]


def test_what_has_no_lines_says_so(repository: Repository) -> None:
    repository.write({"data": b"a\0b", "large.txt": "x\n" * 600_000})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    repository.git("update-index", "--chmod=+x", "src/app.py")
    (repository.folder / "README.md").unlink()
    (repository.folder / "README.md").symlink_to("src/app.py")
    repository.git("add", "data", "large.txt", "README.md")
    repository.git("commit", "-q", "-m", "odd")
    hunks = {path: change.hunks for path, change in _newest(repository).items()}
    assert hunks == {"README.md": None, "data": None, "large.txt": None, "module": None, "src/app.py": ()}


def test_text_that_looks_like_a_patch_is_text(repository: Repository) -> None:
    text = f"diff --git a/x b/x\n@@ -1 +1 @@\n{'1' * 40}\nBinary files a and b differ\n"
    repository.commit({"README.md": text, "z.md": text.replace("\n", "\r\n")})
    assert {path: change.hunks for path, change in _newest(repository).items()} == {
        "README.md": (Hunk(1, 1, 1, 4),),
        "z.md": (Hunk(0, 0, 1, 4),),
    }


def test_names_that_are_not_utf_8_are_written_out(empty: Repository) -> None:
    entries = [("100644", empty.blob(b"x\n"), name) for name in (b"a\nb", b"strange\xff.py")]
    empty.commit_tree(*entries)
    assert list(_newest(empty)) == ["a\nb", "strange\ufffdff.py"]


def test_of_a_commit_that_changes_very_much_the_files_are_known(empty: Repository) -> None:
    blob = empty.blob(b"x\n")
    empty.commit_tree(*(("100644", blob, f"{number:05}".encode()) for number in range(SWEEPING_FILES + 1)))
    (changes,) = _changes(empty)
    assert len(changes) == SWEEPING_FILES + 1
    assert {change.hunks for change in changes} == {None}


def test_grafts_and_replacements_are_no_history(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit({"README.md": "new\n"})
    stranger = repository.git("commit-tree", "-m", "stranger", "HEAD^{tree}")
    repository.git("replace", second, stranger)
    (repository.git_dir / "info").mkdir(exist_ok=True)
    (repository.git_dir / "info/grafts").write_text(f"{second} {stranger}\n")
    with git.commit_reader(repository.git_dir, LIMITS, Call()) as read:
        commit = read(second)
    assert commit
    assert (commit.parents, commit.subject) == ((first,), "change")
    (changes,) = git.changes(repository.git_dir, [commit], LIMITS, Call())
    assert [change.path for change in changes] == ["README.md"]


def test_an_ordinary_merge_changes_nothing(repository: Repository) -> None:
    _merge(repository, {"one.txt": "1\n"}, {"two.txt": "2\n"})
    assert _changes(repository)[0] == []


def _merge(repository: Repository, ours: dict[str, str | bytes], theirs: dict[str, str | bytes]) -> None:
    repository.git("checkout", "-q", "-b", "side")
    repository.commit(theirs, "theirs")
    repository.git("checkout", "-q", "main")
    repository.commit(ours, "ours")
    repository.git("merge", "-q", "--no-edit", "side")
    repository.git("branch", "-D", "side")


def test_a_merge_that_puts_two_changes_together_knows_the_lines_of_both(repository: Repository) -> None:
    lines = [f"line {number}\n" for number in range(20)]
    repository.commit({"a.txt": "".join(lines)})
    ours, theirs = list(lines), list(lines)
    ours[2:3] = ["ours\n", "ours too\n"]
    del theirs[15:17]
    _merge(repository, {"a.txt": "".join(ours)}, {"a.txt": "".join(theirs)})
    first, second = _changes(repository)[0]
    assert (first.path, first.parent, first.hunks) == ("a.txt", 0, (Hunk(17, 2, 16, 0),))
    assert (second.path, second.parent, second.hunks) == ("a.txt", 1, (Hunk(3, 1, 3, 2),))


@pytest.mark.parametrize("seed", range(3))
def test_hunks_lead_from_each_parent_to_the_file(empty: Repository, seed: int) -> None:
    """Of random edits, merges among them: the old lines with the hunks put in are the new lines."""
    chance = random.Random(seed)
    lines = [f"{number}\n" for number in range(60)]
    empty.commit({"a.txt": "".join(lines)})
    for _ in range(4):
        ours, theirs = [*_edited(chance, lines[:28]), *lines[28:]], [*lines[:32], *_edited(chance, lines[32:])]
        _merge(empty, {"a.txt": "".join(ours)}, {"a.txt": "".join(theirs)})
        lines = (empty.folder / "a.txt").read_text().splitlines(keepends=True)
    changes = [change for commit in _changes(empty) for change in commit]
    assert len(changes) == 4 * 4 + 1
    for change in changes:
        old = empty.git("cat-file", "blob", change.old).splitlines() if change.old else []
        new = empty.git("cat-file", "blob", change.new).splitlines()
        assert _applied(old, new, change.hunks or ()) == new


def _edited(chance: random.Random, lines: list[str]) -> list[str]:
    edited = list(lines)
    for _ in range(3):
        at = chance.randrange(len(edited) - 3)
        edited[at : at + chance.randrange(3)] = [f"{chance.random()}\n" for _ in range(chance.randrange(3))]
    return edited


def _applied(old: list[str], new: list[str], hunks: tuple[Hunk, ...]) -> list[str]:
    made: list[str] = []
    at = 0
    for hunk in hunks:
        begin = hunk.old_start - (hunk.old_count > 0)
        made += old[at:begin]
        made += new[len(made) : len(made) + hunk.new_count]
        at = begin + hunk.old_count
    return made + old[at:]

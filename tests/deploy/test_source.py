"""The tree that will be built is the folder's, whole, and the folder is left as it was."""

import io
import tarfile
import time
from pathlib import Path

import pytest
from code_insight_deploy import source
from code_insight_deploy.errors import DirtyTree, NoSource

from tests.deploy.places import Repository


def names_in(context: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(context)) as files:
        return {member.name for member in files if member.isfile()}


def test_a_clean_folder_is_the_tree_of_its_commit(repository: Repository) -> None:
    found = source.source_tree(repository.folder)
    assert found.commit == repository.git("rev-parse", "HEAD")
    assert found.tree == repository.git("rev-parse", "HEAD^{tree}")
    assert not found.dirty
    assert found.tag == found.commit[:12]


def test_the_folder_may_be_named_by_any_folder_in_it(repository: Repository) -> None:
    repository.write("deep/down/file", "x")
    repository.commit()
    assert source.source_tree(repository.folder / "deep" / "down") == source.source_tree(repository.folder)


def test_a_change_is_refused_and_its_files_are_named(repository: Repository) -> None:
    repository.write("README.md", "# b\n")
    repository.write("new.py", "x = 1\n")
    with pytest.raises(DirtyTree) as refused:
        source.source_tree(repository.folder)
    assert "2 changed files" in str(refused.value)
    assert "M\tREADME.md" in str(refused.value)
    assert "A\tnew.py" in str(refused.value)
    assert "--allow-dirty" in refused.value.next_step
    assert refused.value.exit_code == 10


def test_a_deleted_file_is_a_change(repository: Repository) -> None:
    (repository.folder / "README.md").unlink()
    with pytest.raises(DirtyTree, match=r"D\tREADME\.md"):
        source.source_tree(repository.folder)


def test_a_dirty_tree_that_was_asked_for_holds_the_changes_and_says_so(repository: Repository) -> None:
    repository.write("new.py", "x = 1\n")
    found = source.source_tree(repository.folder, allow_dirty=True)
    assert found.dirty
    assert found.tag == f"dirty-{found.tree[:12]}"
    assert names_in(source.archive(repository.folder, found)) == {"README.md", ".gitignore", "new.py"}


def test_what_git_ignores_is_no_change_and_gets_into_no_image(repository: Repository) -> None:
    repository.write("secret.log", "token")
    found = source.source_tree(repository.folder)
    assert not found.dirty
    assert "secret.log" not in names_in(source.archive(repository.folder, found))


def test_what_is_staged_stays_staged_and_nothing_else_is(repository: Repository) -> None:
    repository.write("staged.py", "a = 1\n")
    repository.git("add", "staged.py")
    repository.write("untracked.py", "b = 1\n")
    before = repository.git("status", "--porcelain")
    source.source_tree(repository.folder, allow_dirty=True)
    assert repository.git("status", "--porcelain") == before == "A  staged.py\n?? untracked.py"


def test_the_same_files_are_the_same_tree_in_another_clone(repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    assert source.source_tree(tmp_path / "clone") == source.source_tree(repository.folder)


def test_the_archive_is_the_tree_and_not_the_folder(repository: Repository) -> None:
    found = source.source_tree(repository.folder)
    repository.write("README.md", "# changed after the tree was read\n")
    with tarfile.open(fileobj=io.BytesIO(source.archive(repository.folder, found))) as files:
        member = files.extractfile("README.md")
        assert member is not None
        assert member.read() == b"# a\n"


def test_the_archive_is_the_same_bytes_in_another_clone_at_another_time(repository: Repository, tmp_path: Path) -> None:
    repository.write("a" * 90 + "/" + "b" * 90 + ".py", "long = 1\n")
    repository.commit("a path too long for the oldest tar")
    repository.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    found = source.source_tree(repository.folder)
    first = source.archive(repository.folder, found)
    time.sleep(1.1)  # git archive writes whole seconds
    assert source.archive(tmp_path / "clone", found) == first


def test_git_variables_of_a_hook_do_not_point_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(tmp_path / "other")
    other.write("x", "y")
    other.commit()
    expected = source.source_tree(repository.folder)
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
    assert source.source_tree(repository.folder) == expected


def test_a_folder_without_a_repository_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NoSource, match="is not in a git repository"):
        source.source_tree(tmp_path)


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSource, match="no commit"):
        source.source_tree(Repository(tmp_path / "empty").folder)

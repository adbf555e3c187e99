"""Runs git: which tree will be built, and that tree as the context of a build.

The tree is read through an index of its own, so that what the developer has staged stays as it is. An image is made
from the tree and never from the folder: what git does not know cannot get into it.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from code_insight_deploy.errors import DirtyTree, NoSource
from code_insight_deploy.proofs import SourceTree

MOST_FILES_NAMED = 10


def source_tree(folder: Path, *, allow_dirty: bool = False) -> SourceTree:
    """The tree of the repository around `folder`, with all that is not ignored, committed or not.

    Raises DirtyTree, naming files, when the tree is not that of HEAD and `allow_dirty` is not set; NoSource when there
    is no repository or no commit.
    """
    top = top_folder(folder)
    commit = _git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", absent="no commit in this repository yet")
    tree = _tree_of_folder(top)
    dirty = tree != _git(top, "rev-parse", f"{commit}^{{tree}}")
    if dirty and not allow_dirty:
        raise _dirty(top, commit, tree)
    return SourceTree(tree=tree, commit=commit, dirty=dirty)


def top_folder(folder: Path) -> Path:
    """The folder that holds the repository around `folder`."""
    return Path(_git(folder, "rev-parse", "--show-toplevel", absent=f"{folder} is not in a git repository"))


def archive(folder: Path, source: SourceTree) -> bytes:
    """All files of `source` as a tar, in git's order: the same bytes wherever and whenever it is made."""
    command = ["git", "archive", "--format=tar", source.tree]
    made = subprocess.run(command, cwd=top_folder(folder), env=_environment(), capture_output=True, check=True).stdout
    timeless = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(made)) as files,
        # Not PAX: a context that begins with such a header is taken for a Dockerfile by BuildKit.
        tarfile.open(fileobj=timeless, mode="w", format=tarfile.GNU_FORMAT) as copies,
    ):
        for member in files:
            member.mtime = 0  # git archive writes the time of day for a tree, and has no option for it before 2.46
            copies.addfile(member, files.extractfile(member) if member.isreg() else None)
    return timeless.getvalue()


def _tree_of_folder(top: Path) -> str:
    index = top / _git(top, "rev-parse", "--git-path", "index")
    with tempfile.TemporaryDirectory(prefix="code-insight-index-") as temporary:
        own = Path(temporary) / "index"
        if index.exists():
            shutil.copyfile(index, own)  # with its cache of file states, so that only what changed is read
        _git(top, "add", "--all", "--", ":/", index=own)
        return _git(top, "write-tree", index=own)


def _dirty(top: Path, commit: str, tree: str) -> DirtyTree:
    changed = _git(top, "diff-tree", "-r", "--name-status", "--no-renames", f"{commit}^{{tree}}", tree).splitlines()
    named = "\n".join(f"  {line}" for line in changed[:MOST_FILES_NAMED])
    more = f"\n  and {len(changed) - MOST_FILES_NAMED} more" if len(changed) > MOST_FILES_NAMED else ""
    return DirtyTree(
        f"{len(changed)} changed files that no commit holds:\n{named}{more}",
        "Commit or remove them, or pass --allow-dirty for an image that is tagged as dirty.",
    )


def _git(folder: Path, *arguments: str, index: Path | None = None, absent: str = "") -> str:
    """What git says, without the last newline. A failure is NoSource with the sentence `absent`, when given."""
    try:
        ran = subprocess.run(
            ["git", *arguments], cwd=folder, env=_environment(index), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NoSource(
            f"git cannot be run in {folder}: {error.strerror}", "Install git, or name a folder with --folder."
        ) from error
    if ran.returncode == 0:
        return ran.stdout.rstrip("\n")
    if absent:
        raise NoSource(absent, "Run this inside a clone of code-insight, or name one with --folder.")
    raise NoSource(f"git {arguments[0]} failed: {ran.stderr.strip()}", "Run it by hand in the repository to see more.")


def _environment(index: Path | None = None) -> dict[str, str]:
    """The caller's, without the GIT_* that would point elsewhere (a hook or an editor may have set some)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | ({"GIT_INDEX_FILE": str(index)} if index else {})

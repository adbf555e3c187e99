"""Git repositories that are made to be measured: by nobody in particular, and never tidied meanwhile."""

from __future__ import annotations

import subprocess
from pathlib import Path

_WHO = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str | Path) -> None:
    """Run git in `folder`. Raises CalledProcessError."""
    subprocess.run(["git", "-C", folder, *_WHO, "-c", "gc.auto=0", *arguments], check=True, capture_output=True)


def commit(folder: Path) -> None:
    """All that is in `folder` is in a commit, ignored files too."""
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "benchmark")

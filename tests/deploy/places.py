"""Where the release's tests take place: a git repository in a folder of its own; and how to say that one cannot."""

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}

TINY_DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY server/server.py /server.py
STOPSIGNAL SIGTERM
CMD ["python", "/server.py"]
ARG SOURCE_TREE
ENV TREE=${SOURCE_TREE}
LABEL code-insight.tree="${SOURCE_TREE}"
"""


class Repository:
    """A git repository in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """What git says, with nobody's configuration but its own."""
        ran = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=GIT_ENVIRONMENT, capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Put a file into the folder; git is not told."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def commit(self, message: str = "change") -> str:
        """The commit that holds all that is in the folder now."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


def cannot_run(reason: str) -> NoReturn:
    """Skip the test with the reason; in CI nothing may be skipped, so it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, and {reason}")
    pytest.skip(reason)

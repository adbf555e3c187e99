"""Where the release's tests take place: a git repository in a folder of its own."""

import subprocess
from pathlib import Path

from tests.places import GIT_ENVIRONMENT

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

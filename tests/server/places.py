"""Where the server's tests take place: git repositories, and catalogs over folders of their own."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy

from tests.places import GIT_ENVIRONMENT


class Repository:
    """A git repository in a folder of its own, with a work tree."""

    def __init__(self, folder: Path, *init_options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", *init_options)

    @property
    def git_dir(self) -> Path:
        return self.folder / ".git"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """What git says, with nobody's configuration but the repository's own."""
        command = ["git", *arguments]
        ran = subprocess.run(
            command, cwd=self.folder, env=GIT_ENVIRONMENT, input=stdin, capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode().strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """The files stand in the folder; git is not told."""
        for path, content in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "change") -> str:
        """The commit, 40 digits, that has these files, and else what is in the folder now."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, *entries: tuple[str, str, bytes]) -> str:
        """A commit, at the branch main, whose tree has exactly these (mode, object, name), however odd."""
        raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, oid, name in entries)
        tree = self.git("hash-object", "--literally", "-t", "tree", "-w", "--stdin", stdin=raw)
        return self.commit_object(f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nodd\n".encode())

    def commit_object(self, raw: bytes) -> str:
        """A commit, at the branch main, that consists of these bytes."""
        oid = self.git("hash-object", "--literally", "-t", "commit", "-w", "--stdin", stdin=raw)
        self.git("update-ref", "refs/heads/main", oid)
        return oid

    def blob(self, content: bytes) -> str:
        """The 40 digits of a blob that is in the repository now."""
        return self.git("hash-object", "-w", "--stdin", stdin=content)


def catalog_at(folder: Path, **limits: Any) -> Catalog:
    """A catalog whose data is in `folder`/data, and that indexes local folders below `folder`."""
    defaults: dict[str, Any] = {"clone": ClonePolicy(()), "local_folders": (folder,), "workers": 1}
    return Catalog(folder / "data", CatalogLimits(**{**defaults, **limits}))

"""Makes a git repository of an unpacked Debian source package: the upstream tree, then one commit for each patch.

    python benchmarks/accuracy/series.py SOURCE REPOSITORY

SOURCE is what `dpkg-source --skip-patches -x PACKAGE.dsc` leaves. A commit's message is the patch's own description
(DEP-3 headers or those of git format-patch), without what names files: diffstats, trailers, the patch itself. Patches
that do not apply, or say nothing, are left out, and counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_IDENTITY = ("-c", "user.name=series", "-c", "user.email=series@example.invalid", "-c", "core.autocrlf=false")
_HEADER = re.compile(r"([A-Za-z][\w-]*): ?(.*)")
_TRAILER = re.compile(
    r"(?i)(?:[a-z]+-by|cc|change-id|conflicts|origin|bug(?:-\w+)?|forwarded|author|from|date|last-update"
    r"|applied-upstream|gbp-pq|patch-name|debian-bug|closes|fixes) ?:|\(?cherry picked"
)
_DIFFSTAT = re.compile(r"^ ?\S.* \|\s+(\d+|Bin)|^ \d+ files? changed")


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What git did in the repository; whether it succeeded is the caller's question."""
    command = ["git", *_IDENTITY, *arguments]
    return subprocess.run(command, cwd=repository, input=stdin, capture_output=True, check=False)


def description(patch: str) -> str:
    """What a patch says of itself: a subject, and perhaps a text."""
    above = re.split(r"(?m)^(?:---(?: |$)|diff |Index: |=====)", patch, maxsplit=1)[0]
    headers, _, body = above.partition("\n\n")
    fields: dict[str, list[str]] = {}
    name = ""
    for line in headers.splitlines():
        match = None if line.startswith((" ", "\t")) else _HEADER.fullmatch(line)
        if match:
            name = match[1].lower()
            fields.setdefault(name, []).append(match[2])
        elif name:
            fields[name].append(line.strip())
    subject = re.sub(r"^(\[[^\]]*\]\s*)+", "", " ".join(fields.get("subject", ())))
    told = "\n".join([subject, *fields.get("description", ()), "", body if subject else ""])
    return "\n".join(_telling(told)).strip()


def _telling(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() in ("---", "--"):
            return
        if not _TRAILER.match(line.strip()) and not _DIFFSTAT.match(line):
            yield line


def main(source: Path, repository: Path) -> None:
    """Make the repository, and print how many patches became commits."""
    shutil.copytree(source, repository, ignore=shutil.ignore_patterns("debian", ".pc", ".git"), symlinks=True)
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "-q", "-m", "upstream")
    patches = source / "debian" / "patches"
    names = [line.split(" ")[0].strip() for line in (patches / "series").read_text().splitlines()]
    made = total = 0
    for name in (name for name in names if name and not name.startswith("#")):
        total += 1
        data = (patches / name).read_bytes()
        message = description(data.decode("utf-8", "replace"))
        applied = subprocess.run(
            ["patch", "-p1", "--quiet", "--no-backup-if-mismatch", "--force", "--reject-file=-"],
            cwd=repository, input=data, capture_output=True, check=False,
        )  # fmt: skip
        if applied.returncode:
            git(repository, "reset", "-q", "--hard")
            git(repository, "clean", "-q", "-f", "-d", "-x")
            continue
        git(repository, "add", "--all", "--force")
        is_told = bool(message)
        git(repository, "commit", "-q", "--allow-empty", "-F", "-", stdin=(message or "(no description)").encode())
        made += is_told
    print(f"{repository.name}: {made} of {total} patches are commits with a description")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

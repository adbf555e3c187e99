"""What happened before a commit, from objects alone: who wrote what, when, and which lines of which files changed.

Parents are those that the commit itself names: grafts, replacements and the edge of a shallow clone have no say.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from code_insight.errors import FetchFailed
from code_insight.git.running import LOST, Call, Child, GitLimits, command, path_text, records
from code_insight.model import Change, Hunk, PastCommit

SWEEPING_FILES = 1_000  # of a commit that changes more, the files are known and the lines are not

_LAST_SECOND = 253_402_300_799  # of the year 9999
_COMMIT_BYTES = 1 << 16  # of a commit that are looked at; a message may be of any size
_OID = re.compile(rb"[0-9a-f]{40}")
_NOTHING = "0" * 40
_SUBMODULE = "160000"
_IDENTITY = re.compile(rb"(.*?) ?<([^>]*)>(?: ([0-9]{1,20}) [+-][0-9]+)?")
_DIFF = ["diff-tree", "--stdin", "-r", "-M", "-l400", "--root", "-c", "--combined-all-paths", "--always", "--no-abbrev"]
_PATCH = ["-p", "--no-ext-diff", "--no-textconv", "--no-color", "--no-indent-heuristic"]
# What begins a line of a patch without context, where all lines of files have a sign in front.
_MARK = re.compile(
    rb"^(?:([0-9a-f]{40})$|(diff) --|@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@|(Binary) files )", re.MULTILINE
)
_RANGE = re.compile(rb"[-+](\d+)(?:,(\d+))?")


@contextlib.contextmanager
def commit_reader(git_dir: Path, limits: GitLimits, call: Call) -> Iterator[Callable[[str], PastCommit | None]]:
    """A function from 40 digits to what that commit says; None when there is no such commit here."""
    with Child(command(["cat-file", "--batch"], git_dir), limits, call, with_stdin=True) as child:
        yield lambda oid: _read(child, oid)


def _read(child: Child, oid: str) -> PastCommit | None:
    child.write(f"{oid}\n".encode())
    fields = child.readline().split()
    if not fields:
        child.check()
        raise FetchFailed(*LOST)
    if len(fields) != 3:  # "missing"
        return None
    size = int(fields[2])
    raw = child.read_exactly(min(size, _COMMIT_BYTES))
    child.skip(size - len(raw) + 1)
    return _parsed(oid, raw) if fields[1] == b"commit" else None


def _parsed(oid: str, raw: bytes) -> PastCommit:
    head, _, message = raw.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)
    name, email, authored = _identity(fields.get(b"author", [b""])[0])
    _, _, time = _identity(fields.get(b"committer", [b""])[0])
    parents = tuple(value.decode() for value in fields.get(b"parent", ()) if _OID.fullmatch(value))
    subject = _text(message.strip().partition(b"\n")[0])[:200]
    return PastCommit(oid, parents, name, email, authored, time, subject)


def _identity(line: bytes) -> tuple[str, str, int]:
    """(name, address, seconds) of "A U Thor <author@example.com> 1767225600 +0100", however odd."""
    match = _IDENTITY.match(line)
    if match is None:
        return _text(line)[:100].strip(), "", 0
    seconds = min(int(match[3] or 0), _LAST_SECOND)
    return _text(match[1])[:100].strip(), _text(match[2])[:100].strip().lower(), seconds


def _text(raw: bytes) -> str:
    """UTF-8, or what most of those wrote who did not: there is no telling."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def changes(git_dir: Path, commits: Sequence[PastCommit], limits: GitLimits, call: Call) -> list[list[Change]]:
    """What each of these commits changed, in git's order of paths; the parents of all must be there.

    A merge changed what is in none of its parents: each such file once for each of them.
    """
    files = _files(git_dir, commits, limits, call)
    few = [commit for commit in commits if 0 < len(files.get(commit.oid, ())) <= SWEEPING_FILES]
    lines = _lines(git_dir, [commit for commit in few if len(commit.parents) < 2], limits, call)
    lines |= _lines_of_merges(git_dir, [commit for commit in few if len(commit.parents) > 1], limits, call)
    return [list(_changes(files.get(commit.oid, []), lines.get(commit.oid))) for commit in commits]


class _File(NamedTuple):
    """One file as a raw diff shows it; a merge has as many modes, blobs and paths of before as parents."""

    modes: tuple[str, ...]
    blobs: tuple[str, ...]
    status: str
    paths: tuple[str, ...]

    @property
    def sections(self) -> int:
        """Under how many headers a patch shows it: a change of type is a deletion and a creation."""
        return 2 if self.status == "T" else 1


_Lines = list[tuple[tuple[Hunk, ...] | None, ...]]  # for each section of a patch: the hunks for each parent


def _feed(commits: Sequence[PastCommit]) -> bytes:
    return "".join(f"{' '.join((commit.oid, *commit.parents))}\n" for commit in commits).encode()


def _files(git_dir: Path, commits: Sequence[PastCommit], limits: GitLimits, call: Call) -> dict[str, list[_File]]:
    """Commit → the files that it changed."""
    fields = records([*_DIFF, "--raw", "-z"], git_dir, limits, call, stdin=_feed(commits))
    found: dict[str, list[_File]] = {}
    files: list[_File] = []
    for field in fields:
        if field.startswith(b":"):
            file = _file(field, fields)
            if len(files) < limits.files:
                files.append(file)
        elif _OID.fullmatch(field):
            files = found.setdefault(field.decode(), [])
    return found


def _file(meta: bytes, fields: Iterator[bytes]) -> _File:
    parents = len(meta) - len(meta.lstrip(b":"))
    words = meta.lstrip(b":").decode().split()
    modes, blobs, status = words[: parents + 1], words[parents + 1 : -1], words[-1]
    both = parents > 1 or status[0] in "RC"
    paths = [path_text(next(fields)) for _ in range(parents + 1 if both else 1)]
    return _File(tuple(modes), tuple(blobs), status[0] if parents == 1 else status, tuple(paths if both else paths * 2))


def _changes(files: list[_File], lines: _Lines | None) -> Iterator[Change]:
    if lines is None or len(lines) != sum(file.sections for file in files):
        lines = [()] * sum(file.sections for file in files)
    at = 0
    for file in files:
        hunks = lines[at]
        at += file.sections
        *sources, path = file.paths
        for parent, source in enumerate(sources):
            is_known = file.sections == 1 and parent < len(hunks) and _SUBMODULE not in file.modes
            old = file.blobs[parent]
            yield Change(
                path,
                "" if old == _NOTHING else source,
                parent,
                "" if old == _NOTHING else old,
                "" if file.blobs[-1] == _NOTHING else file.blobs[-1],
                hunks[parent] if is_known else None,
            )


def _lines(git_dir: Path, commits: Sequence[PastCommit], limits: GitLimits, call: Call) -> dict[str, _Lines]:
    """Commit with at most one parent → the hunks of each section of its patch."""
    found: dict[str, _Lines] = {}
    sections: list[list[Hunk] | None] = []

    def keep(oid: str) -> None:
        found[oid] = [(tuple(section) if section is not None else None,) for section in sections]
        sections.clear()

    current = ""
    for text in _whole_lines([*_DIFF, *_PATCH, "-U0"], git_dir, commits, limits, call):
        for mark in _MARK.finditer(text):
            oid, diff, old_start, old_count, new_start, new_count, binary = mark.groups()
            if oid:
                if current:
                    keep(current)
                current = oid.decode()
            elif diff:
                sections.append([])
            elif binary and sections:
                sections[-1] = None
            elif sections and (section := sections[-1]) is not None:
                section.append(Hunk(int(old_start), int(old_count or 1), int(new_start), int(new_count or 1)))
    if current:
        keep(current)
    return found


def _whole_lines(
    arguments: list[str], git_dir: Path, commits: Sequence[PastCommit], limits: GitLimits, call: Call
) -> Iterator[bytes]:
    """The output of a command that reads commits, in pieces that end where a line ends."""
    if not commits:
        return
    with Child(command(arguments, git_dir), limits, call, with_stdin=True) as child:
        child.feed(_feed(commits))
        rest = b""
        while chunk := child.read(1 << 18):
            rest += chunk
            end = rest.rfind(b"\n") + 1
            if end:
                yield rest[:end]
                rest = rest[end:]
        child.check()
        yield rest


def _lines_of_merges(git_dir: Path, commits: Sequence[PastCommit], limits: GitLimits, call: Call) -> dict[str, _Lines]:
    """Merge → for each section of its combined patch, the hunks for each parent."""
    parents = {commit.oid.encode(): len(commit.parents) for commit in commits}
    found: dict[str, list[_Combined]] = {}
    sections: list[_Combined] = []
    count = 0
    # Without context, git writes ranges of combined patches that are not so: "+18,18446744073709551615".
    for text in _whole_lines([*_DIFF, *_PATCH, "-U3"], git_dir, commits, limits, call):
        for line in text.split(b"\n"):
            if line in parents:
                count = parents[line]
                sections = found.setdefault(line.decode(), [])
            elif line.startswith(b"diff --"):
                sections.append(_Combined(count))
            elif sections:
                sections[-1].read(line)
    return {oid: [section.hunks() for section in sections] for oid, sections in found.items()}


class _Combined:
    """One file of a combined patch: a line has a column for each parent (git-diff, "Combined diff format")."""

    def __init__(self, parents: int) -> None:
        self._parents = parents
        self._hunks: list[list[Hunk]] = [[] for _ in range(parents)]
        self._old: list[int] = []  # the next line in each parent; empty before the first hunk
        self._new = 0
        self._is_binary = False

    def hunks(self) -> tuple[tuple[Hunk, ...] | None, ...]:
        """For each parent its hunks."""
        return tuple(None if self._is_binary else tuple(hunks) for hunks in self._hunks)

    def read(self, line: bytes) -> None:
        """One line of the patch, header or body."""
        if line.startswith(b"@@@"):
            ranges = _RANGE.findall(line.split(b"@@@", 2)[1])
            *self._old, self._new = (int(start) + (count == b"0") for start, count in ranges)
        elif line.startswith(b"Binary files "):
            self._is_binary = True
        elif len(self._old) == self._parents and line[:1] in (b" ", b"+", b"-"):
            self._step(line[: self._parents])

    def _step(self, columns: bytes) -> None:
        is_gone = b"-" in columns
        for parent, sign in enumerate(columns.decode("ascii", "replace")):
            if is_gone and sign == "-":
                self._grow(parent, 1, 0)
                self._old[parent] += 1
            elif not is_gone and sign == "+":
                self._grow(parent, 0, 1)
            elif not is_gone:
                self._old[parent] += 1
        self._new += not is_gone

    def _grow(self, parent: int, removed: int, added: int) -> None:
        """The last hunk has one more line, when it ends here; else a new one begins."""
        hunks, old, new = self._hunks[parent], self._old[parent], self._new
        if hunks and (_end(hunks[-1].old_start, hunks[-1].old_count), _end(*hunks[-1][2:])) == (old, new):
            last = hunks.pop()
            removed, added = last.old_count + removed, last.new_count + added
            old, new = old - last.old_count, new - last.new_count
        hunks.append(Hunk(old if removed else old - 1, removed, new if added else new - 1, added))


def _end(start: int, count: int) -> int:
    """The line after a range, whose start is the line before it when it is empty."""
    return start + max(count, 1)

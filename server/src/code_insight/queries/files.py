"""Which file a path names, and what stands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from code_insight.errors import InvalidArgument, NotFound
from code_insight.model import SkipReason, SourceFile, Symbol
from code_insight.queries.nearest import nearest
from code_insight.store import IndexedCommit, Reader

_REASONS = {
    SkipReason.BINARY: "it is binary",
    SkipReason.TOO_LARGE: "it is larger than this server indexes",
    SkipReason.UNDECODABLE: "it is not UTF-8",
    SkipReason.MINIFIED: "it has lines of more than 20,000 characters",
    SkipReason.LFS_POINTER: "it is kept by Git LFS; only a pointer is in the repository",
    SkipReason.SYMLINK: "it is a symbolic link",
    SkipReason.SUBMODULE: "it is a submodule, another repository",
    SkipReason.UNSAFE_PATH: "its path is too long, or not plain UTF-8",
    SkipReason.PARSE_TIMEOUT: "its symbols took too long to find",
    SkipReason.PARSE_CRASHED: "its symbols are missing: it crashed the parser",
    SkipReason.PARSE_MEMORY: "its symbols are missing: the parser ran out of memory",
    SkipReason.PARSE_SKIPPED: "its symbols are missing: the parser failed too often before it",
}


_WRITTEN_OUT = re.compile(r"\\u\{([0-9a-f]{1,5})\}")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a file."""

    file: SourceFile
    first: int  # number of the first line, from 1
    lines: tuple[str, ...]
    enclosing: tuple[Symbol, ...]  # what the first line stands in, outermost first
    error_lines: tuple[int, ...]  # where the file does not follow its grammar


def excerpt(indexed: IndexedCommit, path: str, first: int = 1, last: int | None = None) -> Excerpt:
    """Lines `first` to `last` (None: the end) of a file, both included.

    Raises NotFound with the nearest paths, InvalidArgument when the file has no such lines or no text in the index.
    """
    with Reader(indexed) as reader:
        file = file_at(reader, path)
        lines = text_lines(reader.text(file.blob))
        if first < 1 or first > max(len(lines), 1) or (last is not None and last < first):
            raise InvalidArgument(f"{file.path} has the lines 1 to {len(lines)}.", 'Give lines such as "10-40".')
        enclosing = tuple(s for s in reader.symbols_in(file.path) if s.start_line <= first <= s.end_line)
        return Excerpt(file, first, tuple(lines[first - 1 : last]), enclosing, tuple(reader.error_lines(file.blob)))


def text_lines(text: str) -> list[str]:
    """The lines of a text, without their ends; only a line feed ends one, as in git."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def file_at(reader: Reader, path: str) -> SourceFile:
    """The file with text at a path; raises NotFound with the nearest paths, InvalidArgument when it was skipped."""
    wanted = normal_path(path)
    file = reader.file(wanted)
    if file is None and any(known.path.startswith(f"{wanted}/") for known in reader.files()):
        raise InvalidArgument(f"{wanted} is a folder.", "Ask outline for it, or overview with path=.")
    if file is None:
        raise unknown_path(reader, wanted)
    if not file.blob:
        raise InvalidArgument(
            f"{file.path} is not in the index: {reason_of(file)}.", "Read it in the repository itself."
        )
    return file


def reason_of(file: SourceFile) -> str:
    """Why a file is not, or not fully, in the index, as the end of a sentence."""
    return _REASONS.get(file.skip_reason or SkipReason.BINARY, "it was skipped")


def normal_path(path: str) -> str:
    """A path without "./" in front and "/" around it; what an answer has written out is itself again."""
    meant = _WRITTEN_OUT.sub(lambda match: chr(int(match[1], 16)), path)
    return meant.strip().removeprefix("./").strip("/")


def unknown_path(reader: Reader, path: str) -> NotFound:
    """The error that names the nearest paths: same file name first, then a like name."""
    paths = [file.path for file in reader.files()]
    name = path.rpartition("/")[2]
    same = [known for known in paths if known.rpartition("/")[2] == name]
    folders = sorted({known[:at] for known in paths for at in range(len(known)) if known[at] == "/"})
    near = list(dict.fromkeys([*same[:5], *nearest(path, [*paths, *folders])]))[:5]
    step = f"The nearest: {', '.join(near)}." if near else "Call overview to see the folders."
    return NotFound(f"There is no file or folder '{path[:200]}'.", step)

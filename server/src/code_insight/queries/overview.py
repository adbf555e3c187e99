"""What a repository is, how it is laid out, where it starts, what matters most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from code_insight.errors import NotFound
from code_insight.model import FileRole, SkipReason, SourceFile, Symbol
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.layout import Folder, layout
from code_insight.queries.readme import module_docs, sentence, summary_of, title_of
from code_insight.queries.starting import Command, EntryPoint, Said, main_functions, read_manifests
from code_insight.store import IndexedCommit, Reader

_README = re.compile(r"(?i)readme(\.(md|markdown|rst|txt|adoc))?")
_README_CHARACTERS = 12_000
_MODULES = ("__init__.py", "lib.rs", "mod.rs", "doc.go", "package-info.java", "index.ts", "index.js", "index.tsx")
_GUIDES = re.compile(
    r"(?i)^(?:(readme)|(architecture|design|overview|internals)|(index|intro\w*|quick-?start|getting[-_]?started|tutorial)"
    r"|(contributing|hacking|development|agents|claude)|(guide|usage|api|faq))\b"
)
_IN_A_GUIDE = frozenset({".md", ".rst", ".markdown", ".txt"})


@dataclass(frozen=True, slots=True)
class Language:
    """How much of one language there is."""

    name: str  # "" for text of no known language
    files: int
    lines: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A repository, or one folder of it, at a glance."""

    path: str  # "" for the whole
    title: str
    summary: str  # from its README, its manifest or its package's docs; "" when there is none
    languages: tuple[Language, ...]  # most lines first
    folders: tuple[tuple[Folder, str], ...]  # each before those in it, with the first sentence of its docs
    top_files: tuple[str, ...]  # that stand directly in it
    entry_points: tuple[EntryPoint, ...]  # best first
    commands: tuple[Command, ...]  # how to build and test it
    central: tuple[tuple[Symbol, int], ...]  # with the number of other files that use the name; best first
    documents: tuple[str, ...]  # to read first
    document_count: int
    manifests: tuple[str, ...]
    skipped: tuple[tuple[SkipReason, int, str], ...]  # reason, files, one of them; most files first
    files: int
    symbols: int


def overview(indexed: IndexedCommit, path: str = "") -> Overview:
    """A commit, or the part of it below `path`, at a glance; raises NotFound with the nearest paths."""
    folder = normal_path(path)
    with Reader(indexed) as reader:
        files = [f for f in reader.files() if not folder or f.path.startswith(f"{folder}/")]
        if not files:
            raise _not_a_folder(reader, folder)
        said = read_manifests(reader, files)
        title, summary = _what_it_is(reader, files, folder, said)
        by_path = {file.path: file for file in files}
        central = [c for c in reader.central(200) if c[0].path in by_path]
        documents = [f.path for f in files if f.role is FileRole.DOCUMENT]
        return Overview(
            path=folder,
            title=title,
            summary=summary,
            languages=tuple(_languages(files)),
            folders=tuple((f, _purpose(reader, by_path, f.path)) for f in layout(files, folder)),
            top_files=tuple(f.path for f in files if "/" not in _below(f.path, folder)),
            entry_points=(*said.entry_points, *main_functions(reader, by_path)),
            commands=tuple(sorted(said.commands, key=lambda command: command.what)),
            central=tuple(central),
            documents=tuple(_guides(documents)),
            document_count=len(documents),
            manifests=tuple(said.manifests),
            skipped=tuple(_skipped(files)),
            files=len(files),
            symbols=reader.totals()[2],
        )


def _not_a_folder(reader: Reader, path: str) -> NotFound:
    if reader.file(path) is not None:
        return NotFound(f"{path} is a file.", "Call outline or read for it.")
    return unknown_path(reader, path)


def _below(path: str, folder: str) -> str:
    return path[len(folder) + 1 :] if folder else path


def _languages(files: list[SourceFile]) -> Iterator[Language]:
    counts, lines = Counter[str](), Counter[str]()
    for file in files:
        if file.blob:
            counts[file.language] += 1
            lines[file.language] += file.lines
    for name in sorted(counts, key=lambda name: (-lines[name], name)):
        yield Language(name, counts[name], lines[name])


def _skipped(files: list[SourceFile]) -> Iterator[tuple[SkipReason, int, str]]:
    reasons = Counter(file.skip_reason for file in files if file.skip_reason)
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        yield reason, count, next(file.path for file in files if file.skip_reason is reason)


def _guides(documents: list[str]) -> list[str]:
    """The documents whose name says that they explain, the outermost first."""
    found = []
    for path in documents:
        name = path.rpartition("/")[2]
        match = _GUIDES.match(name)
        if match and name[len(match[0]) :] in ("", *_IN_A_GUIDE):
            found.append((path.count("/"), match.lastindex or 0, path))
    return [path for *_, path in sorted(found)]


def _purpose(reader: Reader, files: dict[str, SourceFile], folder: str) -> str:
    """The first sentence of what a folder says of itself: its README, or its package's docs."""
    name = folder.rpartition("/")[2]
    for candidate in ("README.md", "README.rst", "README", "README.txt", "readme.md"):
        if (file := files.get(f"{folder}/{candidate}")) and file.blob:
            return sentence(summary_of(reader.head(file.blob, 4_000), name))
    for candidate in (*_MODULES, f"{name}.go"):
        if (file := files.get(f"{folder}/{candidate}")) and file.blob:
            return sentence(module_docs(reader.head(file.blob, 4_000)))
    return ""


def _what_it_is(reader: Reader, files: list[SourceFile], folder: str, said: Said) -> tuple[str, str]:
    """Title and summary: the README's; where it has none, the manifest's, then those of the package's docs."""
    name = folder.rpartition("/")[2] or said.name.rpartition("/")[2] or _last(reader.indexed.repository.name)
    texts = [
        reader.head(f.blob, _README_CHARACTERS) for f in files if f.blob and _README.fullmatch(_below(f.path, folder))
    ]
    title = next(filter(None, map(title_of, texts)), "")
    summary = next(filter(None, (summary_of(text, title.partition(" ")[0].strip(":.,") or name) for text in texts)), "")
    if not summary and not folder:
        summary = said.description
    if not summary:
        modules = [f for f in files if f.blob and _below(f.path, folder).removeprefix("src/") in _MODULES]
        summary = next(filter(None, (module_docs(reader.head(f.blob, 4_000)) for f in modules)), "")
    return title or name, summary[:600]


def _last(name: str) -> str:
    return name.rpartition("/")[2]

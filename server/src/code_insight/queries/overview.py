"""What a repository is, how it is laid out, where it starts, what matters most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from code_insight.errors import NotFound
from code_insight.languages import by_name
from code_insight.model import FileRole, SkipReason, SourceFile, Symbol, SymbolKind, family_of, is_aside
from code_insight.queries.files import normal_path, unknown_path
from code_insight.queries.layout import Folder, layout
from code_insight.queries.readme import introduction_of, module_docs, sentence, summary_of, title_of
from code_insight.queries.starting import TOOLS_OF, Command, EntryPoint, Said, main_functions, read_manifests
from code_insight.store import IndexedCommit, Reader

_README = re.compile(r"(?i)readme(\.(md|markdown|rst|txt|adoc))?")
_README_CHARACTERS = 12_000
_KEPT = 64  # overviews that are kept: reading 7,000 files of a commit takes 60 ms
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
    main_language: str  # that of most lines of source; "" when nothing here is written in one that has symbols
    folders: tuple[
        tuple[Folder, str], ...
    ]  # each before those in it, with the first sentence of its docs, or what is in it
    top_files: tuple[str, ...]  # that stand directly in it
    entry_points: tuple[EntryPoint, ...]  # best first
    commands: tuple[Command, ...]  # how to build and test it
    central: tuple[tuple[Symbol, int], ...]  # with about the number of other files that use it; best first
    documents: tuple[str, ...]  # to read first
    document_count: int
    manifests: tuple[str, ...]
    skipped: tuple[tuple[SkipReason, int, str], ...]  # reason, files, one of them; most files first
    files: int
    symbols: int


def overview(indexed: IndexedCommit, path: str = "") -> Overview:
    """A commit, or the part of it below `path`, at a glance; raises NotFound with the nearest paths."""
    with Reader(indexed) as reader:
        is_surveyed = reader.is_surveyed()
    return _overview(indexed, normal_path(path), is_surveyed)


@lru_cache(maxsize=_KEPT)
def _overview(indexed: IndexedCommit, folder: str, _is_surveyed: bool) -> Overview:
    """The same, worked out once: a survey that comes later is another question."""
    with Reader(indexed) as reader:
        files = [f for f in reader.files() if not folder or f.path.startswith(f"{folder}/")]
        if not files:
            raise _not_a_folder(reader, folder)
        said = read_manifests(reader, files)
        title, summary = _what_it_is(reader, files, folder, said)
        by_path = {file.path: file for file in files}
        central = [c for c in reader.central(200) if c[0].path in by_path]
        documents = [f.path for f in files if f.role is FileRole.DOCUMENT]
        laid_out = layout(files, folder)
        return Overview(
            path=folder,
            title=title,
            summary=summary,
            languages=tuple(_languages(files)),
            main_language=_main_language(files),
            folders=tuple((f, _purpose(reader, by_path, f.path) or _contents(central, f)) for f in laid_out),
            top_files=tuple(f.path for f in files if "/" not in _below(f.path, folder)),
            entry_points=(*said.entry_points, *main_functions(reader, by_path), *_entries(reader, folder)),
            commands=tuple(_commands(said, _main_language(files))),
            central=tuple(central),
            documents=tuple(_guides(documents)),
            document_count=len(documents),
            manifests=tuple(said.manifests),
            skipped=tuple(_skipped(files)),
            files=len(files),
            symbols=reader.totals()[2],
        )


def _entries(reader: Reader, folder: str) -> Iterator[EntryPoint]:
    return (EntryPoint(*entry) for entry in reader.entries() if not folder or entry[2].startswith(f"{folder}/"))


def _main_language(files: list[SourceFile]) -> str:
    """That of most lines of source that can have symbols; "" when there is none."""
    lines = Counter[str]()
    for file in files:
        language = by_name().get(file.language)
        if file.role is FileRole.SOURCE and language is not None and language.grammar is not None:
            lines[file.language] += file.lines
    return min(lines, key=lambda name: (-lines[name], name), default="")


def _commands(said: Said, language: str) -> list[Command]:
    """Builds before tests; in each those of the main language's own tools first."""
    others = {tool for tool, of in TOOLS_OF.items() if of != family_of(language)}

    def key(command: Command) -> tuple[str, bool]:
        return command.what, command.because.partition(":")[0].rpartition("/")[2].lower() in others

    return sorted(said.commands, key=key)


def _contents(central: list[tuple[Symbol, int]], folder: Folder) -> str:
    """What matters most in a folder that says nothing of itself: "Router, Route, Match"."""
    if folder.role is not FileRole.SOURCE or is_aside(f"{folder.path}/"):
        return ""
    inside = [symbol for symbol, _ in central if symbol.path.startswith(f"{folder.path}/")]
    names = [s.name for s in sorted(inside, key=lambda s: s.kind is SymbolKind.METHOD)]
    return f"has {', '.join(names[:3])}" if names else ""


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
    known_as = title.partition(" ")[0].strip(":.,") or name
    summary = next(filter(None, (introduction_of(text, known_as) for text in texts)), "")
    if not summary and not folder:
        summary = said.description
    if not summary:
        summary = next(filter(None, (summary_of(text) for text in texts)), "")
    if not summary:
        modules = [f for f in files if f.blob and _below(f.path, folder).removeprefix("src/") in _MODULES]
        summary = next(filter(None, (module_docs(reader.head(f.blob, 4_000)) for f in modules)), "")
    return title or name, summary[:600]


def _last(name: str) -> str:
    return name.rpartition("/")[2]

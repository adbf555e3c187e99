"""What a repository is, how it is laid out, where it starts, what matters most."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from code_insight.errors import NotFound
from code_insight.model import FileRole, SkipReason, SourceFile, Symbol
from code_insight.queries.files import normal_path, unknown_path
from code_insight.store import IndexedCommit, Reader

_README = re.compile(r"(?i)^readme(\.(md|markdown|rst|txt|adoc))?$")
_MAIN_NAMES = frozenset({"main", "Main"})
_MANIFEST_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Language:
    """How much of one language there is."""

    name: str  # "" for text of no known language
    files: int
    lines: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, with all that is below it."""

    path: str
    files: int
    lines: int
    language: str  # of most of its lines
    role: FileRole  # of most of its lines
    purpose: str  # first sentence of its own docs, "" when it has none


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where the program begins, or how it is built or tested."""

    what: str  # "console script", "npm script", "main function", …
    name: str
    target: str  # what it runs, or where it stands


@dataclass(frozen=True, slots=True)
class Overview:
    """A repository, or one folder of it, at a glance."""

    path: str  # "" for the whole
    title: str
    summary: str  # first paragraph of its README, or of its package's docstring
    languages: tuple[Language, ...]  # most lines first
    folders: tuple[Folder, ...]  # by path; at most two levels
    top_files: tuple[str, ...]  # that stand directly in it
    entry_points: tuple[EntryPoint, ...]
    central: tuple[tuple[Symbol, int], ...]  # with the number of files that use the name; best first
    documents: tuple[str, ...]
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
        title, summary = _readme(reader, files, folder)
        central = [c for c in reader.central(200) if not folder or c[0].path.startswith(f"{folder}/")]
        return Overview(
            path=folder,
            title=title,
            summary=summary,
            languages=tuple(_languages(files)),
            folders=tuple(_folders(reader, files, folder)),
            top_files=tuple(f.path for f in files if "/" not in _below(f.path, folder)),
            entry_points=tuple(_entry_points(reader, files)),
            central=tuple(central),
            documents=tuple(f.path for f in files if f.role is FileRole.DOCUMENT),
            manifests=tuple(f.path for f in files if f.path.rpartition("/")[2].lower() in _MANIFESTS),
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


def _folders(reader: Reader, files: list[SourceFile], folder: str) -> Iterator[Folder]:
    inside: dict[str, list[SourceFile]] = {}
    for file in files:
        parts = _below(file.path, folder).split("/")[:-1]
        for depth in range(1, min(len(parts), 2) + 1):
            inside.setdefault("/".join(filter(None, [folder, *parts[:depth]])), []).append(file)
    for path in sorted(inside):
        lines, roles = Counter[str](), Counter[FileRole]()
        for file in inside[path]:
            lines[file.language] += file.lines
            roles[file.role] += file.lines + 1
        language = max(lines, key=lambda name: (bool(name), lines[name], name), default="")
        yield Folder(
            path,
            len(inside[path]),
            lines.total(),
            language,
            roles.most_common(1)[0][0],
            _purpose(reader, inside[path], path),
        )


def _purpose(reader: Reader, files: list[SourceFile], folder: str) -> str:
    """The first sentence of the folder's README, package docstring or module comment."""
    by_name = {_below(file.path, folder).lower(): file for file in files if file.blob}
    for name in ("readme.md", "readme.rst", "readme", "readme.txt", "__init__.py", "mod.rs", "lib.rs", "doc.go"):
        if file := by_name.get(name):
            text = reader.text(file.blob)[:4000]
            summary = _paragraph(text) if name.startswith("readme") else _module_comment(text)
            if summary:
                return _sentence(summary)
    return ""


def _sentence(text: str, most: int = 120) -> str:
    match = re.match(r"(.+?[.!?])(?:\s|$)", text)
    sentence = match[1] if match and len(match[1]) > 10 else text
    return sentence if len(sentence) <= most else sentence[: most - 1].rsplit(" ", 1)[0] + "…"


def _module_comment(text: str) -> str:
    match = re.match(r'(?s)\s*(?:#[^\n]*\n\s*)*[rR]?"""(.+?)(?:"""|\n\s*\n)', text)
    if match:
        return " ".join(match[1].split())
    lines = re.match(r"(?:\s*//[!/]?[^\n]*\n)+", text)
    if not lines or "Copyright" in lines[0]:
        return ""
    return " ".join(re.sub(r"(?m)^\s*//[!/]?\s?", "", lines[0]).split())


def _readme(reader: Reader, files: list[SourceFile], folder: str) -> tuple[str, str]:
    """Title and first paragraph of the README; of the package's docstring where there is none."""
    for file in files:
        if file.blob and _README.match(_below(file.path, folder)):
            text = reader.text(file.blob)[:20_000]
            return _title(text), _paragraph(text)
    for file in files:
        if file.blob and _below(file.path, folder) in ("__init__.py", "lib.rs", "mod.rs", "doc.go", "src/lib.rs"):
            return "", _module_comment(reader.text(file.blob)[:4000])
    return "", ""


def _title(text: str) -> str:
    match = re.search(r"(?m)^#\s+(.+?)\s*#*$|^([^\s\n][^\n]*)\n(?:=+|-+)\s*$|<h1[^>]*>\s*(.+?)\s*</h1>", text)
    found = next((group for group in match.groups() if group), "") if match else ""
    return _plain(found)[:200]


def _paragraph(text: str) -> str:
    """The first paragraph of prose: no heading, badge, picture, link list, table, directive or code."""
    text = re.sub(r"(?s)<!--.*?-->|```.*?```|~~~.*?~~~|^---\n.*?\n---\n", "", text)
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.strip().splitlines()]
        if any(re.fullmatch(r"[=\-~^*#]{3,}", line) for line in lines[1:2]) or not lines:
            continue
        kept = [
            line
            for line in lines
            if line and not re.match(r"[#|>=]|\.\. |[-*+] |\d+\. |!\[|\[!\[|\[[^\]]+\]:|:\w+:", line)
        ]
        plain = _plain(" ".join(kept))
        if len(plain) >= 20 and re.search(r"[a-z] [a-z]", plain):
            return plain if len(plain) <= 600 else plain[:599].rsplit(" ", 1)[0] + "…"
    return ""


def _plain(text: str) -> str:
    """Text without marks of Markdown, reStructuredText and HTML."""
    text = re.sub(r"<[^>]{0,500}>|!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)|\[([^\]]*)\]\[[^\]]*\]", lambda m: m[1] or m[2] or "", text)
    text = re.sub(r"`([^`<]*?)\s*<[^>]*>`_+", r"\1", text)
    return " ".join(re.sub(r"\*\*|``?|__(?=\w)|(?<=\w)__|:\w+:(?=`)", "", text).split())


# Entry points.


def _entry_points(reader: Reader, files: list[SourceFile]) -> Iterator[EntryPoint]:
    shallow = sorted((f for f in files if f.role is FileRole.SOURCE), key=lambda f: (f.path.count("/"), f.path))
    for file in shallow:
        parse = _MANIFESTS.get(file.path.rpartition("/")[2].lower())
        if parse and file.blob and file.size_bytes <= _MANIFEST_BYTES and file.path.count("/") <= 3:
            try:
                yield from parse(file.path, reader.text(file.blob))
            except (ValueError, KeyError, TypeError, AttributeError, configparser.Error):
                continue  # a manifest that its own tool would refuse says nothing
    yield from _main_functions(reader, {file.path: file for file in files})


def _main_functions(reader: Reader, files: dict[str, SourceFile]) -> Iterator[EntryPoint]:
    for name in sorted(_MAIN_NAMES):
        for symbol in reader.symbols_named(name):
            file = files.get(symbol.path)
            is_main = symbol.kind in ("function", "method") and symbol.language in _MAIN_LANGUAGES
            if (
                file
                and is_main
                and file.role is FileRole.SOURCE
                and (symbol.parent < 0 or symbol.language in ("java", "csharp"))
            ):
                yield EntryPoint("main function", symbol.signature or name, f"{symbol.path}:{symbol.start_line}")
    for path, file in files.items():
        if path.endswith("__main__.py") and file.role is FileRole.SOURCE:
            package = path.removesuffix("/__main__.py").removeprefix("src/").replace("/", ".")
            yield EntryPoint("module", f"python -m {package}", path)


_MAIN_LANGUAGES = frozenset({"go", "rust", "c", "cpp", "java", "csharp"})


def _pyproject(path: str, text: str) -> Iterator[EntryPoint]:
    project = tomllib.loads(text).get("project", {})
    for kind, table in (("console script", "scripts"), ("gui script", "gui-scripts")):
        for name, target in project.get(table, {}).items():
            yield EntryPoint(kind, str(name), str(target))
    for group, entries in project.get("entry-points", {}).items():
        for name, target in entries.items():
            yield EntryPoint(f"entry point of {group}", str(name), str(target))
    backend = tomllib.loads(text).get("build-system", {}).get("build-backend", "")
    if backend:
        yield EntryPoint("build", str(backend), path)


def _setup_cfg(_path: str, text: str) -> Iterator[EntryPoint]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    for line in parser.get("options.entry_points", "console_scripts", fallback="").splitlines():
        name, _, target = line.partition("=")
        if target:
            yield EntryPoint("console script", name.strip(), target.strip())


def _package_json(_path: str, text: str) -> Iterator[EntryPoint]:
    package: dict[str, Any] = json.loads(text)
    binaries = package.get("bin", {})
    for name, target in ({package["name"]: binaries} if isinstance(binaries, str) else binaries).items():
        yield EntryPoint("command", str(name), str(target))
    for key in ("main", "module"):
        if isinstance(package.get(key), str):
            yield EntryPoint(f"npm {key}", str(package.get("name", "")), str(package[key]))
    for name, command in package.get("scripts", {}).items():
        if name in ("build", "test", "start", "dev", "lint"):
            yield EntryPoint("npm script", str(name), str(command)[:200])


def _cargo(path: str, text: str) -> Iterator[EntryPoint]:
    manifest = tomllib.loads(text)
    for binary in manifest.get("bin", []):
        yield EntryPoint("binary", str(binary["name"]), str(binary.get("path", "src/main.rs")))
    if "package" in manifest:
        yield EntryPoint("crate", str(manifest["package"]["name"]), path)


def _go_mod(path: str, text: str) -> Iterator[EntryPoint]:
    match = re.search(r"(?m)^module\s+(\S+)", text)
    if match:
        yield EntryPoint("module", match[1], path)


def _makefile(path: str, text: str) -> Iterator[EntryPoint]:
    targets = dict.fromkeys(re.findall(r"(?m)^([A-Za-z][\w-]*)\s*:(?![=:])", text))
    if targets:
        yield EntryPoint("make", " ".join(list(targets)[:12]), path)


def _dockerfile(path: str, text: str) -> Iterator[EntryPoint]:
    for instruction, value in re.findall(r"(?m)^(ENTRYPOINT|CMD)\s+(.+)$", text)[-2:]:
        yield EntryPoint("container", f"{instruction} {value.strip()[:200]}", path)


def _nothing(_path: str, _text: str) -> Iterator[EntryPoint]:
    yield from ()


_MANIFESTS: dict[str, Callable[[str, str], Iterator[EntryPoint]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _nothing,
    "package.json": _package_json,
    "cargo.toml": _cargo,
    "go.mod": _go_mod,
    "makefile": _makefile,
    "gnumakefile": _makefile,
    "dockerfile": _dockerfile,
    "pom.xml": _nothing,
    "build.gradle": _nothing,
    "build.gradle.kts": _nothing,
    "cmakelists.txt": _nothing,
    "meson.build": _nothing,
    "composer.json": _nothing,
    "gemfile": _nothing,
    "rakefile": _nothing,
    "requirements.txt": _nothing,
    "tox.ini": _nothing,
}

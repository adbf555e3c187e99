"""Which versions of packages from outside the manifests and locks of a repository ask for."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from code_insight.store import IndexedCommit, Reader

_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a manifest asks for, and what a lock has chosen."""

    version: str  # as written: ">=3.1", "^4.17.1", "v1.9.1"; "" for any
    locked: str  # the exact version in a lock file, "" without one
    path: str  # of the manifest, or of the lock where no manifest names the package


def requirements(reader: Reader) -> dict[str, Requirement]:
    """Package → what is asked for; under the name by which it is imported where that follows from the package's.

    The manifest nearest to the top wins.
    """
    return _requirements(reader.indexed)


@lru_cache(maxsize=4)  # a lock file takes a tenth of a second to read
def _requirements(indexed: IndexedCommit) -> dict[str, Requirement]:
    with Reader(indexed) as reader:
        found: dict[str, Requirement] = {}
        files = sorted(
            (file for file in reader.files() if file.blob), key=lambda file: (file.path.count("/"), file.path)
        )
        for table, is_lock in ((_MANIFESTS, False), (_LOCKS, True)):
            for file in files:
                parse = table.get(file.path.rpartition("/")[2])
                if parse is None or file.size_bytes > _MANIFEST_BYTES:
                    continue
                for name, version in _parsed(parse, reader.text(file.blob)):
                    known = found.get(name)
                    if known is None:
                        found[name] = Requirement("" if is_lock else version, version if is_lock else "", file.path)
                    elif is_lock and not known.locked:
                        found[name] = Requirement(known.version, version, known.path)
        return found


def _parsed(parse: Callable[[str], Iterator[tuple[str, str]]], text: str) -> list[tuple[str, str]]:
    try:
        return [(alias, version) for name, version in parse(text) for alias in _import_names(name)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # a manifest that its own tool would refuse says nothing


def _import_names(name: str) -> set[str]:
    """How a package may be called where it is imported: "python-dateutil" is "dateutil"."""
    plain = name.lower().replace("-", "_").replace(".", "_")
    stripped = plain.removeprefix("python_").removeprefix("py").removesuffix("_python")
    known = {"pyyaml": "yaml", "pillow": "PIL", "beautifulsoup4": "bs4", "scikit_learn": "sklearn"}.get(plain)
    return {name, plain, stripped, *((known,) if known else ())}


_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;#]*)")


def _python_requirement(text: str) -> Iterator[tuple[str, str]]:
    if match := _REQUIREMENT.match(text):
        yield match[1], match[2].strip().strip("()")


def _pyproject(text: str) -> Iterator[tuple[str, str]]:
    document = tomllib.loads(text)
    project = document.get("project", {})
    groups = [*project.get("optional-dependencies", {}).values(), *document.get("dependency-groups", {}).values()]
    for group in (project.get("dependencies", []), *groups):
        for entry in group:
            if isinstance(entry, str):
                yield from _python_requirement(entry)
    for name, version in document.get("tool", {}).get("poetry", {}).get("dependencies", {}).items():
        yield name, version if isinstance(version, str) else str(version.get("version", ""))


def _requirements_txt(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.lstrip().startswith(("-", "#")):
            yield from _python_requirement(line)


def _package_json(text: str) -> Iterator[tuple[str, str]]:
    document = json.loads(text)
    for key in ("dependencies", "peerDependencies", "optionalDependencies", "devDependencies"):
        yield from ((name, str(version)) for name, version in document.get(key, {}).items())


def _go_mod(text: str) -> Iterator[tuple[str, str]]:
    for name, version in re.findall(r"(?m)^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+)\s+(v\S+)", text):
        yield name, version
        parts = name.split("/")
        yield "/".join(parts[:3]), version


def _cargo(text: str) -> Iterator[tuple[str, str]]:
    document = tomllib.loads(text)
    tables = [document.get("workspace", {}), document, *document.get("target", {}).values()]
    for table in tables:
        for key in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, version in table.get(key, {}).items():
                yield name, version if isinstance(version, str) else str(version.get("version", ""))


def _composer(text: str) -> Iterator[tuple[str, str]]:
    document = json.loads(text)
    for key in ("require", "require-dev"):
        yield from ((name, str(version)) for name, version in document.get(key, {}).items())


def _gemfile(text: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"""(?m)^\s*gem\s+["']([^"']+)["'](?:\s*,\s*["']([^"']+)["'])?""", text)


def _toml_lock(text: str) -> Iterator[tuple[str, str]]:
    packages: list[dict[str, Any]] = tomllib.loads(text).get("package", [])
    for package in packages:
        yield str(package["name"]), str(package.get("version", ""))


def _package_lock(text: str) -> Iterator[tuple[str, str]]:
    for path, about in json.loads(text).get("packages", {}).items():
        name = path.rpartition("node_modules/")[2]
        if name and path == f"node_modules/{name}":
            yield name, str(about.get("version", ""))


def _gemfile_lock(text: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"(?m)^ {4}([\w.-]+) \(([^)]+)\)$", text)


_MANIFESTS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "pyproject.toml": _pyproject,
    "requirements.txt": _requirements_txt,
    "package.json": _package_json,
    "go.mod": _go_mod,
    "Cargo.toml": _cargo,
    "composer.json": _composer,
    "Gemfile": _gemfile,
}
_LOCKS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "uv.lock": _toml_lock,
    "poetry.lock": _toml_lock,
    "Cargo.lock": _toml_lock,
    "package-lock.json": _package_lock,
    "Gemfile.lock": _gemfile_lock,
}

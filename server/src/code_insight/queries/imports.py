"""Which file of the repository an import means, or which package from outside; by the rules of each language."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from code_insight.model import FileRole, ImportFact, SourceFile, SymbolKind
from code_insight.queries import role_order
from code_insight.store import Reader

_SCRIPTS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".json", ".vue", ".svelte", ".css")
_SCRIPT_SUFFIX = re.compile(r"\.(?:js|jsx|mjs|cjs)$")
_CONFIG_BYTES = 200_000
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """What an import means."""

    paths: tuple[str, ...] = ()  # files of this repository; several when a whole folder is imported (Go, Java's `*`)
    package: str = ""  # a package from outside
    is_standard: bool = False  # that package is the language's own library
    is_module: bool = False  # the imported name is itself the file at `paths`, and not something in it


@dataclass(frozen=True, slots=True)
class Import:
    """One import, with the file that has it and what it means; a target without paths and package is not resolved."""

    path: str
    fact: ImportFact
    target: Target


def imports(reader: Reader) -> list[Import]:
    """Every import of the commit, by path and line."""
    files = reader.files()
    resolve = ImportResolver(reader, files)
    by_blob: dict[int, list[SourceFile]] = {}
    for file in files:
        if file.blob:
            by_blob.setdefault(file.blob, []).append(file)
    found = [
        Import(file.path, fact, resolve(file, fact))
        for blob, fact in reader.imports()
        for file in by_blob.get(blob, ())
    ]
    return sorted(found, key=lambda one: (one.path, one.fact.line))


@dataclass(slots=True)
class _Places:
    """What follows of paths, languages and roles alone."""

    folders: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    python: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # dotted name → (root on the path, file)


_Listed = tuple[list[str], list[str], list[FileRole]]
_known_places: list[tuple[_Listed, _Places]] = []  # of two commits: most have what the one before has


def _places_of(files: list[SourceFile]) -> _Places:
    """The most likely file of each name first: source before tests, high before deep."""
    listed = [file.path for file in files], [file.language for file in files], [file.role for file in files]
    for known, places in _known_places:
        if known == listed:
            return places
    places = _Places()
    packages = {path.rpartition("/")[0] for path in listed[0] if path.endswith("/__init__.py")}
    for path, language, _ in sorted(
        zip(*listed, strict=True), key=lambda one: (role_order(one[2]), one[0].count("/"), one[0])
    ):
        folder, _, name = path.rpartition("/")
        places.folders.setdefault(folder, []).append(path)
        places.names.setdefault(name, []).append(path)
        if language == "python":
            for root, dotted in _python_names(path, packages):
                places.python.setdefault(dotted, []).append((root, path))
    _known_places[:] = [*_known_places[-1:], (listed, places)]
    return places


@dataclass(slots=True)
class ImportResolver:
    """Answers what an import means; what it has to know of the repository is worked out when first needed."""

    reader: Reader
    files: list[SourceFile]
    _paths: dict[str, SourceFile] = field(init=False)
    _places: _Places = field(init=False)
    _known: dict[tuple[str, str, str, str], Target] = field(default_factory=dict, init=False)
    _go: list[tuple[str, str]] | None = field(default=None, init=False)
    _npm: dict[str, str] | None = field(default=None, init=False)
    _aliases: list[tuple[str, str, str]] | None = field(default=None, init=False)
    _namespaces: dict[str, list[str]] | None = field(default=None, init=False)
    _crates: dict[str, str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        texts = [file for file in self.files if file.blob]
        self._paths = {file.path: file for file in texts}
        self._places = _places_of(texts)

    def has(self, path: str) -> bool:
        """Whether the commit has text at a path."""
        return path in self._paths

    def forget(self) -> None:
        """No answer is kept that was given."""
        self._known.clear()

    def __call__(self, file: SourceFile, fact: ImportFact) -> Target:
        resolve = _RULES.get(file.language)
        if resolve is None:
            return Target()
        key = (file.path.rpartition("/")[0] if file.language not in ("python", "rust") else file.path, file.language)
        known = (*key, fact.module, fact.name)
        if known not in self._known:
            self._known[known] = resolve(self, file, fact)
        return self._known[known]

    # Python: https://docs.python.org/3/reference/import.html

    def python(self, file: SourceFile, fact: ImportFact) -> Target:
        modules = self._places.python
        level = len(fact.module) - len(fact.module.lstrip("."))
        name = fact.module[level:]
        if level:
            folder = file.path
            for _ in range(level):
                folder = folder.rpartition("/")[0]
            return self._python_at("/".join(filter(None, [folder, *name.split(".")])), fact.name)
        top = name.partition(".")[0]
        is_standard = top in sys.stdlib_module_names
        folder = file.path.rpartition("/")[0]
        whole = f"{name}.{fact.name}" if fact.name not in ("", "*") else name
        for candidate in dict.fromkeys((whole, name, name.rpartition(".")[0])):
            for root, path in modules.get(candidate, ()):
                # A script sees what stands beside it; everybody sees what is not the standard library's.
                if root == folder or not is_standard:
                    return Target((path,), is_module=candidate == whole)
        return Target() if top in modules and not is_standard else Target(package=top, is_standard=is_standard)

    def _python_at(self, place: str, name: str) -> Target:
        inside = (f"{place}/{name}.py", f"{place}/{name}/__init__.py", f"{place}/{name}.pyi")
        for path in inside if name not in ("", "*") else ():
            if path in self._paths:
                return Target((path,), is_module=True)
        for path in (f"{place}.py", f"{place}/__init__.py", f"{place}.pyi"):
            if path in self._paths:
                return Target((path,), is_module=name in ("", "*"))
        return Target()

    # JavaScript and TypeScript: https://nodejs.org/api/modules.html#all-together

    def script(self, file: SourceFile, fact: ImportFact) -> Target:
        if fact.module.startswith("."):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), fact.module))
            return self._script_at(place) or Target()
        for prefix, suffix, place in self._script_aliases():
            if fact.module.startswith(prefix) and fact.module.endswith(suffix):
                middle = fact.module[len(prefix) : len(fact.module) - len(suffix)]
                if found := self._script_at(posixpath.normpath(place.replace("*", middle))):
                    return found
        parts = fact.module.split("/")
        package = "/".join(parts[:2]) if fact.module.startswith("@") else parts[0]
        if home := self._npm_packages().get(package):
            rest = "/".join(parts[package.count("/") + 1 :])
            tries = (f"{home}/{rest}", f"{home}/src/{rest}") if rest else (f"{home}/src", home)
            return next((found for place in tries if (found := self._script_at(place.lstrip("/")))), Target())
        return Target(package=package.removeprefix("node:"), is_standard=package.removeprefix("node:") in _NODE)

    def _script_at(self, place: str) -> Target | None:
        plain = _SCRIPT_SUFFIX.sub("", place)
        tries = [place, *(place + suffix for suffix in _SCRIPTS), *(plain + suffix for suffix in _SCRIPTS)]
        tries += [f"{place}/index{suffix}" for suffix in _SCRIPTS]
        return next((Target((path,)) for path in tries if path in self._paths), None)

    def _npm_packages(self) -> dict[str, str]:
        """Name → folder of the packages in this repository (workspaces)."""
        if self._npm is None:
            self._npm = {}
            for path in self._places.names.get("package.json", ()):
                name = self._json(path).get("name")
                if isinstance(name, str):
                    self._npm.setdefault(name, posixpath.dirname(path))
        return self._npm

    def _script_aliases(self) -> list[tuple[str, str, str]]:
        """(prefix, suffix, place with *) of each `paths` entry of a tsconfig: https://www.typescriptlang.org/tsconfig/#paths"""
        if self._aliases is None:
            self._aliases = []
            configs = (*self._places.names.get("tsconfig.json", ()), *self._places.names.get("tsconfig.base.json", ()))
            for path in configs:
                options = self._json(path).get("compilerOptions")
                options = options if isinstance(options, dict) else {}
                base = posixpath.join(posixpath.dirname(path), str(options.get("baseUrl", ".")))
                paths = options.get("paths")
                for pattern, places in (paths if isinstance(paths, dict) else {}).items():
                    prefix, _, suffix = str(pattern).partition("*")
                    for place in places if isinstance(places, list) else ():
                        self._aliases.append((prefix, suffix, posixpath.join(base, str(place))))
        return self._aliases

    # Go: https://go.dev/ref/mod#module-path

    def go(self, _file: SourceFile, fact: ImportFact) -> Target:
        for module, folder in self._go_modules():
            if fact.module == module or fact.module.startswith(f"{module}/"):
                place = posixpath.join(folder, fact.module[len(module) + 1 :]).rstrip("/")
                return Target(
                    tuple(p for p in self._places.folders.get(place, ()) if p.endswith(".go") and "_test.go" not in p)
                )
        first = fact.module.partition("/")[0]
        return Target(package=_go_package(fact.module), is_standard="." not in first)

    def _go_modules(self) -> list[tuple[str, str]]:
        if self._go is None:
            found = []
            for path in self._places.names.get("go.mod", ()):
                match = re.search(r"(?m)^module\s+(\S+)", self.reader.text(self._paths[path].blob)[:_CONFIG_BYTES])
                if match:
                    found.append((match[1].strip('"'), posixpath.dirname(path)))
            self._go = sorted(found, key=lambda pair: -len(pair[0]))
        return self._go

    # Rust: https://doc.rust-lang.org/reference/paths.html

    def rust(self, file: SourceFile, fact: ImportFact) -> Target:
        parts = [*fact.module.split("::"), *([fact.name] if fact.name not in ("", "*") else [])]
        stem = re.sub(r"(/mod|/lib|/main)?\.rs$", "", file.path)
        root = self.crate_root(file.path)
        if parts[0] == "crate":
            return self._rust_at(root, parts[1:])
        beside = posixpath.dirname(file.path)  # of a crate's root that is not called so, such as tests/all.rs
        if parts[0] == "self" and len(parts) > 1 and not self._has_rust_module(stem, parts[1]):
            return self._rust_at(beside, parts[1:])
        if parts[0] in ("self", "super"):
            while parts and parts[0] in ("self", "super"):
                stem = posixpath.dirname(stem) if parts[0] == "super" else stem
                parts = parts[1:]
            return self._rust_at(stem, parts)
        crates = self._crate_folders()
        if parts[0] in crates:
            return self._rust_at(f"{crates[parts[0]]}/src".lstrip("/"), parts[1:])
        local = self._rust_at(stem if self._has_rust_module(stem, parts[0]) else beside, parts)
        if local.paths and local.paths[0] != file.path:
            return local
        return Target(package=parts[0], is_standard=parts[0] in ("std", "core", "alloc", "proc_macro", "test"))

    def _has_rust_module(self, place: str, name: str) -> bool:
        return any(f"{place}/{name}{suffix}".lstrip("/") in self._paths for suffix in (".rs", "/mod.rs"))

    def _rust_at(self, place: str, parts: list[str]) -> Target:
        """The deepest module that the path names; what follows is an item in it."""
        for count in range(len(parts), -1, -1):
            stem = "/".join([place, *parts[:count]])
            names = (f"{stem}.rs", f"{stem}/mod.rs", *((f"{stem}/lib.rs", f"{stem}/main.rs") if not count else ()))
            if found := next((name for name in names if name in self._paths), None):
                return Target((found,))
        return Target()

    def crate_root(self, path: str) -> str:
        """The folder of the crate of Rust that a file belongs to: that of its lib.rs or main.rs."""
        folder = posixpath.dirname(path)
        while folder and not {f"{folder}/lib.rs", f"{folder}/main.rs"} & self._paths.keys():
            folder = posixpath.dirname(folder)
        return folder

    def _crate_folders(self) -> dict[str, str]:
        if self._crates is None:
            self._crates = {}
            for path in self._places.names.get("Cargo.toml", ()):
                text = self.reader.text(self._paths[path].blob)[:_CONFIG_BYTES]
                match = re.search(r'(?ms)^\[package\].*?^name\s*=\s*"([^"]+)"', text)
                if match:
                    self._crates[match[1].replace("-", "_")] = posixpath.dirname(path)
        return self._crates

    # Java: a class stands in a file of its name, below folders of its package's.

    def java(self, _file: SourceFile, fact: ImportFact) -> Target:
        place = fact.module.replace(".", "/")
        if fact.name == "*":
            folders = [folder for folder in self._places.folders if folder == place or folder.endswith(f"/{place}")]
            found = [path for folder in folders for path in self._places.folders[folder] if path.endswith(".java")]
            if found:
                return Target(tuple(found))
        for name in (f"{place}/{fact.name}", place, posixpath.dirname(place)):
            if path := self._ending_with(f"{name}.java"):
                return Target((path,))
        package = ".".join(fact.module.split(".")[:3])
        return Target(package=package, is_standard=package.startswith(("java.", "javax.")))

    # C and C++: beside the file, then anywhere in the repository; what is not there comes from outside.

    def include(self, file: SourceFile, fact: ImportFact) -> Target:
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), fact.module))
        if beside in self._paths:
            return Target((beside,))
        if not posixpath.splitext(fact.module)[1] and fact.name:
            return Target()  # `using`, not an include
        if path := self._ending_with(fact.module):
            return Target((path,))
        return Target(package=fact.module, is_standard=fact.module in _C_STANDARD or "." not in fact.module)

    # C#: a namespace is wherever somebody declares it.

    def csharp(self, _file: SourceFile, fact: ImportFact) -> Target:
        if self._namespaces is None:
            self._namespaces = {}
            for symbol in self.reader.symbols_of_kind(SymbolKind.NAMESPACE):
                if symbol.language == "csharp":
                    self._namespaces.setdefault(symbol.qualified_name, []).append(symbol.path)
        name = fact.module
        found = self._namespaces.get(name) or self._namespaces.get(name.rpartition(".")[0], [])
        if found:
            return Target(tuple(dict.fromkeys(found)))
        return Target(package=".".join(name.split(".")[:2]), is_standard=name.partition(".")[0] == "System")

    def ruby(self, file: SourceFile, fact: ImportFact) -> Target:
        name = fact.module.removesuffix(".rb") + ".rb"
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name))
        if beside in self._paths:
            return Target((beside,))
        if path := self._ending_with(f"lib/{name}") or (self._ending_with(name) if "/" in name else ""):
            return Target((path,))
        return Target(package=fact.module.partition("/")[0], is_standard=False)

    def php(self, file: SourceFile, fact: ImportFact) -> Target:
        if fact.module.endswith((".php", ".inc")):
            place = posixpath.join(posixpath.dirname(file.path), fact.module.lstrip("/"))
            found = posixpath.normpath(place)
            return Target((found,)) if found in self._paths else Target()
        parts = [*fact.module.split("\\"), *([fact.name] if fact.name else [])]
        for start in range(len(parts)):  # PSR-4: a namespace's beginning is mapped to a folder
            path = self._ending_with("/".join(parts[start:]) + ".php")
            if path and (start < len(parts) - 1 or len(parts) == 1):
                return Target((path,))
        return Target(package="\\".join(parts[:2]) if len(parts) > 1 else "", is_standard=len(parts) == 1)

    def shell(self, file: SourceFile, fact: ImportFact) -> Target:
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), fact.module))
        path = beside if beside in self._paths else self._ending_with(fact.module.lstrip("./"))
        return Target((path,)) if path else Target()

    def _ending_with(self, ending: str) -> str:
        """The best file whose path ends so, at the border of a segment; "" for none."""
        names = self._places.names.get(ending.rpartition("/")[2], ())
        return next((path for path in names if path == ending or path.endswith(f"/{ending}")), "")

    def _json(self, path: str) -> dict[str, object]:
        try:
            text = self.reader.text(self._paths[path].blob)[:_CONFIG_BYTES]
            value = json.loads(re.sub(r",(\s*[}\]])", r"\1", _COMMENT.sub(lambda m: m[1] or "", text)))
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def _python_names(path: str, packages: set[str]) -> Iterator[tuple[str, str]]:
    """(root, dotted name) under which a file may be imported: below its package's root, or a folder above that."""
    root, _, name = path.rpartition("/")
    stem = name.removesuffix(".pyi").removesuffix(".py")
    parts = [] if stem == "__init__" else [stem]
    while root in packages:
        parts.insert(0, root.rpartition("/")[2])
        root = root.rpartition("/")[0]
    segments = [segment for segment in root.split("/") if segment]
    for start in range(len(segments), -1, -1):  # namespace packages: no __init__.py says where the root is
        yield "/".join(segments[:start]), ".".join([*segments[start:], *parts])


def _go_package(module: str) -> str:
    """ "github.com/owner/name" of a path below it; the whole of one from elsewhere."""
    parts = module.split("/")
    return "/".join(parts[:3]) if "." in parts[0] and len(parts) > 3 else module


def packages(found: Iterable[Import]) -> dict[str, set[str]]:
    """Package from outside → the files that import it; the languages' own libraries are left out."""
    used: dict[str, set[str]] = {}
    for one in found:
        if one.target.package and not one.target.is_standard:
            used.setdefault(one.target.package, set()).add(one.path)
    return used


_RULES: dict[str, Callable[[ImportResolver, SourceFile, ImportFact], Target]] = {
    "python": ImportResolver.python,
    "javascript": ImportResolver.script,
    "typescript": ImportResolver.script,
    "tsx": ImportResolver.script,
    "go": ImportResolver.go,
    "rust": ImportResolver.rust,
    "java": ImportResolver.java,
    "c": ImportResolver.include,
    "cpp": ImportResolver.include,
    "csharp": ImportResolver.csharp,
    "ruby": ImportResolver.ruby,
    "php": ImportResolver.php,
    "bash": ImportResolver.shell,
}
_NODE = frozenset(
    """
    assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain
    events fs fs/promises http http2 https inspector module net os path perf_hooks process punycode querystring
    readline repl stream string_decoder sys test timers tls trace_events tty url util v8 vm wasi worker_threads zlib
    """.split()  # noqa: SIM905 - a table that is read, not typed
)
_C_STANDARD = frozenset(
    f"{name}.h"
    for name in """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar unistd wchar wctype
    sys/types sys/stat sys/time sys/socket fcntl pthread dirent netdb poll
    """.split()  # noqa: SIM905 - the same
)

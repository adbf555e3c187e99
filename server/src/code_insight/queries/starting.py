"""Where a project starts, and how it is built and tested: what its manifests say, in their tools' own words."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from code_insight.model import FileRole, SourceFile, is_aside
from code_insight.store import Reader

_MOST_BYTES = 200_000
_DEEPEST = 3  # folders above a manifest that is looked at


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where something begins."""

    what: str  # "command", "library", "main function", "container", …
    name: str
    target: str  # what it runs, or where it stands


@dataclass(frozen=True, slots=True)
class Command:
    """How to build or test, from the repository's top."""

    what: str  # "build" or "test"
    line: str  # what to type
    because: str  # the path that says so


@dataclass(slots=True)
class Said:
    """What the manifests say, the outermost first."""

    name: str = ""
    description: str = ""
    entry_points: list[EntryPoint] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)


class _Manifest(NamedTuple):
    path: str
    text: str
    paths: set[str]  # of all files

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    def at(self, line: str) -> str:
        """The command, run where the manifest is."""
        return f"cd {self.folder} && {line}" if self.folder else line


_Parse = Callable[[Said, _Manifest], None]


def read_manifests(reader: Reader, files: list[SourceFile]) -> Said:
    """What the manifests among `files` say; examples' and tests' are left out."""
    said = Said()
    paths = {file.path for file in files}
    shallow = sorted((f for f in files if f.role in (FileRole.SOURCE, FileRole.GENERATED)), key=_outermost_first)
    for file in shallow:
        name = file.path.rpartition("/")[2].lower()
        parse = _PARSERS.get(name) or _PARSERS.get(f"*.{name.rpartition('.')[2]}")
        if parse is None or file.path.count("/") > _DEEPEST or is_aside(file.path):
            continue
        said.manifests.append(file.path)
        if file.blob and file.size_bytes <= _MOST_BYTES:
            try:
                parse(said, _Manifest(file.path, reader.text(file.blob), paths))
            except (ValueError, KeyError, TypeError, AttributeError, configparser.Error, RecursionError):
                continue  # a manifest that its own tool would refuse says nothing
    _python_programs(said, paths, shallow)
    _c_headers(said, paths)
    return said


def _outermost_first(file: SourceFile) -> tuple[int, str]:
    return file.path.count("/"), file.path


def _command(said: Said, what: str, line: str, because: str) -> None:
    if all(known.line != line for known in said.commands):
        said.commands.append(Command(what, line, because))


def _describe(said: Said, name: object, description: object) -> None:
    said.name = said.name or (name if isinstance(name, str) else "")
    said.description = said.description or (" ".join(description.split()) if isinstance(description, str) else "")


# Python.


def _pyproject(said: Said, it: _Manifest) -> None:
    document = tomllib.loads(it.text)
    tools = document.get("tool", {})
    project = document.get("project") or tools.get("poetry", {})
    _describe(said, project.get("name"), project.get("description"))
    for table in ("scripts", "gui-scripts"):
        said.entry_points += [EntryPoint("command", str(n), str(t)) for n, t in project.get(table, {}).items()]
    for group, entries in project.get("entry-points", {}).items():
        said.entry_points += [EntryPoint(f"plugin of {group}", str(n), str(t)) for n, t in entries.items()]
    for tool in ("pytest", "tox"):
        if tool in tools:
            _command(said, "test", it.at(tool), it.path)


def _setup_cfg(said: Said, it: _Manifest) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(it.text)
    _describe(said, parser.get("metadata", "name", fallback=None), parser.get("metadata", "description", fallback=None))
    for line in parser.get("options.entry_points", "console_scripts", fallback="").splitlines():
        name, _, target = line.partition("=")
        if target:
            said.entry_points.append(EntryPoint("command", name.strip(), target.strip()))
    if parser.has_section("tool:pytest"):
        _command(said, "test", it.at("pytest"), it.path)


def _setup_py(said: Said, it: _Manifest) -> None:
    for name, target in re.findall(r"[\"']([\w.-]{1,80})\s*=\s*([\w.]{1,200}:[\w.]{1,200})[\"']", it.text)[:20]:
        said.entry_points.append(EntryPoint("command", name, target))


def _python_programs(said: Said, paths: set[str], files: Iterable[SourceFile]) -> None:
    packages = 0
    for file in files:
        folder, _, name = file.path.rpartition("/")
        if is_aside(file.path) or file.role is not FileRole.SOURCE:
            continue
        if name == "__main__.py":
            said.entry_points.append(EntryPoint("module", f"python -m {_module(folder, paths)}", file.path))
        elif name == "__init__.py" and _module(folder, paths) == folder.rpartition("/")[2] and packages < 4:
            packages += 1
            said.entry_points.append(EntryPoint("library", f"import {_module(folder, paths)}", file.path))
        elif file.path == "manage.py":
            said.entry_points.append(EntryPoint("command", "python manage.py", file.path))


def _module(folder: str, paths: set[str]) -> str:
    """The dotted name of a package: from the outermost folder that is a package itself."""
    parts = folder.split("/")
    first = len(parts) - 1
    while first > 0 and f"{'/'.join(parts[:first])}/__init__.py" in paths:
        first -= 1
    return ".".join(parts[first:])


def _runs_tests(line: str) -> _Parse:
    def parse(said: Said, it: _Manifest) -> None:
        _command(said, "test", it.at(line), it.path)

    return parse


# JavaScript.


def _package_json(said: Said, it: _Manifest) -> None:
    package: dict[str, Any] = json.loads(it.text)
    name = package.get("name")
    _describe(said, name, package.get("description"))
    binaries = package.get("bin", {})
    for command, target in ({name: binaries} if isinstance(binaries, str) else binaries).items():
        said.entry_points.append(EntryPoint("command", str(command), str(target)))
    main = next((package[key] for key in ("module", "main") if isinstance(package.get(key), str)), "")
    if main or f"{it.folder}/index.js".lstrip("/") in it.paths:
        said.entry_points.append(EntryPoint("library", f"import '{name}'", main or "index.js"))
    runner = next((tool for lock, tool in _LOCKS.items() if lock in it.paths), "npm")
    for script in ("build", "test"):
        if script in package.get("scripts", {}):
            line = f"{runner} {'run ' if script == 'build' or runner == 'bun' else ''}{script}"
            _command(said, script, it.at(line), f"{it.path}: {_short(package['scripts'][script])}")


def _short(text: object) -> str:
    folded = " ".join(str(text).split())
    return folded if len(folded) <= 100 else f"{folded[:99]}…"


_LOCKS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun"}


# Rust, Go.


def _cargo(said: Said, it: _Manifest) -> None:
    manifest = tomllib.loads(it.text)
    package, folder = manifest.get("package", {}), f"{it.folder}/".lstrip("/")
    _describe(said, package.get("name"), package.get("description"))
    for binary in manifest.get("bin", []):
        said.entry_points.append(EntryPoint("command", str(binary["name"]), str(binary.get("path", "src/main.rs"))))
    library = manifest.get("lib", {}).get("path", "src/lib.rs")
    if package and f"{folder}{library}" in it.paths:
        said.entry_points.append(EntryPoint("library", f"crate {package['name']}", f"{folder}{library}"))
    if it.path == "Cargo.toml" or "Cargo.toml" not in it.paths:
        every = " --workspace" if "workspace" in manifest else ""
        _command(said, "build", it.at(f"cargo build{every}"), it.path)
        _command(said, "test", it.at(f"cargo test{every}"), it.path)


def _go_mod(said: Said, it: _Manifest) -> None:
    if match := re.search(r"(?m)^module\s+(\S+)", it.text):
        _describe(said, match[1], None)
        said.entry_points.append(EntryPoint("library", f'import "{match[1]}"', it.path))
    _command(said, "build", it.at("go build ./..."), it.path)
    _command(said, "test", it.at("go test ./..."), it.path)


# The others.


def _always(build: str, test: str) -> _Parse:
    """A manifest whose tool builds and tests in one way; only the outermost one counts."""

    def parse(said: Said, it: _Manifest) -> None:
        suffix = it.path.rpartition("/")[2].rpartition(".")[2].lower()
        if any(known.lower().endswith(suffix) for known in said.manifests[:-1]):
            return
        for what, line in (("build", build), ("test", test)):
            if line:
                _command(said, what, it.at(line), it.path)

    return parse


def _makefile(said: Said, it: _Manifest) -> None:
    targets = list(dict.fromkeys(re.findall(r"(?m)^([A-Za-z][\w-]*)[ \t]*:(?![=:])", it.text)))
    if targets:
        _command(said, "build", it.at("make"), f"{it.path}: {' '.join(targets[:10])}")
    if tests := [name for name in targets if name in ("test", "tests", "check")]:
        _command(said, "test", it.at(f"make {tests[0]}"), it.path)


def _dockerfile(said: Said, it: _Manifest) -> None:
    for instruction, value in re.findall(r"(?m)^(ENTRYPOINT|CMD)[ \t]+(.+)$", it.text)[-2:]:
        said.entry_points.append(EntryPoint("container", f"{instruction} {value.strip()[:120]}", it.path))


def _composer(said: Said, it: _Manifest) -> None:
    package = json.loads(it.text)
    _describe(said, package.get("name"), package.get("description"))
    for name, folder in package.get("autoload", {}).get("psr-4", {}).items():
        said.entry_points.append(EntryPoint("library", f"namespace {name}", str(folder)))
    if "test" in package.get("scripts", {}):
        _command(said, "test", it.at("composer test"), f"{it.path}: {_short(package['scripts']['test'])}")


def _gemspec(said: Said, it: _Manifest) -> None:
    found = {key: value for key, _, value in re.findall(r"\.(name|summary)\s*=\s*([\"'])(.{1,200}?)\2", it.text)}
    _describe(said, found.get("name"), found.get("summary"))
    for path in sorted(it.paths):
        folder, _, name = path.rpartition("/")
        if folder in ("exe", "bin") and re.search(rf"executables.*\b({re.escape(name)}\b|{folder}/)", it.text):
            said.entry_points.append(EntryPoint("command", name, path))
    library = f"lib/{found.get('name')}.rb"
    if library in it.paths:
        said.entry_points.append(EntryPoint("library", f"require '{found['name']}'", library))


def _dotnet(said: Said, it: _Manifest) -> None:
    """Only the outermost solution, or project; its name is said where there are several to choose from."""
    suffix = it.path.rpartition(".")[2].lower()
    if suffix == "csproj" and "<OutputType>Exe" not in it.text:
        said_name = re.search(r"<AssemblyName>\s*([\w.-]{1,200})", it.text)
        name = said_name[1] if said_name else it.path.rpartition("/")[2].removesuffix(".csproj")
        library = EntryPoint("library", name, it.folder or it.path)
        said.entry_points += [library] if library not in said.entry_points else []
    if any("dotnet build" in command.line for command in said.commands):
        return
    beside = [path for path in it.paths if path.rpartition("/")[0] == it.folder and path.lower().endswith(suffix)]
    best = min(beside, key=lambda path: (len(path), path)).rpartition("/")[2]
    name = f" {best}" if len(beside) > 1 else ""
    _command(said, "build", it.at(f"dotnet build{name}"), it.path)
    _command(said, "test", it.at(f"dotnet test{name}"), it.path)


def _c_headers(said: Said, paths: set[str]) -> None:
    """A folder of headers that others include: include/fmt/, include/zlib.h."""
    folders = {path.split("/")[1] for path in paths if re.fullmatch(r"include/[^/]+/[^/]+\.(?:h|hpp|hh|hxx)", path)}
    for folder in sorted(folders)[:4]:
        said.entry_points.append(EntryPoint("library", f"#include <{folder}/…>", f"include/{folder}"))


def _maven(said: Said, it: _Manifest) -> None:
    """Only what nobody needs an XML parser for."""
    text = re.sub(r"(?s)<(parent|dependencies|build|dependencyManagement)>.*?</\1>", "", it.text)
    found = dict(re.findall(r"<(name|artifactId|description)>\s*([^<]{1,400}?)\s*<", text))
    _describe(said, found.get("name") or found.get("artifactId"), found.get("description"))
    group = re.search(r"<groupId>\s*([\w.-]{1,200})\s*<", it.text)
    has_code = any(path.startswith(f"{it.folder}/src/main/".lstrip("/")) for path in it.paths)
    if group and has_code and found.get("artifactId"):
        said.entry_points.append(EntryPoint("library", f"{group[1]}:{found['artifactId']}", it.path))
    _always("mvn package", "mvn test")(said, it)


TOOLS_OF = {  # manifest → family of the language whose projects are built with it
    "pyproject.toml": "python",
    "setup.cfg": "python",
    "tox.ini": "python",
    "noxfile.py": "python",
    "pytest.ini": "python",
    "package.json": "javascript",
    "cargo.toml": "rust",
    "go.mod": "go",
    "composer.json": "php",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "pom.xml": "java",
    "build.gradle": "java",
    "build.gradle.kts": "java",
}
_PARSERS: dict[str, _Parse] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "tox.ini": _runs_tests("tox"),
    "noxfile.py": _runs_tests("nox"),
    "pytest.ini": _runs_tests("pytest"),
    "package.json": _package_json,
    "cargo.toml": _cargo,
    "go.mod": _go_mod,
    "makefile": _makefile,
    "gnumakefile": _makefile,
    "dockerfile": _dockerfile,
    "pom.xml": _maven,
    "build.gradle": _always("gradle build", "gradle test"),
    "build.gradle.kts": _always("gradle build", "gradle test"),
    "cmakelists.txt": _always("cmake -B build && cmake --build build", "ctest --test-dir build"),
    "meson.build": _always("meson setup build && ninja -C build", "meson test -C build"),
    "configure.ac": _always("./configure && make", "make check"),
    "composer.json": _composer,
    "phpunit.xml": _runs_tests("vendor/bin/phpunit"),
    "phpunit.xml.dist": _runs_tests("vendor/bin/phpunit"),
    "rakefile": _always("rake", ""),
    "gemfile": _always("bundle install", ""),
    "*.gemspec": _gemspec,
    "*.sln": _dotnet,
    "*.csproj": _dotnet,
}


_MAIN_LANGUAGES = frozenset({"go", "rust", "c", "cpp", "java", "csharp"})


def main_functions(reader: Reader, files: dict[str, SourceFile]) -> Iterator[EntryPoint]:
    """The functions where programs begin, by path."""
    for symbol in [*reader.symbols_named("main"), *reader.symbols_named("Main")]:
        file = files.get(symbol.path)
        is_main = symbol.kind in ("function", "method") and symbol.language in _MAIN_LANGUAGES
        is_top = symbol.parent < 0 or symbol.language in ("java", "csharp")
        if file and is_main and is_top and file.role is FileRole.SOURCE and not is_aside(symbol.path):
            yield EntryPoint("main function", symbol.qualified_name, f"{symbol.path}:{symbol.start_line}")

"""Compare our definitions with those of universal-ctags, over other people's code.

    python benchmarks/definitions.py                    packages that it fetches with the ordinary package clients
    python benchmarks/definitions.py <folder> ...       any source trees
    python benchmarks/definitions.py --language python --show      also print what only one of the two found

A definition counts as found when we have one of the same name that begins, or whose name stands, on the same line.
Both can be wrong: ctags reads some languages by pattern, and some kinds are a matter of definition; what is known of
that is listed in `NOT_COMPARED`. Needs `ctags` with JSON output; a package client that is missing is said and skipped.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from code_insight import parsing
from code_insight.languages import HEAD_CHARACTERS, Language, by_name, is_generated, language_of
from code_insight.model import Facts, SkipReason, SymbolKind

CACHE = Path.home() / ".cache" / "code-insight-benchmarks"
MOST_BYTES = 1 << 20
MOST_FILES = 1500  # per language

PYTHON = ("flask", "django", "click", "rich")
NPM = ("express", "lodash", "commander", "rxjs", "zod", "react-native", "@tanstack/react-query", "ra-ui-materialui")
GO = ("github.com/spf13/cobra@v1.8.1", "github.com/gin-gonic/gin@v1.10.0", "github.com/prometheus/common@v0.55.0")
RUST = {"serde": "1", "tokio": "1", "clap": "4", "regex": "1"}
JAVA = (
    "com.google.code.gson:gson:2.11.0",
    "org.junit.jupiter:junit-jupiter-api:5.10.2",
    "com.google.guava:guava:33.2.1-jre",
)
DEBIAN = (
    *("zlib", "jq", "lua5.4", "curl", "fmtlib", "leveldb", "nlohmann-json3", "re2"),
    *("ruby-rack", "ruby-sinatra", "rake"),
    *("php-monolog", "php-guzzlehttp-psr7", "php-twig", "composer"),
    *("bash-completion", "debootstrap", "devscripts"),
    *("dbus-sharp", "keepass2"),
)

CTAGS_NAMES = {
    "python": "Python",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "tsx": "TypeScript",
    "go": "Go",
    "rust": "Rust",
    "java": "Java",
    "c": "C",
    "cpp": "C++",
    "csharp": "C#",
    "ruby": "Ruby",
    "php": "PHP",
    "bash": "Sh",
}
# The kinds of ctags that are functions, methods, classes and types, in all languages together.
COMPARED = frozenset(
    {"function", "method", "func", "methodSpec", "class", "interface", "struct", "enum", "union", "trait", "type"}
    | {"typedef", "module", "singletonMethod", "implementation", "enumName", "generator", "getter", "setter"}
    | {"constructor", "prototype", "namespace", "talias"}
)
# Where ctags and we mean different things by one word.
NOT_COMPARED = {
    ("rust", "implementation"),  # `impl` blocks are no symbols of ours: their methods belong to the type
    ("rust", "module"),  # `mod m;` without a body is an import
    ("csharp", "typedef"),  # `using x = y` is an import
    ("python", "namespace"),  # `import x as y` is an import
    ("javascript", "class"),  # every object literal with members is a class for ctags
}


@dataclass(slots=True)
class Score:
    files: int = 0
    size_bytes: int = 0
    cpu_seconds: float = 0.0
    theirs: int = 0
    found: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    only_ours: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.theirs if self.theirs else 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a file made a parser crash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="source trees; default: fetched packages")
    parser.add_argument("--language", help="compare this one only")
    parser.add_argument("--show", action="store_true", help="also print 40 definitions that only one of the two found")
    arguments = parser.parse_args(argv)
    files = source_files(arguments.folders or fetched_folders())
    scores = {name: score(name, paths) for name, paths in sorted(files.items()) if arguments.language in (None, name)}
    print_table(scores)
    for result in scores.values() if arguments.show else ():
        print_differences(result)
    return 1 if any(score.skipped for score in scores.values()) else 0


# --- what is compared ------------------------------------------------------------------------------------------------


def source_files(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """The files of each language that has symbols and that ctags knows."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted({path for folder in folders for path in folder.rglob("*")}):
        language = language_to_compare(path)
        if language is not None and len(found[language.name]) < MOST_FILES:
            found[language.name].append(path)
    return found


def language_to_compare(path: Path) -> Language | None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    head = path.read_bytes()[:HEAD_CHARACTERS].decode("utf-8", "replace")
    language = language_of(path.as_posix(), head)
    if language is None or language.name not in CTAGS_NAMES or is_generated(path.as_posix(), head):
        return None
    return language


def score(language: str, paths: list[Path]) -> Score:
    """How our definitions in these files compare with those of ctags."""
    result = Score(files=len(paths))
    theirs = ctags_definitions(language, paths)
    limits = parsing.ParseLimits(workers=1)
    texts = ((path, language, path.read_bytes()) for path in paths)
    with parsing.ParserPool(limits) as pool:
        for path, facts in pool.parse_many(texts):
            if isinstance(facts, SkipReason):
                result.skipped[facts] += 1
            else:
                compare(language, path, facts, theirs[path.as_posix()], result)
    measure(language, paths, result)
    return result


def compare(language: str, path: Path, facts: Facts, theirs: list[tuple[str, int, str]], result: Score) -> None:
    ours = {(s.name.replace(" ", ""), line) for s in facts.symbols for line in (s.start_line, s.name_line)}
    names = {name for name, _ in ours}
    spaces = {s.name_line for s in facts.symbols if s.kind is SymbolKind.NAMESPACE}
    known = {(name, line) for name, line, _ in theirs}
    for name, line, kind in theirs:
        if not is_compared(language, name, kind):
            continue
        if kind == "prototype" and (name.isupper() or not path.suffix.startswith(".h")):
            continue  # most of these are calls, of a macro or in a function
        found = (
            (name, line) in ours
            or (language in ("typescript", "tsx") and (name, line - 1) in ours)  # ctags is a line late before `extends`
            or (kind == "prototype" and name in names)  # of a function that this file defines, we have the definition
            or (kind == "namespace" and line in spaces)  # of `a::b` ctags makes two
        )
        result.theirs += 1
        result.found += found
        if not found:
            result.missed.append(f"{kind} {name} {path}:{line}")
    for symbol in facts.symbols:
        if not {(symbol.name, symbol.start_line), (symbol.name, symbol.name_line)} & known:
            result.only_ours.append(f"{symbol.kind} {symbol.container}.{symbol.name} {path}:{symbol.name_line}")


def is_compared(language: str, name: str, kind: str) -> bool:
    return kind in COMPARED and (language, kind) not in NOT_COMPARED and not name.startswith(("__anon", "Anonymous"))


def ctags_definitions(language: str, paths: list[Path]) -> dict[str, list[tuple[str, int, str]]]:
    """Name, line and kind of each definition that ctags sees, by path."""
    command = ["ctags", "--output-format=json", "--fields=+nK", "--kinds-C=+p", "--kinds-C++=+p", "-f", "-"]
    command += [f"--language-force={CTAGS_NAMES[language]}", "-L", "-"]
    listing = "\n".join(path.as_posix() for path in paths)
    output = subprocess.run(command, input=listing, capture_output=True, text=True, errors="replace", check=True).stdout
    found: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for tag in map(json.loads, output.strip().split("\n")):
        if tag["_type"] == "tag":
            found[tag["path"]].append((tag["name"].replace(" ", ""), tag["line"], tag["kind"]))
    return found


def measure(language: str, paths: list[Path], result: Score) -> None:
    """Add the CPU time of parsing alone, in this process; only for files that a worker survived."""
    if result.skipped:
        return
    texts = [path.read_bytes() for path in paths]
    row = by_name()[language]
    parsing.parse(row, b"")
    start = time.process_time()
    for text in texts:
        parsing.parse(row, text)
    result.cpu_seconds = time.process_time() - start
    result.size_bytes = sum(map(len, texts))


# --- what is printed -------------------------------------------------------------------------------------------------


def print_table(scores: dict[str, Score]) -> None:
    print(f"{'language':12}{'files':>7}{'ctags':>8}{'found':>8}{'recall':>8}{'only ours':>11}{'MB/s CPU':>10}  skipped")
    for name, result in scores.items():
        speed = f"{result.size_bytes / 1e6 / result.cpu_seconds:.1f}" if result.cpu_seconds else "-"
        skipped = ", ".join(f"{count} {reason}" for reason, count in result.skipped.items()) or "-"
        numbers = f"{result.files:7}{result.theirs:8}{result.found:8}{result.recall:8.3f}{len(result.only_ours):11}"
        print(f"{name:12}{numbers}{speed:>10}  {skipped}")


def print_differences(result: Score) -> None:
    chance = random.Random(0)
    for title, lines in (("ctags has, we lack", result.missed), ("we have, ctags lacks", result.only_ours)):
        print(f"\n{title}: {len(lines)}")
        for line in chance.sample(lines, min(40, len(lines))):
            print("  ", line)


# --- packages --------------------------------------------------------------------------------------------------------


def fetched_folders() -> list[Path]:
    """A folder of sources for each package client; fetched once, then kept."""
    fetchers: dict[str, Callable[[Path], None]] = {
        "python": fetch_python,
        "npm": fetch_npm,
        "go": fetch_go,
        "rust": fetch_rust,
        "java": fetch_java,
        "debian": fetch_debian,
    }
    return [folder for name, fetch in fetchers.items() if (folder := fetched(name, fetch)) is not None]


def fetched(name: str, fetch: Callable[[Path], None]) -> Path | None:
    folder = CACHE / name
    if folder.exists():
        return folder
    unfinished = CACHE / f"{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        fetch(unfinished)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"Not fetched: {name}: {error}", file=sys.stderr)
        return None
    return unfinished.rename(folder)


def run(command: Sequence[str | Path], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600).stdout


def fetch_python(folder: Path) -> None:
    pip = ["uv", "pip"] if shutil.which("uv") else ["pip"]
    run([*pip, "install", "--no-deps", "--target", folder, *PYTHON], folder)


def fetch_npm(folder: Path) -> None:
    for package in NPM:
        archive = run(["npm", "pack", "--silent", package], folder).split()[-1]
        unpack(folder / archive, folder / archive.removesuffix(".tgz"))


def fetch_go(folder: Path) -> None:
    for module in GO:
        source = json.loads(run(["go", "mod", "download", "-json", module], folder))["Dir"]
        shutil.copytree(source, folder / Path(source).name, copy_function=shutil.copyfile)


def fetch_rust(folder: Path) -> None:
    wanted = "\n".join(f'{name} = "{version}"' for name, version in RUST.items())
    package = '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n'
    (folder / "Cargo.toml").write_text(f"{package}[dependencies]\n{wanted}\n")
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    run(["cargo", "vendor", "--quiet", "vendor"], folder)
    for bindings in (folder / "vendor").glob("windows*"):
        shutil.rmtree(bindings)  # generated


def fetch_java(folder: Path) -> None:
    for artifact in JAVA:
        _, name, version = artifact.split(":")
        options = [f"-Dartifact={artifact}:jar:sources", "-Dtransitive=false", f"-Dmaven.repo.local={folder}"]
        run(["mvn", "-q", "-B", "dependency:get", *options], folder)
        for archive in folder.rglob(f"{name}-{version}-sources.jar"):
            unpack(archive, folder / "sources" / name)


def fetch_debian(folder: Path) -> None:
    (folder / "lists" / "partial").mkdir(parents=True)
    systems = Path("/etc/apt/sources.list.d/debian.sources").read_text()
    (folder / "debian.sources").write_text(systems.replace("Types: deb\n", "Types: deb-src\n"))
    options = [f"Dir::Etc::sourcelist={folder}/debian.sources", "Dir::Etc::sourceparts=/dev/null"]
    apt = ["apt-get", *(part for option in (*options, f"Dir::State::lists={folder}/lists") for part in ("-o", option))]
    run([*apt, "update"], folder)
    for package in DEBIAN:
        try:
            run([*apt, "source", "--download-only", package], folder)
        except subprocess.CalledProcessError:
            print(f"Not fetched: {package}", file=sys.stderr)
    for archive in folder.glob("*.orig*.tar.*"):
        if archive.suffix != ".asc":
            unpack(archive, folder / archive.name.partition(".orig")[0])
    shutil.rmtree(folder / "lists")


def unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".jar":
        with zipfile.ZipFile(archive) as jar:
            jar.extractall(folder)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    archive.unlink()


if __name__ == "__main__":
    sys.exit(main())

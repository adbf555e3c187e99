"""Where the world comes in: HTTP routes and commands, in the words of the frameworks that a repository uses.

A row of the table is one way to write one. What a text says counts only where the index has a use of a name in that
line: documentation is full of examples.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from code_insight.model import FileRole, SourceFile, Symbol, SymbolKind, family_of, is_aside
from code_insight.queries.starting import EntryPoint
from code_insight.store import Reader

_MOST = 500
_MOST_CHARACTERS = 400_000  # of one file
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD})


class _Way(NamedTuple):
    """How an entry point is written with some frameworks."""

    family: str  # of languages
    modules: str  # a pattern for the beginning of an imported one: only who imports it anywhere has such entry points
    what: str
    pattern: str  # groups: `verb`, `path` or `name`; a command without name is named like its function
    files: str = ""  # a pattern for the end of a path: only there


_PYTHON_WEB = r"flask|quart|fastapi|starlette|sanic|bottle|litestar|aiohttp|robyn"
_JS_WEB = r"express|fastify|koa|@koa/|hono|restify|polka|find-my-way"
_GO_WEB = r"net/http|github\.com/(?:gin-gonic|labstack/echo|go-chi|gorilla/mux|gofiber|julienschmidt)"
_SPRING = r"org\.springframework\.web"
_STRING = r"""[rRbuf]?["'`](?P<path>[^"'`\n]{0,200})["'`]"""
_ROOTED = r"""[rRbuf]?["'`](?P<path>/[^"'`\n]{0,200})["'`]"""
_NAMED = r"""["'`](?P<name>[\w:.-]{1,60})(?=[\s"'`])"""
_NEST_VERBS = r"Get|Post|Put|Delete|Patch|Controller"
_RAILS_VERBS = r"get|post|put|delete|patch|resources?|root"
_RAILS_PATH = r"[ (]+[:'\"](?P<path>[\w/#:.*-]+)"
_ROUTE, _COMMAND = "HTTP route", "CLI command"
_WAYS = (
    _Way("python", _PYTHON_WEB, _ROUTE, rf"@(?:\w+\.)+(?P<verb>route|websocket)\(\s*{_STRING}"),
    _Way("python", _PYTHON_WEB, _ROUTE, rf"@(?:\w+\.)+(?P<verb>get|post|put|delete|patch|head|options)\(\s*{_ROOTED}"),
    _Way("python", _PYTHON_WEB, _ROUTE, rf"\b(?:Route|WebSocketRoute|Mount)\(\s*(?P<verb>){_ROOTED}"),
    _Way("python", r"django", _ROUTE, rf"^\s*(?:re_)?path\(\s*(?P<verb>){_STRING}", r"urls\.py"),
    _Way("python", r"click|typer|flask", _COMMAND, rf"@(?:\w+\.)*(?:command|group)\((?:\s*(?:name=)?{_NAMED})?"),
    _Way("python", r"argparse", _COMMAND, rf"\.add_parser\(\s*{_NAMED}"),
    _Way("javascript", _JS_WEB, _ROUTE, rf"^\s*(?:\w+\.)*\w+\.(?P<verb>get|post|put|delete|patch|all)\(\s*{_ROOTED}"),
    _Way("javascript", r"@nestjs/common", _ROUTE, rf"@(?P<verb>{_NEST_VERBS})\(\s*(?:{_STRING})?"),
    _Way("javascript", r"commander|yargs|cac$", _COMMAND, rf"\.command\(\s*{_NAMED}"),
    _Way("go", _GO_WEB, _ROUTE, rf"\.(?P<verb>GET|POST|PUT|DELETE|PATCH|Any|Get|Post|Put|Delete|Patch)\(\s*{_ROOTED}"),
    _Way("go", _GO_WEB, _ROUTE, r'\.Handle(?:Func)?\(\s*"(?:(?P<verb>[A-Z]+) )?(?P<path>/[^"\n]{0,200})"'),
    _Way("go", r"github\.com/spf13/cobra", _COMMAND, rf"\bUse:\s*{_NAMED}"),
    _Way("java", _SPRING, _ROUTE, rf"@(?P<verb>Get|Post|Put|Delete|Patch|Request)Mapping(?:\([^\n\"]*{_STRING})?"),
    _Way("java", r"(?:javax|jakarta)\.ws\.rs", _ROUTE, rf"@Path\((?P<verb>){_STRING}"),
    _Way("java", r"picocli", _COMMAND, rf"@(?:\w+\.)?Command\([^\n\"]*?name\s*=\s*{_NAMED}"),
    _Way("csharp", r"Microsoft\.AspNetCore|System\.Web", _ROUTE, rf"\[(?P<verb>Http\w+|Route)(?:\({_STRING})?"),
    _Way("csharp", r"", _ROUTE, rf"\.Map(?P<verb>Get|Post|Put|Delete|Patch)\(\s*{_ROOTED}"),
    _Way("ruby", r"sinatra", _ROUTE, rf"^\s*(?P<verb>get|post|put|delete|patch)\s+{_ROOTED}"),
    _Way("ruby", r"", _ROUTE, rf"^\s*(?P<verb>{_RAILS_VERBS}){_RAILS_PATH}", r"config/routes\.rb"),
    _Way("ruby", r"", _COMMAND, r"\.command\(:(?P<name>\w+)\)"),
    _Way("php", r"", _ROUTE, rf"\bRoute::(?P<verb>get|post|put|delete|patch|any|resource)\(\s*{_STRING}"),
    _Way("php", r"Slim", _ROUTE, rf"\$\w+->(?P<verb>get|post|put|delete|patch|any)\(\s*{_ROOTED}"),
    _Way("php", r"Symfony", _ROUTE, rf"#\[Route\(\s*(?:path:\s*)?(?P<verb>){_STRING}"),
    _Way("php", r"Symfony", _COMMAND, rf"(?:->setName\(|#\[AsCommand\(\s*(?:name:\s*)?)\s*{_NAMED}"),
    _Way("rust", r"actix_web|rocket|poem", _ROUTE, rf"#\[(?P<verb>get|post|put|delete|patch)\(\s*{_ROOTED}"),
    _Way("rust", r"axum|actix_web", _ROUTE, rf"\.route\(\s*(?P<verb>){_ROOTED}"),
    _Way("rust", r"clap", _COMMAND, rf"\bCommand::new\(\s*{_NAMED}"),
)  # fmt: skip
_PLAIN_VERBS = frozenset({"", "ROUTE", "ANY", "ALL", "REQUEST", "CONTROLLER"})


def entry_points(reader: Reader) -> list[EntryPoint]:
    """The HTTP routes and commands of a commit's own source, by what, path of the file and line; 500 at most."""
    files = {file.blob: file for file in reader.files() if file.blob and _is_looked_at(file)}
    imported: dict[str, set[str]] = defaultdict(set)
    for blob, fact in reader.imports():
        if file := files.get(blob):
            imported[family_of(file.language)].add(fact.module)
    ways = [way for way in _WAYS if _is_used(way, imported.get(way.family, set()))]
    found = [entry for file in files.values() for entry in _entries_in(reader, file, ways)]
    return sorted(found, key=lambda entry: entry.what == _ROUTE)[:_MOST]


def _is_looked_at(file: SourceFile) -> bool:
    return file.role is FileRole.SOURCE and not is_aside(file.path)


def _is_used(way: _Way, modules: set[str]) -> bool:
    return not way.modules or any(re.match(way.modules, module) for module in modules)


def _entries_in(reader: Reader, file: SourceFile, ways: list[_Way]) -> Iterator[EntryPoint]:
    mine = [
        way
        for way in ways
        if way.family == family_of(file.language) and (not way.files or re.search(rf"(?:^|/){way.files}$", file.path))
    ]
    text = reader.text(file.blob)[:_MOST_CHARACTERS] if mine else ""
    matches = [(match.start(), way, match) for way in mine for match in re.finditer(way.pattern, text, re.MULTILINE)]
    if not matches:
        return
    symbols = reader.symbols_in(file.path)
    used = {use.line for use in reader.occurrences_in(file.blob)}
    for start, way, match in sorted(matches, key=lambda found: found[0]):
        begin = start + len(match[0]) - len(match[0].lstrip())
        line = text.count("\n", 0, begin) + 1
        if line in used and (entry := _entry(way, match.groupdict(), file.path, line, symbols)):
            yield entry


def _entry(way: _Way, said: dict[str, str | None], path: str, line: int, symbols: list[Symbol]) -> EntryPoint | None:
    around = [s for s in symbols if s.start_line <= line <= s.end_line and s.kind in _FUNCTIONS]
    decorated = around[-1] if around and line < around[-1].name_line else None
    place = f"{path}:{decorated.name_line if decorated else line}"
    if way.what == _COMMAND:
        name = said.get("name") or (decorated.name.replace("_", "-") if decorated else "")
        return EntryPoint(way.what, name, place) if name else None
    verb = re.sub(r"(?i)^http", "", said.get("verb") or "").upper()
    name = f"{'' if verb in _PLAIN_VERBS else f'{verb} '}{said.get('path') or '/'}"
    return EntryPoint(way.what, name, f"{place} {decorated.qualified_name}" if decorated else place)

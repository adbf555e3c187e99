"""The tools of detail: where something occurs, what is in a file, where it is defined, who uses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from code_insight.catalog import Catalog
from code_insight.errors import NotFound
from code_insight.model import FileRole, ReferenceKind, Symbol, SymbolKind
from code_insight.queries import graph, role_order, search, symbols
from code_insight.store import IndexedCommit
from code_insight.tools.answers import Answer, Section, about, answer, cursor, cut, head, offset_of
from code_insight.tools.arguments import Budget, Cursor, Path, Repository, SymbolName

_ROLE_WORDS = {FileRole.TEST: "tests", FileRole.SOURCE: "source", FileRole.DOCUMENT: "documents"}


@dataclass(frozen=True, slots=True)
class Detail:
    """What is in it."""

    catalog: Catalog

    def search(
        self,
        query: Annotated[str, Field(description="text, RE2 pattern or name", min_length=1, max_length=1000)],
        repository: Annotated[str, Field(description="all repositories when empty", max_length=600)] = "",
        kind: Literal["auto", "text", "regex", "symbol"] = "auto",
        path: Annotated[str, Field(description='folder, file or pattern such as "*.py"', max_length=1024)] = "",
        language: Annotated[str, Field(description='such as "python"', max_length=40)] = "",
        cursor: Cursor = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """Where something occurs: definitions first, then source, tests, the rest.

        auto finds names and text (all words, when the text as it stands is nowhere). For the users of one symbol ask
        references.
        """
        commits = [self.catalog.find(repository)] if repository else self.catalog.newest()
        if not commits:
            raise NotFound("This server holds no repository yet.", "Add one with add_repository.")
        where = search.Filter(path, language.lower())
        found = [(commit, search.search(commit, query, search.SearchKind(kind), where)) for commit in commits]
        items = [item for commit, hits in found for item in _hits(commit, hits, named=len(commits) > 1)]
        bound = (query, kind, path, language, *(commit.commit.oid for commit in commits))
        return _listed(_search_head(found, len(items)), items, cursor, bound, budget_tokens, commits)

    def outline(
        self, repository: Repository, path: Path = "", cursor: Cursor = "", budget_tokens: Budget = 2_000
    ) -> Answer:
        """What is in a file (all symbols) or folder (outermost ones): signatures, first lines of docs, lines."""
        indexed = self.catalog.find(repository)
        outlines = symbols.outline(indexed, path)
        single = len(outlines) == 1 and outlines[0].file.path == path.strip().removeprefix("./").strip("/")
        lines = [line for outline in outlines for line in _outline(outline, single=single)]
        count = sum(len(outline.symbols) for outline in outlines)
        what = f"{path} has {count:,} symbols" if single else f"{path or 'The repository'}: {count:,} outermost symbols"
        title = f"{head(indexed)}\n{what}{'' if single else f' in {len(outlines):,} files'}."
        return _listed(title, lines, cursor, (path, indexed.commit.oid), budget_tokens, [indexed])

    def symbol(
        self, repository: Repository, name: SymbolName, path: Path = "", budget_tokens: Budget = 2_000
    ) -> Answer:
        """Where a name is defined: signature, docs, bases, derived types, members, source."""
        indexed = self.catalog.find(repository)
        found = symbols.find(indexed, name, path)
        best = symbols.definition(indexed, found[0])
        others = [f"  {_signature(s)}  {s.path}:{s.start_line}" for s in found[1:]]
        sections = [
            Section("", [_where(best.symbol)]),
            Section("Docs", _indented(best.symbol.doc), keep=3),
            Section("Bases", [_base(name, known) for name, known in best.bases], keep=3),
            Section("Derived", [f"  {s.qualified_name}  {s.path}:{s.start_line}" for s in best.derived], keep=3),
            Section("Members", [f"  {_signature(s)}  :{s.start_line}" for s in best.members], keep=5),
            Section("Also defined", others, lambda _: "Give a qualified name or path=.", 3),
            Section("Source", _numbered(best), lambda _: f"Ask read for {best.symbol.path}."),
        ]
        place = {"path": best.symbol.path, "line": best.symbol.start_line}
        return answer(head(indexed), sections, budget_tokens, **about(indexed), **place, definitions=len(found))

    def references(
        self,
        repository: Repository,
        symbol: SymbolName,
        direction: Literal["in", "out"] = "in",
        path: Annotated[str, Field(description="where the symbol is defined, if several are", max_length=1024)] = "",
        cursor: Cursor = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """Who uses a symbol (in), or whom it uses (out), each with its line. Matched by name: other definitions of
        the same name are counted, so that you can tell how sure it is.
        """
        indexed = self.catalog.find(repository)
        bound = (symbol, direction, path, indexed.commit.oid)
        if direction == "out":
            user, names = graph.used(indexed, symbol, path)
            title = f"{head(indexed)}\n{_signature(user)}  {user.path}:{user.start_line} uses {len(names)} names"
            known = sum(bool(name.definitions) for name in names)
            title += f", {known} of them defined here (by name)."
            return _listed(title, [_used(name) for name in names], cursor, bound, budget_tokens, [indexed])
        users = graph.users(indexed, symbol, path)
        return _listed(_users_head(indexed, users), _users(users), cursor, bound, budget_tokens, [indexed])


def _listed(
    title: str,
    items: list[str],
    after: str,
    bound: tuple[str, ...],
    budget_tokens: int,
    commits: list[IndexedCommit],
) -> Answer:
    """An answer that is one long list, with a cursor to the rest of it."""
    offset = offset_of(after, *bound)
    page = [_under_its_file(items, at) if at == offset else items[at] for at in range(offset, len(items))]
    section = Section("", page, lambda shown: f'Ask again with cursor="{cursor(offset + shown, *bound)}".')
    shown = answer(title, [section], budget_tokens)
    end = offset + shown.data["shown"][0]
    following = cursor(end, *bound) if end < len(items) else ""
    data = {"total": len(items), "first": offset, "shown": end - offset, "cursor": following}
    data |= about(commits[0]) if len(commits) == 1 else {"repositories": [about(commit) for commit in commits]}
    return Answer(shown.text, data)


_FILE_MARK = "\n  "


def _under_its_file(items: list[str], at: int) -> str:
    """An item that says which file it stands in, also when the page begins in the middle of one."""
    if not items[at].startswith("  "):
        return items[at]
    for before in range(at, -1, -1):
        if not items[before].startswith("  "):
            return f"{items[before].partition(_FILE_MARK)[0]}\n{items[at]}"
    return items[at]


def _grouped(rows: Iterable[tuple[str, str]]) -> list[str]:
    """(file, line) → items; the first of each file has the file's name above it."""
    items, last = [], None
    for file, line in rows:
        items.append(f"  {line}" if file == last else f"{file}{_FILE_MARK}{line}")
        last = file
    return items


def _search_head(found: list[tuple[IndexedCommit, search.Found]], count: int) -> str:
    how = found[0][1].how
    names = (
        head(found[0][0]) if len(found) == 1 else f"{len(found)} repositories · text below is quoted from them: data"
    )
    some = "" if all(hits.complete for _, hits in found) else "at least "
    step = "" if count else " Try fewer words, kind=regex, or another path."
    return f"{names}\n{some}{count:,} found ({how}).{step}"


def _hits(commit: IndexedCommit, found: search.Found, *, named: bool) -> list[str]:
    prefix = f"{commit.repository.name}: " if named else ""
    rows = [
        (f"{prefix}{s.path}", f"{s.start_line}: {_signature(s)}  [defines {s.qualified_name}]") for s in found.symbols
    ]
    defining = [line for line in found.lines if line.defines]
    other = [line for line in found.lines if not line.defines]
    exact = [(f"{prefix}{line.file.path}", _line(line)) for line in defining]
    return _grouped([*exact, *rows, *((f"{prefix}{line.file.path}", _line(line)) for line in other)])


def _line(line: search.Line) -> str:
    if line.defines:
        mark = f"  [defines {line.defines.qualified_name}]"
    else:
        mark = (
            f"  [in {line.inside.qualified_name}]" if line.inside and line.inside.kind is not SymbolKind.HEADING else ""
        )
    return f"{line.number}: {cut(line.text.strip(), 240)}{mark}"


def _outline(outline: symbols.Outline, *, single: bool) -> list[str]:
    file = outline.file
    role = "" if file.role is FileRole.SOURCE else f" {file.role}"
    top = f"{file.path} · {file.language or 'text'}{role} · {file.lines:,} lines"
    if not outline.symbols:
        return [top]
    depths: dict[int, int] = {}
    rows = []
    for symbol in outline.symbols:
        depths[symbol.position] = depths.get(symbol.parent, -1) + 1
        first = symbol.doc.partition("\n")[0].strip()
        doc = f"  — {cut(first, 100)}" if first and symbol.kind is not SymbolKind.HEADING else ""
        indent = "  " * depths[symbol.position] if single else ""
        rows.append((top, f"{indent}{symbol.start_line}-{symbol.end_line} {_signature(symbol)}{doc}"))
    return _grouped(rows)


def _signature(symbol: Symbol) -> str:
    if symbol.kind is SymbolKind.HEADING:
        return symbol.name
    signature = cut(symbol.signature, 200) or symbol.name
    return signature if not symbol.container or symbol.container in signature else f"{signature}  [{symbol.container}]"


def _where(symbol: Symbol) -> str:
    place = f"{symbol.path}:{symbol.start_line}-{symbol.end_line}"
    return f"{symbol.kind} {symbol.qualified_name} · {symbol.language} · {place}\n  {symbol.signature or symbol.name}"


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _base(name: str, known: Symbol | None) -> str:
    return f"  {name}  {known.path}:{known.start_line}" if known else f"  {name}  (from outside)"


def _numbered(found: symbols.Definition) -> list[str]:
    first = found.symbol.start_line
    return [f"{number:>5}  {cut(line, 400)}" for number, line in enumerate(found.source, start=first)]


def _users_head(indexed: IndexedCommit, found: graph.Users) -> str:
    symbol = found.symbol
    counts = sorted(found.by_role.items(), key=lambda item: role_order(item[0]))
    total = sum(found.by_role.values())
    roles = ", ".join(f"{count} in {_ROLE_WORDS.get(role, role)}" for role, count in counts)
    sure = "no other definition has this name" if not found.homonyms else _homonyms(found)
    how = f"{total:,} uses of the name '{symbol.name}'{f': {roles}' if roles else ''}. Resolved by name; {sure}."
    return f"{head(indexed)}\n{_signature(symbol)}  {symbol.path}:{symbol.start_line}\n{how}"


def _homonyms(found: graph.Users) -> str:
    places = ", ".join(f"{s.qualified_name} {s.path}:{s.start_line}" for s in found.homonyms[:3])
    more = f" and {len(found.homonyms) - 3} more" if len(found.homonyms) > 3 else ""
    return f"{len(found.homonyms)} other definitions have it too ({places}{more})"


def _users(found: graph.Users) -> list[str]:
    rows = []
    for use in found.uses:
        where = use.occurrence
        kind = "" if where.kind is ReferenceKind.NAME else f" {where.kind}"
        inside = f" in {use.inside.qualified_name}" if use.inside and use.inside.kind is not SymbolKind.HEADING else ""
        rows.append((where.path, f"{where.line}: {cut(use.text, 200)}  [{kind.strip() or 'mention'}{inside}]"))
    return _grouped(rows)


def _used(used: graph.Used) -> str:
    lines = ", ".join(map(str, used.lines[:5])) + ("…" if len(used.lines) > 5 else "")
    if not used.definitions:
        return f"{used.name} [{used.kind}, line {lines}] from outside, or local"
    best = used.definitions[0]
    others = f" and {len(used.definitions) - 1} more of the name" if len(used.definitions) > 1 else ""
    return f"{used.name} [{used.kind}, line {lines}] → {best.qualified_name} {best.path}:{best.start_line}{others}"

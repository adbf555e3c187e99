"""The tools of detail: where something occurs, what is in a file, where it is defined, who uses it."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, groupby
from typing import Annotated, Any, Literal, ParamSpec

from cachetools import LRUCache, cached
from cachetools.keys import hashkey
from pydantic import Field

from code_insight.catalog import Catalog
from code_insight.errors import NotFound
from code_insight.model import FileRole, ReferenceKind, SourceFile, Symbol, SymbolKind
from code_insight.queries import dependencies, graph, reaching, role_order, search, symbols
from code_insight.queries.files import normal_path
from code_insight.queries.readme import sentence
from code_insight.queries.relevance import Passage
from code_insight.store import IndexedCommit
from code_insight.tools.answers import Answer, Section, about, answer, counted, cursor, cut, head, offset_of, shorten
from code_insight.tools.arguments import Budget, Cursor, Path, Repository, SymbolName
from code_insight.tools.context import step

_TOKENS_OF_A_ROW = 10  # of a list, about at least: no more are looked up than fit
_KEPT_BYTES = 16 << 20  # of answers: about a thousand of usual ones
_BYTES_OF_A_COMMIT = 2_000  # in what an answer is kept under, and in its data
_ROLE_WORDS = {FileRole.TEST: "tests", FileRole.SOURCE: "source", FileRole.DOCUMENT: "documents"}
_Asked = ParamSpec("_Asked")


@dataclass(frozen=True, slots=True)
class Detail:
    """What is in it."""

    catalog: Catalog

    def search(
        self,
        query: Annotated[str, Field(description="name, path, text, question; RE2", min_length=1, max_length=1000)],
        repository: Annotated[str, Field(description="all repositories when empty", max_length=600)] = "",
        kind: Literal["auto", "text", "regex", "symbol"] = "auto",
        path: Annotated[str, Field(description='folder, file or pattern such as "*.py"', max_length=1024)] = "",
        language: Annotated[str, Field(description='such as "python"', max_length=40)] = "",
        cursor: Cursor = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """Where something occurs, best first: what is defined under that name, then source, tests, the rest.

        auto: a name, path, text as it stands, or a question in words. For the users of a symbol ask references.
        """
        commits = [self.catalog.find(repository)] if repository else self.catalog.newest()
        if not commits:
            raise NotFound("This server holds no repository yet.", "Add one with add_repository.")
        return _search(tuple(commits), query, kind, path, language.lower(), cursor, budget_tokens)

    def outline(
        self, repository: Repository, path: Path = "", cursor: Cursor = "", budget_tokens: Budget = 2_000
    ) -> Answer:
        """What is in a file (all symbols) or a folder (outermost ones, by file): lines, signatures, docs."""
        indexed = self.catalog.find(repository)
        outlines = symbols.outline(indexed, path)
        is_file = len(outlines) == 1 and outlines[0].file.path == normal_path(path)
        rows = [row for outline in outlines for row in _outline(outline, is_file=is_file)]
        count = sum(len(outline.symbols) for outline in outlines)
        what = f"{count:,} symbols" if is_file else f"{count:,} outermost symbols in {len(outlines):,} files"
        title = f"{head(indexed)}\n{normal_path(path) or 'The repository'}: {what}."
        bound = (path, indexed.commit.oid)
        offset = offset_of(cursor, *bound)
        return _listed(title, rows[offset:], offset, len(rows), bound, budget_tokens, [indexed])

    def symbol(
        self, repository: Repository, name: SymbolName, path: Path = "", budget_tokens: Budget = 2_000
    ) -> Answer:
        """Where a name is defined, or inherited from: signature, docs, bases, derived types, members, source."""
        return _symbol(self.catalog.find(repository), name, path, budget_tokens)

    def references(
        self,
        repository: Repository,
        symbol: SymbolName,
        direction: Literal["in", "out"] = "in",
        depth: Annotated[int, Field(description="steps", ge=1, le=reaching.DEEPEST)] = 1,
        path: Annotated[str, Field(description="where the symbol is defined", max_length=1024)] = "",
        cursor: Cursor = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """Who uses a symbol (in), or whom it uses (out): lines, surest first; with depth, symbols, nearest first.

        exact: scopes, imports, types tell (C, C++: calls; not Bash); likely: no other has the name.
        """
        return _references(self.catalog.find(repository), symbol, direction, depth, path, cursor, budget_tokens)

    def dependencies(
        self,
        repository: Repository,
        path: Path = "",
        direction: Literal["in", "out"] = "out",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """What a file or folder imports (out: files, packages with versions, cycles), or who imports it (in)."""
        return _dependencies(self.catalog.find(repository), path, direction, budget_tokens)


def _bytes_of(kept: Answer) -> int:
    return sys.getsizeof(kept.text) + _BYTES_OF_A_COMMIT * len(kept.data.get("repositories", "1"))


_answers: LRUCache[Any, Answer] = LRUCache(_KEPT_BYTES, _bytes_of)
_lock = threading.Lock()


def _kept(find: Callable[_Asked, Answer]) -> Callable[_Asked, Answer]:
    """The same question on the same commits has the same answer, and agents ask again: the last answers are kept."""
    return cached(_answers, partial(hashkey, find.__name__), _lock)(find)


@_kept
def _search(
    commits: tuple[IndexedCommit, ...], query: str, kind: str, path: str, language: str, after: str, budget_tokens: int
) -> Answer:
    where = search.Filter(path, language)
    bound = (query, kind, path, language, *(commit.commit.oid for commit in commits))
    offset = offset_of(after, *bound)
    end = offset + budget_tokens // _TOKENS_OF_A_ROW
    limits = search.SearchLimits(lines=max(search.AT_ONCE, end + 1))
    found = list(_found(commits, query, search.SearchKind(kind), where, limits))
    hits = _merged(found)
    rows = _rows(_fitting(hits[offset:end], budget_tokens), named=len(commits) > 1)
    return _listed(_search_head(found, where), rows, offset, len(hits), bound, budget_tokens, commits)


@_kept
def _symbol(indexed: IndexedCommit, name: str, path: str, budget_tokens: int) -> Answer:
    found = symbols.find(indexed, name, path)
    best = symbols.definition(indexed, found[0])
    is_type = bool(best.members) and len(best.source) > _LINES_OF_A_TYPE
    lines = f"lines={best.symbol.start_line}-{best.symbol.end_line}"
    sections = [
        Section("", [_where(best.symbol, name)]),
        Section("Docs", _docs(best)),
        Section("Bases", [_base(base, known) for base, known in best.bases], keep=3),
        Section("Derived", [f"  {s.qualified_name}  {s.path}:{s.start_line}" for s in best.derived], keep=3),
        Section("Members", _members(best), lambda _: f"Ask outline for {best.symbol.path}.", 5),
        Section("Also defined", _also(found[1:], best), lambda _: "Give a qualified name, or path=.", 3),
        Section(
            f"Source: {len(best.source):,} lines, ask read with {lines}" if is_type else "Source",
            [] if is_type else _numbered(best),
            lambda shown: f"Ask read with lines={best.symbol.start_line + shown}-{best.symbol.end_line}.",
        ),
    ]
    place = {"path": best.symbol.path, "line": best.symbol.start_line}
    return answer(head(indexed), sections, budget_tokens, **about(indexed), **place, definitions=len(found))


@_kept
def _references(
    indexed: IndexedCommit, symbol: str, direction: str, depth: int, path: str, after: str, budget_tokens: int
) -> Answer:
    bound = (symbol, direction, str(depth), path, indexed.commit.oid)
    offset = offset_of(after, *bound)
    if depth > 1:
        found = reaching.reach(indexed, symbol, path, is_out=direction == "out", depth=depth)
        rows = _reached(found)
        title = _reach_head(indexed, found, direction, depth)
        return _listed(title, rows[offset:], offset, len(rows), bound, budget_tokens, [indexed])
    if direction == "out":
        user, names = graph.used(indexed, symbol, path)
        rows = _used(names)
        title = _used_head(indexed, user, names)
        return _listed(title, rows[offset:], offset, len(rows), bound, budget_tokens, [indexed])
    users = graph.users(indexed, symbol, path, offset, budget_tokens // _TOKENS_OF_A_ROW)
    return _listed(_users_head(indexed, users), _users(users), offset, users.total, bound, budget_tokens, [indexed])


@_kept
def _dependencies(indexed: IndexedCommit, path: str, direction: str, budget_tokens: int) -> Answer:
    found = dependencies.dependencies(indexed, path)
    what = found.path or "The repository"
    edges = found.imports if direction == "out" else found.imported_by
    verb = "imports" if direction == "out" else "is imported by"
    title = f"{what} {verb} {_count(edges, found)}"
    sections = [Section(title, [_edge(edge) for edge in edges], lambda _: "Raise budget_tokens.", 3)]
    if direction == "out":
        packages = [_package(package) for package in found.packages]
        sections.append(Section("Packages from outside: files that import it, version", packages, keep=3))
    sections.append(Section("Import each other in a circle", [_cycle(cycle) for cycle in found.cycles]))
    data = {"path": found.path, "edges": len(edges), "packages": len(found.packages), "cycles": len(found.cycles)}
    top = head(indexed)
    if found.unresolved:
        top += f"\n{found.unresolved:,} of its imports mean neither a file here nor a known package."
    elif found.is_file and not (found.imports or found.imported_by or found.packages):
        top += f"\n{found.path} imports nothing, and nothing imports it. Ask references for a symbol, or search for it."
    return answer(top, sections, budget_tokens, **about(indexed), **data)


def _count(edges: tuple[dependencies.Edge, ...], found: dependencies.Dependencies) -> str:
    if found.is_file:
        return f"{len(edges):,} files"
    return f"{len(edges):,} folders" if found.path else f"itself: {len(edges):,} pairs of folders"


def _edge(edge: dependencies.Edge) -> str:
    role = "" if edge.role is FileRole.SOURCE else f" {edge.role}"
    lines = f":{','.join(map(str, edge.lines[:4]))}" if edge.lines else f" {edge.count:,}"
    names = f"  {shorten(', '.join(edge.names), 100)}" if edge.names else ""
    return f"  {edge.path}{lines}{role}{names}"


def _package(package: dependencies.Package) -> str:
    wanted = package.requirement
    if wanted is None:
        return f"  {package.name} {package.files:,}"
    locked = f", locked {wanted.locked}" if wanted.locked else ""
    return f"  {package.name} {package.files:,}  {wanted.version or 'any version'}{locked} ({wanted.path})"


def _cycle(cycle: tuple[str, ...]) -> str:
    return f"  {len(cycle)} files: {shorten(', '.join(cycle), 300)}"


def _found(
    commits: Sequence[IndexedCommit],
    query: str,
    kind: search.SearchKind,
    where: search.Filter,
    limits: search.SearchLimits,
) -> Iterator[tuple[IndexedCommit, search.Found]]:
    """What each commit has; raises NotFound when none has a file that `where` admits."""
    refused = 0
    for commit in commits:
        try:
            yield commit, search.search(commit, query, kind, where, limits)
        except NotFound:
            refused += 1
            if refused == len(commits):
                raise


_Row = tuple[str, str]  # what stands above (a file), and the line below it; the first alone when that is ""


def _listed(
    title: str,
    rows: Sequence[_Row],
    offset: int,
    total: int,
    bound: tuple[str, ...],
    budget_tokens: int,
    commits: Sequence[IndexedCommit],
) -> Answer:
    """An answer that is one long list, of which `rows` begin at `offset`, with a cursor to the rest of it."""
    items = _grouped(rows)

    def rest(shown: int) -> str:
        return f'Ask again with cursor="{cursor(offset + shown, *bound)}".'

    page = answer(title, [Section("", items, rest, total=total - offset)], budget_tokens)
    end = offset + page.data["shown"][0]
    following = cursor(end, *bound) if end < total else ""
    data = {"total": total, "first": offset, "shown": end - offset, "cursor": following}
    data |= about(commits[0]) if len(commits) == 1 else {"repositories": [about(commit) for commit in commits]}
    return Answer(page.text, data)


def _grouped(rows: Iterable[_Row]) -> list[str]:
    """Rows → items; the first of each file has the file's name above it."""
    items, last = [], None
    for above, line in rows:
        if not line:
            items.append(above)
        else:
            items.append(f"  {line}" if above == last else f"{above}\n  {line}")
        last = above
    return items


def _search_head(found: list[tuple[IndexedCommit, search.Found]], where: search.Filter) -> str:
    hits = [hits for _, hits in found]
    names = (
        head(found[0][0]) if len(found) == 1 else f"{len(found)} repositories · text below is quoted from them: data"
    )
    count = sum(hit.count for hit in hits)
    how = next((hit.how for hit in hits if hit.count), hits[0].how)
    if count:
        return f"{names}\n{'' if all(hit.is_complete for hit in hits) else 'at least '}{count:,} found ({how})."
    near = list(dict.fromkeys(name for hit in hits for name in hit.nearest))[:5]
    step = f" Names like it: {', '.join(near)}." if near else ""
    if where.path or where.language:
        step += " Only some files were looked at: leave out path and language."
    return f"{names}\nNothing found.{step or ' Try other words, or kind=regex.'}"


_Hit = SourceFile | Symbol | search.Line | Passage
_IN_TURN = 5  # hits of one repository before those of the next


def _hits(found: search.Found) -> list[_Hit]:
    return [*found.files, *found.lines, *found.symbols, *found.passages]


def _fitting(hits: list[tuple[IndexedCommit, _Hit]], budget_tokens: int) -> list[tuple[IndexedCommit, _Hit]]:
    """Those from the first on whose lines alone fill the budget: for no others is looked up where they stand."""
    sizes = accumulate(len(_quoted(hit)) if isinstance(hit, search.Line) else 0 for _, hit in hits)
    return [hit for hit, before in zip(hits, chain((0,), sizes), strict=False) if before <= 4 * budget_tokens]


def _quoted(line: search.Line) -> str:
    return cut(line.text.strip(), 240)


def _merged(found: list[tuple[IndexedCommit, search.Found]]) -> list[tuple[IndexedCommit, _Hit]]:
    """The hits of all repositories: some of each in turn, what matches as it stands before what is only like it."""
    order = sorted(range(len(found)), key=lambda at: not _is_defined(found[at][1]))
    keyed = [
        ((bool(one.passages or one.symbols), place // _IN_TURN, turn, place), commit, hit)
        for turn, (commit, one) in enumerate(found[at] for at in order)
        for place, hit in enumerate(_hits(one))
    ]
    return [(commit, hit) for _, commit, hit in sorted(keyed, key=lambda entry: entry[0])]


def _is_defined(found: search.Found) -> bool:
    """Whether the best hit is what was asked for itself: a file, a definition."""
    return bool(found.files or (found.lines and found.lines[0].defines) or found.symbols)


def _rows(hits: list[tuple[IndexedCommit, _Hit]], *, named: bool) -> list[_Row]:
    """The rows of some hits, under the name of their repository when there are several."""
    rows = []
    for commit, group in groupby(hits, key=lambda pair: pair[0]):
        some = [hit for _, hit in group]
        around = search.symbols_at(commit, [hit for hit in some if isinstance(hit, search.Line)])
        prefix = f"{commit.repository.name}: " if named else ""
        rows += [(prefix + above, line) for above, line in (_row(hit, around) for hit in some)]
    return rows


def _row(hit: _Hit, around: dict[tuple[str, int], tuple[Symbol | None, bool]]) -> _Row:
    match hit:
        case SourceFile():
            return _file(hit), ""
        case Symbol():
            return hit.path, f"{hit.name_line}: {_signature(hit)}"
        case search.Line():
            return hit.file.path, _line(hit, *around[hit.file.path, hit.number])
        case Passage():
            return hit.file.path, _passage(hit)


def _file(file: SourceFile) -> str:
    role = "" if file.role is FileRole.SOURCE else f" {file.role}"
    return f"{file.path} · {file.language or 'text'}{role} · {file.lines:,} lines"


def _line(line: search.Line, symbol: Symbol | None, is_definition: bool) -> str:
    text = f"{line.number}: {_quoted(line)}"
    if symbol is None or symbol.kind is SymbolKind.HEADING:
        return text
    if is_definition:
        return f"{text}  [{symbol.kind}{f' of {symbol.container}' if symbol.container else ''}]"
    return f"{text}  [in {symbol.qualified_name}]"


def _passage(passage: Passage) -> str:
    symbol = passage.symbol
    rows = [f"{number}: {cut(text.strip(), 160)}" for number, text in passage.lines]
    if symbol is None:
        return "\n  ".join(rows)
    what = f"{symbol.start_line}-{symbol.end_line} {shorten(_signature(symbol), 120)}"
    return "\n      ".join(
        [what, *(row for row, hit in zip(rows, passage.lines, strict=True) if hit[0] != symbol.name_line)]
    )


_OUTLINED_FILE_ONLY = frozenset({SymbolKind.CONSTANT, SymbolKind.VARIABLE, SymbolKind.FIELD})


def _outline(outline: symbols.Outline, *, is_file: bool) -> Iterator[_Row]:
    """The symbols of one file; of one among many, only what is worth the room, and how many more there are."""
    top = _file(outline.file)
    shown = [s for s in outline.symbols if is_file or s.kind not in _OUTLINED_FILE_ONLY]
    if left := len(outline.symbols) - len(shown):
        top += f" · {left} constants and variables"
    if not shown:
        yield top, ""
    depths: dict[int, int] = {}
    for symbol in shown:
        depth = depths[symbol.position] = depths.get(symbol.parent, -1) + 1
        yield top, "  " * (depth if is_file else 0) + _outlined(symbol, is_nested=depth > 0)


def _outlined(symbol: Symbol, *, is_nested: bool) -> str:
    lines = f"{symbol.start_line}-{symbol.end_line}" if symbol.end_line > symbol.start_line else str(symbol.start_line)
    if symbol.kind is SymbolKind.HEADING:
        return f"{lines} {symbol.name}"
    signature = shorten(symbol.signature, 150) or symbol.name
    inside = "" if is_nested or not symbol.container or symbol.container in signature else f"  [{symbol.container}]"
    says = sentence(" ".join(symbol.doc.partition("\n\n")[0].split()), 90)
    return f"{lines} {signature}{inside}{f'  — {says}' if says else ''}"


def _signature(symbol: Symbol) -> str:
    if symbol.kind is SymbolKind.HEADING:
        return symbol.name
    signature = cut(symbol.signature, 200) or symbol.name
    return signature if not symbol.container or symbol.container in signature else f"{signature}  [{symbol.container}]"


def _where(symbol: Symbol, asked: str) -> str:
    place = f"{symbol.path}:{symbol.start_line}-{symbol.end_line}"
    signature = f"\n  {symbol.signature}" if symbol.signature and symbol.kind is not SymbolKind.HEADING else ""
    owner = re.split(r"\.|::|#|->", asked.removesuffix("()"))[-2:-1]
    around = [*symbol.container.split("."), *re.split(r"[/.]", symbol.path)]
    inherited = f" · {owner[0]} inherits it" if owner and owner[0] and owner[0] not in around else ""
    return f"{symbol.kind} {symbol.qualified_name} · {symbol.language} · {place}{inherited}{signature}"


_SCOPES = frozenset({SymbolKind.HEADING, SymbolKind.MODULE, SymbolKind.NAMESPACE})
_LINES_OF_A_TYPE = 60  # a longer one with members is shown by its members


def _docs(found: symbols.Definition) -> list[str]:
    """The documentation, unless it is to be read in the source anyway."""
    doc = found.symbol.doc.strip()
    first = doc.partition("\n")[0].strip()
    in_source = len(found.source) <= _LINES_OF_A_TYPE and any(first in line for line in found.source[:30])
    return (
        []
        if in_source or found.symbol.kind is SymbolKind.HEADING
        else [f"  {line}".rstrip() for line in doc.splitlines()]
    )


def _members(found: symbols.Definition) -> list[str]:
    rows = []
    for member in found.members if found.symbol.kind in symbols.TYPES | _SCOPES else ():
        where = f"{member.start_line}" if member.path == found.symbol.path else f"{member.path}:{member.start_line}"
        rows.append(f"  {where}: {shorten(member.signature, 140) or member.name}")
    return list(dict.fromkeys(rows))  # `attr_reader :a, :b` is one line of two members


def _also(others: list[Symbol], best: symbols.Definition) -> list[str]:
    return [f"  {s.kind} {_signature(s)}  {s.path}:{s.start_line}" for s in others if s not in best.members]


def _base(name: str, known: Symbol | None) -> str:
    return f"  {name}  {known.path}:{known.start_line}" if known else f"  {name}  (from outside)"


def _numbered(found: symbols.Definition) -> list[str]:
    first = found.symbol.start_line
    return [f"{number:>5}  {cut(line, 400)}" for number, line in enumerate(found.source, start=first)]


def _users_head(indexed: IndexedCommit, found: graph.Users) -> str:
    symbol = found.symbol
    counts = sorted(found.by_role.items(), key=lambda item: role_order(item[0]))
    roles = ", ".join(f"{count:,} in {_ROLE_WORDS.get(role, role)}" for role, count in counts)
    is_sure = set(found.by_certainty) == {graph.Certainty.EXACT}
    use = "uses" if found.total == 1 else "use"
    how = (f"{use} it" if is_sure else "may use it") if found.is_resolved else f"{use} the name"
    uses = f"{counted(found.total, 'line')} in {counted(found.files, 'file')} {how}{f' ({roles})' if roles else ''}."
    uses += f" {_certainties(found)}" if found.is_resolved else f" {_homonyms(found)}"
    if found.others:
        uses += f" Left out, of other languages: {', '.join(f'{n:,} {name}' for name, n in found.others.items())}."
    return f"{head(indexed)}\n{_signature(symbol)}  {symbol.path}:{symbol.start_line}\n{uses}"


def _certainties(found: graph.Users) -> str:
    counts = found.by_certainty
    words = {graph.Certainty.EXACT: "exact", graph.Certainty.LIKELY: "likely", graph.Certainty.NAME: "by name"}
    sure = ", ".join(f"{counts[certainty]:,} {word}" for certainty, word in words.items() if certainty in counts)
    text = f"{sure}." if sure else ""
    if graph.Certainty.NAME in counts:
        text += " The last match by name alone: nothing here tells what they mean."
    if found.elsewhere:
        text += f" {found.elsewhere:,} more uses of the name mean something else."
    return text.strip() or "Nobody uses the name."


def _homonyms(found: graph.Users) -> str:
    if not found.homonyms:
        return "No other definition has it."
    places = ", ".join(f"{s.qualified_name} {s.path}:{s.start_line}" for s in found.homonyms[:3])
    more = f" and {len(found.homonyms) - 3} more" if len(found.homonyms) > 3 else ""
    return f"By name only: some may mean {places}{more}."


_SURE_WORDS = {graph.Certainty.EXACT: "", graph.Certainty.LIKELY: "likely ", graph.Certainty.NAME: "by name: "}


def _users(found: graph.Users) -> list[_Row]:
    rows = []
    for use in found.uses:
        kind = "mention" if use.occurrence.kind is ReferenceKind.NAME else use.occurrence.kind
        sure = _SURE_WORDS[use.certainty] if found.is_resolved else ""
        is_code = use.inside and use.inside.kind is not SymbolKind.HEADING
        inside = f" in {use.inside.qualified_name}" if use.inside and is_code else ""
        rows.append((use.occurrence.path, f"{use.occurrence.line}: {cut(use.text, 200)}  [{sure}{kind}{inside}]"))
    return rows


def _reach_head(indexed: IndexedCommit, found: reaching.Reach, direction: str, depth: int) -> str:
    counts = Counter(one.role for one in found.reached)
    roles = ", ".join(f"{counts[role]:,} in {_ROLE_WORDS.get(role, role)}" for role in sorted(counts, key=role_order))
    is_one = len(found.reached) == 1
    is_in = direction == "in"
    verb = f"use{'s' if is_one else ''} it" if is_in else f"{'is' if is_one else 'are'} used by it"
    text = f"{counted(len(found.reached), 'symbol')} {verb} in at most {depth} steps{f' ({roles})' if roles else ''}."
    if found.by_name:
        more = counted(found.by_name, "more use" if is_in else "more name")
        text += f" {more} may mean {'it' if is_in else 'something here'}: ask with depth=1."
    if found.not_followed:
        text += f" Not followed further: {counted(found.not_followed, 'symbol')}."
    return f"{head(indexed)}\n{_signature(found.symbol)}  {found.symbol.path}:{found.symbol.start_line}\n{text}"


def _reached(found: reaching.Reach) -> list[_Row]:
    """What is reached, each with its steps; tests after the others."""
    rows = [(one.role is FileRole.TEST, step(one)) for one in found.reached]
    rows.sort(key=lambda row: row[0])  # stable
    return [("Tests" if is_test else "Steps away, where, how", row) for is_test, row in rows]


def _used_head(indexed: IndexedCommit, user: Symbol, names: list[graph.Used]) -> str:
    known = sum(bool(name.definitions) for name in names)
    place = f"{_signature(user)}  {user.path}:{user.start_line}"
    return f"{head(indexed)}\n{place}\nIt uses {len(names)} names; {known} of them are defined here."


def _used(names: list[graph.Used]) -> list[_Row]:
    """Each name that is defined here with its place; the others in few rows, and plain names last."""
    rows = []
    for name in (name for name in names if name.definitions):
        best, *others = name.definitions
        more = f" or {len(others)} more of the name" if others else ""
        sure = " (by name)" if name.certainty is graph.Certainty.NAME else ""
        what = f"{best.kind} {best.qualified_name} {best.path}:{best.start_line}{sure}{more}"
        rows.append(("Defined here", f"{name.name} [{_kind_and_lines(name)}] → {what}"))
    outside = [name for name in names if not name.definitions and name.kind is not ReferenceKind.NAME]
    rows += [("From outside, or local", f"{name.name} [{_kind_and_lines(name)}]") for name in outside]
    plain = [name.name for name in names if not name.definitions and name.kind is ReferenceKind.NAME]
    if plain:
        rows.append(("Only mentioned", shorten(", ".join(plain), 400)))
    return rows


def _kind_and_lines(name: graph.Used) -> str:
    lines = ", ".join(map(str, name.lines[:5])) + (", …" if len(name.lines) > 5 else "")
    kind = "mention" if name.kind is ReferenceKind.NAME else name.kind
    return f"{kind}, line {lines}" if len(name.lines) == 1 else f"{kind}, lines {lines}"

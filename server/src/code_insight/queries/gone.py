"""What commits took away, and who still uses it: names that were defined before them, and are not any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from code_insight import languages
from code_insight.model import FileRole, Occurrence, SourceFile, Symbol, SymbolKind
from code_insight.queries import role_order
from code_insight.queries.changed import ages_of
from code_insight.queries.graph import Certainty, is_the_only_one
from code_insight.queries.reaching import Inwards, Reached, nearness
from code_insight.queries.resolving import Defined, Outside, Resolver
from code_insight.queries.symbols import DECLARING, TYPES
from code_insight.store import IndexedCommit, Past, Reader

_MOST_FILES = 200  # whose old symbols are looked at: those that were changed last
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
_KINDS = TYPES | _FUNCTIONS | {SymbolKind.MACRO}
_AROUND = TYPES | {SymbolKind.NAMESPACE, SymbolKind.MODULE}  # what may contain them
_NO_LINE = 1 << 30  # after every line that there is

Known = Mapping[int, Sequence[Symbol]]  # the beginning of a blob's name → its symbols


@dataclass(frozen=True, slots=True)
class Gone:
    """What some commits took away, as far as it is known what was there before."""

    symbols: tuple[Symbol, ...] = ()  # source first, by path; not what stood in one of them, or is in another file now
    users: tuple[Reached, ...] = ()  # what still uses one of them, `through`, for each once; the surest first
    unknown: tuple[str, ...] = ()  # files of which it is not known what they defined before, or define now; by path
    not_followed: int = 0  # symbols whose users were not looked for
    before: str = ""  # the commit before them, 40 digits; "" when the history does not go so far back


def old_blobs(past: Past, ages: Collection[int]) -> dict[str, int]:
    """Path → the beginning of the name of the blob that a file of source had there before these commits."""
    changes = [
        change
        for path in islice(changed_paths(past, ages), _MOST_FILES)
        for change in past.changes_at(path)
        if change.age in ages and change.parent == 0 and change.old
    ]
    return {change.source: change.old for change in sorted(changes, key=lambda change: change.age)}


def changed_paths(past: Past, ages: Collection[int]) -> Iterator[str]:
    """The paths of source that these commits changed, those that were changed last first."""
    for path in dict.fromkeys(path for _, path in past.paths_with(sorted(ages))):
        if (language := languages.language_of(path)) and language.grammar:
            yield path


def commit_before(past: Past, ages: Collection[int]) -> str:
    """The 40 digits of the newest commit that these come from; "" when the history does not go so far back."""
    parents = past.parents()
    before = {parent for age in ages for parent in parents[age]} - {*ages}
    return past.entries([min(before)])[min(before)].oid if before else ""


@dataclass(frozen=True, slots=True)
class Unread:
    """Blobs that commits have changed, and that the index does not have."""

    commit: str  # the one before them, 40 digits; "" when the history does not go so far back
    blobs: frozenset[int]  # the beginnings of their names


def unread_before(indexed: IndexedCommit, commits: str) -> Unread:
    """What the index lacks to say what these commits took away; raises what `impact` raises of them."""
    with Reader(indexed) as reader:
        past = reader.past()
        ages = ages_of(reader, past, commits)
        old = old_blobs(past, ages).items()
        unread = [blob for path, blob in old if reader.symbols_of_past(blob, path, FileRole.SOURCE) is None]
        return Unread(commit_before(past, ages), frozenset(unread))


def still_used(reader: Reader, past: Past, ages: Collection[int], now: Resolver, known: Known) -> Gone:
    """What the commits at these places of the history took away, and who uses it though it is not there.

    `known` are symbols of blobs that the index does not have.
    """
    old = old_blobs(past, ages)
    here = {file.path: file for file in reader.files()}
    read: dict[str, list[Symbol]] = {}
    for path in old:
        if path in here and here[path].skip_reason:
            continue  # what it has now is not known
        role = here[path].role if path in here else _role_of(path)
        symbols = reader.symbols_of_past(old[path], path, role)
        if symbols is None and old[path] in known:
            symbols = [symbol._replace(path=path, role=role) for symbol in known[old[path]]]
        if symbols is not None:
            read[path] = symbols
    unknown = tuple(sorted(old.keys() - read.keys()))
    gone = {path: found for path in sorted(read) if (found := _gone(reader, here.get(path), path, read[path]))}
    before_them = commit_before(past, ages)
    if not gone:
        return Gone(unknown=unknown, before=before_them)
    changed = {*old, *islice(changed_paths(past, ages), _MOST_FILES)}
    there = {symbol.qualified_name for path in changed for symbol in reader.symbols_in(path)}
    outermost = _outermost([*gone.values()])
    outermost.sort(key=lambda symbol: (role_order(symbol.role), symbol.qualified_name in there))  # stable
    with _Before(reader.indexed, gone) as before:
        walk = _StillUsing(before, Resolver(before), now)
        walk.go(outermost, depth=1)
    shown = [one for one in outermost if one.qualified_name not in there and one.role is not FileRole.TEST]
    return Gone(tuple(shown), walk.users(), unknown, walk.not_followed, before_them)


def _outermost(gone: list[list[Symbol]]) -> list[Symbol]:
    """Those that are in nothing that is gone itself: who uses what is in a type uses the type; each once, where it was
    defined and not where a header declared it.
    """
    found = []
    for symbols in gone:
        inside = {symbol.position for symbol in symbols if symbol.kind in TYPES}
        found += [symbol for symbol in symbols if symbol.kind in _KINDS and symbol.parent not in inside]
    defined = {symbol.qualified_name for symbol in found if not symbol.path.endswith(DECLARING)}
    return [one for one in found if not one.path.endswith(DECLARING) or one.qualified_name not in defined]


def _role_of(path: str) -> FileRole:
    return FileRole.TEST if languages.is_test_path(path) else FileRole.SOURCE


def _gone(reader: Reader, file: SourceFile | None, path: str, old: list[Symbol]) -> list[Symbol]:
    """The symbols that a file had and has not, as if they stood behind those that it has; with what contains them."""
    now = reader.symbols_in(path) if file else []
    names = {symbol.qualified_name for symbol in now}
    places = {symbol.qualified_name: symbol.position for symbol in now if symbol.kind in _AROUND}
    found: list[Symbol] = []
    for symbol in old:
        around = old[symbol.parent].qualified_name if symbol.parent >= 0 else ""
        if symbol.kind not in _KINDS | _AROUND or symbol.qualified_name in names or (around and around not in places):
            continue  # what is in a function is nobody else's
        placed = symbol._replace(
            blob=file.blob if file else -1,
            position=len(now) + len(found),
            parent=places[around] if around else -1,
            start_line=_NO_LINE,
            end_line=_NO_LINE,
            name_line=_NO_LINE,
        )
        names.add(symbol.qualified_name)
        if symbol.kind in _AROUND:
            places[symbol.qualified_name] = placed.position
        found.append(placed)
    return found


class _Before(Reader):
    """The indexed commit with what is gone put back: what a use of it would mean if it were still there."""

    def __init__(self, indexed: IndexedCommit, gone: Mapping[str, list[Symbol]]) -> None:
        super().__init__(indexed)
        self._gone = gone

    def files(self) -> list[SourceFile]:
        here = super().files()
        paths = {file.path for file in here}
        gone = [
            SourceFile(path, "", symbols[0].blob, 0, 0, symbols[0].language, symbols[0].role, None)
            for path, symbols in self._gone.items()
            if path not in paths
        ]
        return sorted([*here, *gone], key=lambda file: file.path)

    def symbols_in(self, path: str) -> list[Symbol]:
        return [*super().symbols_in(path), *self._gone.get(path, ())]

    def symbols_of(self, file: SourceFile) -> list[Symbol]:
        return [*super().symbols_of(file), *self._gone.get(file.path, ())]

    def symbol_of(self, file: SourceFile, position: int) -> Symbol | None:
        if file.path not in self._gone:
            return super().symbol_of(file, position)
        return dict(enumerate(self.symbols_of(file))).get(position)

    def symbols_of_name(self, file: SourceFile, name: str) -> list[Symbol]:
        gone = self._gone.get(file.path, ())
        return [*super().symbols_of_name(file, name), *(symbol for symbol in gone if symbol.name == name)]

    def symbols_named(self, name: str) -> list[Symbol]:
        return [*super().symbols_named(name), *(symbol for symbol in self._all() if symbol.name == name)]

    def symbols_inside(self, container: str) -> list[Symbol]:
        return [*super().symbols_inside(container), *(one for one in self._all() if one.container == container)]

    def _all(self) -> Iterator[Symbol]:
        return chain.from_iterable(self._gone.values())


class _StillUsing(Inwards):
    """From what is gone to those who use it, and do not mean something that is there now."""

    def __init__(self, before: Reader, resolver: Resolver, now: Resolver) -> None:
        super().__init__(before, resolver)
        self._now = now
        self._all: list[Reached] = []

    def users(self) -> tuple[Reached, ...]:
        """Each user once for each of what is gone, the surest first."""
        each = {(user.path, user.symbol, user.through): user for user in sorted(self._all, key=nearness, reverse=True)}
        return tuple(sorted(each.values(), key=nearness))

    def _step(self, symbol: Symbol, certainty: Certainty, distance: int, most: int) -> Iterator[Reached]:
        for user in super()._step(symbol, certainty, distance, most):
            self._all.append(user)
            yield user

    def _uses(self, symbol: Symbol, most: int) -> tuple[dict[Occurrence, Certainty], int]:
        uses, elsewhere = super()._uses(symbol, most)
        may_count = is_the_only_one(self._reader, symbol)
        # A method that is gone may be one of a base from outside now.
        there = (Defined, Outside) if symbol.kind is SymbolKind.METHOD else Defined
        kept = {
            use: sure
            for use, sure in uses.items()
            if (sure is not Certainty.EXACT and not may_count) or not isinstance(self._now.meaning(use), there)
        }
        return kept, elsewhere + len(uses) - len(kept)

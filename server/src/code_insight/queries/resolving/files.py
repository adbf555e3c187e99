"""What one file says of its own names."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from code_insight.model import BindingFact, Evidence, ImportFact, SourceFile, Symbol, SymbolKind, family_of
from code_insight.queries.imports import ImportResolver, Target

CLASSES = frozenset({SymbolKind.CLASS, SymbolKind.INTERFACE, SymbolKind.STRUCT, SymbolKind.ENUM, SymbolKind.TRAIT})
TYPES = CLASSES | {SymbolKind.TYPE}
FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
_SCOPES = FUNCTIONS | CLASSES
NAMESPACES = frozenset({SymbolKind.NAMESPACE, SymbolKind.MODULE})
_APART = 8  # symbols of a file that are read one by one, and some more of a long one
_SOUGHT = 30  # names of a file that are looked for one by one
SELF = frozenset({"self", "cls", "this", "$this", "static"})


@dataclass(slots=True)
class Definitions:
    """The symbols of a file. The first that are asked for are read one by one: few are, in most files."""

    imports: ImportResolver  # whose reader reads them
    source: SourceFile
    _by_position: dict[int, Symbol | None] = field(default_factory=dict, init=False)
    _by_name: dict[str, list[Symbol]] = field(default_factory=dict, init=False)
    _all: list[Symbol] | None = field(default=None, init=False)

    def __getitem__(self, position: int) -> Symbol:
        if (found := self.get(position)) is None:
            raise IndexError(position)
        return found

    def get(self, position: int) -> Symbol | None:
        """The symbol at a position of the file, None behind the last one."""
        if position not in self._by_position and not self._reads_all():
            self._by_position[position] = self.imports.reader.symbol_of(self.source, position)
        return self._by_position.get(position)

    def named(self, name: str) -> list[Symbol]:
        """The symbols of a name, in order."""
        if name not in self._by_name and not self._reads_all():
            self._by_name[name] = self.imports.reader.symbols_of_name(self.source, name)
        return self._by_name.get(name, [])

    def all(self) -> list[Symbol]:
        """All symbols of the file, in order."""
        if self._all is None:
            self._all = self.imports.reader.symbols_of(self.source)
            self._by_position = dict(enumerate(self._all))
            self._by_name = {}
            for symbol in self._all:
                self._by_name.setdefault(symbol.name, []).append(symbol)
        return self._all

    def _reads_all(self) -> bool:
        """Whether they are all known, because the next ones would cost more one by one."""
        if self._all is None and len(self._by_position) + len(self._by_name) >= _APART + self.source.lines // 50:
            self.all()
        return self._all is not None


@dataclass(slots=True)
class Bindings:
    """Where the names of a file get a value; a binding is looked at when its name is asked for: few are."""

    evidence: Evidence
    symbols: Definitions
    _names: frozenset[str] = field(init=False)
    _rows: dict[str, list[int]] = field(default_factory=dict, init=False)  # of the names that were asked for

    def __post_init__(self) -> None:
        self._names = frozenset(self.evidence.names)

    def of(self, scope: int, name: str) -> list[BindingFact]:
        """Where a name gets a value in a scope, in order."""
        scopes = self.evidence.scopes
        return [self.evidence.binding(row) for row in self._rows_of(name) if scopes[row] >> 1 == scope + 1]

    def of_self(self, owner: int, name: str) -> list[BindingFact]:
        """Where the methods of a class give a value to an attribute of their object, in order."""
        if name[:1] == "@":  # in Ruby `@x.y = 1` says something of @x as well
            rows = [row for row, known in enumerate(self.evidence.names) if known.partition(".")[0] == name]
        else:
            rows = sorted(row for receiver in SELF for row in self._rows_of(f"{receiver}.{name}"))
        found = [self.evidence.binding(row) for row in rows]
        return [binding for binding in found if self._is_in_method_of(owner, binding.symbol)]

    def _rows_of(self, name: str) -> Sequence[int]:
        """Where a name stands; looked for when it is asked for, until that is many names."""
        if name not in self._names:
            return ()
        if name not in self._rows and len(self._rows) < _SOUGHT:
            self._rows[name] = [row for row, known in enumerate(self.evidence.names) if known == name]
        elif name not in self._rows:
            self._rows = {}
            for row, known in enumerate(self.evidence.names):
                self._rows.setdefault(known, []).append(row)
        return self._rows[name]

    def _is_in_method_of(self, owner: int, scope: int) -> bool:
        return scope >= 0 and self.symbols[scope].kind in FUNCTIONS and self.symbols[scope].parent == owner


@dataclass(slots=True)
class FileNames:
    """The names of one file, by where they are known."""

    path: str
    language: str
    family: str
    symbols: Definitions
    bindings: Bindings
    imported: Imported
    receivers: Sequence[str]  # what names are attributes of, by the numbers that uses have

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    def members(self, scope: int, name: str) -> list[Symbol]:
        """The definitions of a name in a symbol, -1 for the top of the file, in order."""
        named = self.symbols.named(name)  # one that has a container and no parent belongs to a type of another file
        return [one for one in named if one.parent == scope and (scope >= 0 or not one.container)]

    def binds(self, scope: int, name: str) -> bool:
        """Whether a scope itself gives a name its meaning."""
        return bool(self.members(scope, name) or self.imported.has(scope, name) or self.bindings.of(scope, name))

    def has_members(self, symbol: Symbol) -> bool:
        """Whether something is defined in a symbol."""
        following = self.symbols.get(symbol.position + 1)
        return following is not None and following.parent == symbol.position

    def function_around(self, scope: int) -> int:
        """The function or class around a variable whose value stands in it."""
        while scope >= 0 and self.symbols[scope].kind not in _SCOPES:
            scope = self.around(scope)
        return scope

    def around(self, scope: int) -> int:
        """The symbol around one, -1 for none: also around a function that is put into an attribute of something."""
        symbol = self.symbols[scope]
        if symbol.parent >= 0 or not symbol.container or self.family != "javascript":
            return symbol.parent
        outer = scope - 1
        while outer >= 0 and self.symbols[outer].end_line < symbol.end_line:
            outer -= 1
        return outer

    def owner(self, scope: int) -> Symbol | None:
        """The class whose method a scope is in, when it is in this file."""
        owners = TYPES | {SymbolKind.MODULE} if self.language == "ruby" else TYPES
        while scope >= 0 and self.symbols[scope].kind not in owners:
            scope = self.around(scope)
        return self.symbols[scope] if scope >= 0 else None


class Place(NamedTuple):
    """Where an expression stands."""

    file: FileNames
    scope: int  # position of the symbol around it, -1 for none
    line: int = 0  # 0 when it does not matter
    before: BindingFact | None = None  # the variable whose value this is: it is not known yet


@dataclass(slots=True)
class Imported:
    """What a file imports; where an import leads is looked into when its name is asked for."""

    imports: ImportResolver
    source: SourceFile
    symbols: Definitions
    _by_name: dict[str, list[tuple[ImportFact, str]]] | None = field(default=None, init=False)
    _starred: list[ImportFact] = field(default_factory=list, init=False)
    _stars: list[Target] | None = field(default=None, init=False)

    def stars(self) -> list[Target]:
        """What is imported as a whole."""
        self._read()
        if self._stars is None:
            self._stars = [self.imports(self.source, fact) for fact in self._starred]
        return self._stars

    def has(self, scope: int, name: str) -> bool:
        """Whether a name is imported in a scope."""
        return any(self._scope_of(fact) == scope for fact, _ in self._read().get(name, ()))

    def targets(self, scope: int, name: str) -> list[tuple[Target, str]]:
        """What the imports of a name in a scope mean, each with the name in the module it comes from, "" for the
        module itself."""
        found = self._read().get(name, ())
        return [(self._target(fact), inside) for fact, inside in found if self._scope_of(fact) == scope]

    def _read(self) -> dict[str, list[tuple[ImportFact, str]]]:
        if self._by_name is None:
            self._by_name = {}
            family = family_of(self.source.language)
            for fact in self.imports.reader.imports_of(self.source.blob):
                names = _names_bound(family, fact)
                for name, inside in names:
                    self._by_name.setdefault(name, []).append((fact, inside))
                if not names:
                    self._starred.append(fact)
        return self._by_name

    def _target(self, fact: ImportFact) -> Target:
        target = self.imports(self.source, fact)
        is_top = not fact.name and not fact.alias and self.source.language == "python" and "." in fact.module
        return _top(target, fact.module, self.imports) if is_top and target.paths else target

    def _scope_of(self, fact: ImportFact) -> int:
        """The innermost function or class that an import stands in, -1 for none."""
        first = self.symbols.get(0)
        if first is None or fact.line < first.start_line:
            return -1
        symbols = self.symbols.all()
        at = bisect_right(symbols, fact.line, key=attrgetter("start_line")) - 1
        while at >= 0 and (symbols[at].end_line < fact.line or symbols[at].kind not in _SCOPES):
            at = symbols[at].parent
        return at


def read_file(imports: ImportResolver, source: SourceFile) -> FileNames:
    """The names of a file of this commit."""
    evidence = imports.reader.evidence(source.blob)
    symbols = Definitions(imports, source)
    return FileNames(
        source.path,
        source.language,
        family_of(source.language),
        symbols,
        Bindings(evidence, symbols),
        Imported(imports, source, symbols),
        evidence.receivers,
    )


def _names_bound(family: str, fact: ImportFact) -> list[tuple[str, str]]:
    """The names that an import binds, each with the name in the module; none when it binds all that is there."""
    if fact.name == "*":
        return []
    if family == "php" and not fact.module.endswith((".php", ".inc")):
        whole = ".".join(filter(None, [*fact.module.split("\\"), fact.name]))
        return [(fact.alias or whole.rpartition(".")[2], whole)]
    if fact.alias and not fact.name and family == "csharp":
        return [(fact.alias, fact.module.rpartition(".")[2])]
    if fact.name or fact.alias:
        return [(fact.alias or fact.name, fact.name)]
    return [] if family in ("csharp", "cpp") else [(name, "") for name in _module_names(family, fact.module)]


def _module_names(family: str, module: str) -> Iterable[str]:
    """The names that an import binds which gives none: `import a.b.c` binds `a`, `import "a/b-go/v2"` binds `b`."""
    if family == "go":
        parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)] or [module]
        last = re.sub(r"\.v\d+$", "", parts[-1])
        pieces = re.split(r"[-.]", last)
        return dict.fromkeys((last, last.removeprefix("go-"), pieces[-1], pieces[0]))
    return [re.split(r"[./:\\]+", module)[-1 if family in ("rust", "java", "php") else 0]]


def _top(target: Target, module: str, imports: ImportResolver) -> Target:
    """The package that `import a.b.c` binds."""
    root = place_of(target.paths[0]).rsplit("/", module.count("."))[0]
    path = next((path for path in files_of(root) if imports.has(path)), f"{root}/__init__.py")
    return Target((path,), is_module=True)


def place_of(path: str) -> str:
    """A module's path without its suffix: its folder, when it is what an import of that folder means."""
    return re.sub(r"(?:/mod|/lib|/main)\.rs$|(?:/__init__|/index)?\.\w+$", "", path)


def files_of(place: str) -> tuple[str, ...]:
    """The paths that a module at a place may have."""
    suffixes = [".py", "/__init__.py", ".pyi", ".ts", ".tsx", ".js", ".jsx", "/index.ts", "/index.tsx", "/index.js"]
    suffixes += [".rs", "/mod.rs", "/lib.rs", "/main.rs"]
    return tuple(f"{place}{suffix}" for suffix in suffixes)


def namespaces_of(file: FileNames) -> list[str]:
    """The namespaces in which a file looks for names: its own, then those around them, "" at last."""
    own = [re.sub(r"\\|::", ".", symbol.qualified_name) for symbol in file.symbols.all() if symbol.kind in NAMESPACES]
    found = [whole.rsplit(".", count)[0] for whole in own for count in range(whole.count(".") + 1)]
    return [*sorted(dict.fromkeys(found), key=lambda prefix: -prefix.count(".")), ""]


def java_package(path: str) -> str:
    """What files of one package of Java have in common, wherever their roots are."""
    folder = path.rpartition("/")[0]
    return folder.rpartition("/java/")[2]

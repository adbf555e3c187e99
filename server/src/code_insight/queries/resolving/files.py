"""What one file says of its own names."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from code_insight.model import BindingFact, Evidence, ImportFact, SourceFile, Symbol, SymbolKind, family_of
from code_insight.queries.imports import ImportResolver, Target
from code_insight.store import Reader

CLASSES = frozenset({SymbolKind.CLASS, SymbolKind.INTERFACE, SymbolKind.STRUCT, SymbolKind.ENUM, SymbolKind.TRAIT})
TYPES = CLASSES | {SymbolKind.TYPE}
FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
NAMESPACES = frozenset({SymbolKind.NAMESPACE, SymbolKind.MODULE})
SELF = frozenset({"self", "cls", "this", "$this", "static"})


@dataclass(slots=True)
class Bindings:
    """Where the names of a file get a value; a binding is looked at when its name is asked for: few are."""

    evidence: Evidence
    symbols: list[Symbol]
    _rows: dict[str, list[int]] | None = field(default=None, init=False)  # of a name
    _attributes: dict[str, list[int]] | None = field(default=None, init=False)  # the rows of `self.x`, by x

    def of(self, scope: int, name: str) -> list[BindingFact]:
        """Where a name gets a value in a scope, in order."""
        if self._rows is None:
            self._rows = {}
            for row, known in enumerate(self.evidence.names):
                self._rows.setdefault(known, []).append(row)
        scopes = self.evidence.scopes
        return [self.evidence.binding(row) for row in self._rows.get(name, ()) if scopes[row] >> 1 == scope + 1]

    def of_self(self, owner: int, name: str) -> list[BindingFact]:
        """Where the methods of a class give a value to an attribute of their object, in order."""
        if self._attributes is None:
            self._attributes = {}
            for row, known in enumerate(self.evidence.names):
                receiver, dot, attribute = known.partition(".")
                if dot and receiver in SELF:
                    self._attributes.setdefault(attribute, []).append(row)
                elif receiver[:1] == "@":
                    self._attributes.setdefault(receiver, []).append(row)
        found = [self.evidence.binding(row) for row in self._attributes.get(name, ())]
        return [binding for binding in found if self._is_in_method_of(owner, binding.symbol)]

    def _is_in_method_of(self, owner: int, scope: int) -> bool:
        return scope >= 0 and self.symbols[scope].kind in FUNCTIONS and self.symbols[scope].parent == owner


@dataclass(slots=True)
class FileNames:
    """The names of one file, by where they are known."""

    path: str
    language: str
    family: str
    symbols: list[Symbol]
    members: dict[tuple[int, str], list[Symbol]]  # (position of the parent, name) → definitions, in order
    bindings: Bindings
    imported: dict[tuple[int, str], list[tuple[Target | ImportFact, str]]]  # (position of the scope, name) → its
    # imports, each with the name in the module it comes from, "" when it is the module
    stars: list[Target]
    receivers: Sequence[str]  # what names are attributes of, by the numbers that uses have
    target_of: Callable[[ImportFact], Target]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    def binds(self, scope: int, name: str) -> bool:
        """Whether a scope itself gives a name its meaning."""
        key = scope, name
        return key in self.members or key in self.imported or bool(self.bindings.of(scope, name))

    def targets(self, scope: int, name: str) -> list[tuple[Target, str]]:
        """What the imports of a name in a scope mean, each with the name in the module it comes from."""
        found = self.imported.get((scope, name), ())
        return [(one if isinstance(one, Target) else self.target_of(one), inside) for one, inside in found]

    def has_members(self, symbol: Symbol) -> bool:
        """Whether something is defined in a symbol."""
        following = symbol.position + 1
        return following < len(self.symbols) and self.symbols[following].parent == symbol.position

    def function_around(self, scope: int) -> int:
        """The function or class around a variable whose value stands in it."""
        while scope >= 0 and self.symbols[scope].kind not in FUNCTIONS | CLASSES:
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


def read_file(reader: Reader, imports: ImportResolver, source: SourceFile) -> FileNames:
    """The names of a file of this commit."""
    symbols = reader.symbols_in(source.path)
    evidence = reader.evidence(source.blob)
    family = family_of(source.language)
    bindings = Bindings(evidence, symbols)
    target_of = partial(imports, source)
    file = FileNames(source.path, source.language, family, symbols, {}, bindings, {}, [], evidence.receivers, target_of)
    for symbol in symbols:
        if symbol.parent >= 0 or not symbol.container:  # otherwise it belongs to a type of another file
            file.members.setdefault((symbol.parent, symbol.name), []).append(symbol)
    _bind_imports(file, reader.imports_of(source.blob), imports)
    return file


def _bind_imports(file: FileNames, facts: list[ImportFact], imports: ImportResolver) -> None:
    starts = [symbol.start_line for symbol in file.symbols]
    for fact in facts:
        scope = _scope_at(file.symbols, starts, fact.line)
        if fact.name == "*":
            file.stars.append(file.target_of(fact))
        elif file.family == "php" and not fact.module.endswith((".php", ".inc")):
            whole = ".".join(filter(None, [*fact.module.split("\\"), fact.name]))
            file.imported.setdefault((scope, fact.alias or whole.rpartition(".")[2]), []).append((fact, whole))
        elif fact.alias and not fact.name and file.family == "csharp":
            file.imported.setdefault((scope, fact.alias), []).append((fact, fact.module.rpartition(".")[2]))
        elif fact.name or fact.alias:
            file.imported.setdefault((scope, fact.alias or fact.name), []).append((fact, fact.name))
        else:
            for name, module in _module_names(file, fact.module, file.target_of(fact), imports):
                file.imported.setdefault((scope, name), []).append((module, ""))


def _module_names(
    file: FileNames, module: str, target: Target, imports: ImportResolver
) -> Iterator[tuple[str, Target]]:
    """The names that an import binds which gives none: `import a.b.c` binds `a`, `import "a/b-go/v2"` binds `b`."""
    if file.family == "go":
        parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)] or [module]
        last = re.sub(r"\.v\d+$", "", parts[-1])
        pieces = re.split(r"[-.]", last)
        for name in dict.fromkeys((last, last.removeprefix("go-"), pieces[-1], pieces[0])):
            yield name, target
    elif file.family in ("csharp", "cpp"):
        file.stars.append(target)
    elif file.language == "python" and target.paths and "." in module:
        yield re.split(r"[./:\\]+", module)[0], _top(target, module, imports)
    else:
        name = re.split(r"[./:\\]+", module)[-1 if file.family in ("rust", "java", "php") else 0]
        yield name, target


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
    own = [re.sub(r"\\|::", ".", symbol.qualified_name) for symbol in file.symbols if symbol.kind in NAMESPACES]
    found = [whole.rsplit(".", count)[0] for whole in own for count in range(whole.count(".") + 1)]
    return [*sorted(dict.fromkeys(found), key=lambda prefix: -prefix.count(".")), ""]


def java_package(path: str) -> str:
    """What files of one package of Java have in common, wherever their roots are."""
    folder = path.rpartition("/")[0]
    return folder.rpartition("/java/")[2]


def _scope_at(symbols: list[Symbol], starts: list[int], line: int) -> int:
    """The innermost function or class that a line stands in, -1 for none."""
    at = bisect_right(starts, line) - 1
    while at >= 0 and (symbols[at].end_line < line or symbols[at].kind not in FUNCTIONS | CLASSES):
        at = symbols[at].parent
    return at

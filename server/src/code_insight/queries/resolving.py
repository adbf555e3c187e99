"""What a name means where it stands: scopes, imports, hierarchies, and values whose class is evident.

Nothing is guessed here. `Resolver.meaning` answers with the definition that evidence leads to, with `Outside` when
that is not in the repository, and with None when there is not enough evidence. Questions decide what to make of None.

Meanings are worked out when asked for and never stored: a file's own facts, its imports and the classes it names are
all that one occurrence needs, so a commit that changes one file costs nothing here.
"""

from __future__ import annotations

import builtins
import re
from bisect import bisect_right
from dataclasses import dataclass, field

from code_insight.model import BindingFact, Occurrence, Symbol, SymbolKind
from code_insight.queries.imports import ImportResolver, Target
from code_insight.store import Reader

_DEPTH = 40  # steps from a name to its meaning; a longer way is a circle
_MOST_EXPRESSIONS = 1_000  # that are looked into for one meaning
_MOST_BASES = 100  # of one class, those of its bases included
_STEP = re.compile(r"([\w$]+)(\(\))?")
_CLASSES = frozenset({SymbolKind.CLASS, SymbolKind.INTERFACE, SymbolKind.STRUCT, SymbolKind.ENUM, SymbolKind.TRAIT})
_FUNCTIONS = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.CONSTRUCTOR})
_BUILTINS = frozenset(dir(builtins))
_CONTAINERS = frozenset({"list", "dict", "set", "tuple", "frozenset", "sorted", "reversed", "iter", "zip", "enumerate"})
_PASSING = frozenset({"next", "max", "min", "getattr", "vars", "copy", "deepcopy", "cast", "partial"})  # what they get
_SELF = frozenset({"self", "cls", "this"})
_LANGUAGES = frozenset({"python", "javascript", "typescript", "tsx"})  # that have a third part in their query file


@dataclass(frozen=True, slots=True)
class Defined:
    """The name means this definition."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Instance:
    """The name means a value of this class."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Super:
    """The name means the bases of this class."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Module:
    """The name means this module: its path without suffix, or its folder."""

    place: str


@dataclass(frozen=True, slots=True)
class Outside:
    """The name means something that this repository does not define."""

    is_container: bool = False  # what its calls give may be of this repository: "list[Flask]"


Meaning = Defined | Instance | Super | Module | Outside
_OUTSIDE = Outside()


@dataclass(slots=True)
class _File:
    """What one file says of its own names."""

    path: str
    language: str
    symbols: list[Symbol]
    members: dict[tuple[int, str], list[Symbol]]  # (position of the parent, name) → definitions, in order
    bindings: dict[tuple[int, str], list[BindingFact]]  # (position of the scope, name) → where it gets a value
    imported: dict[tuple[int, str], list[tuple[Target, str]]]  # (position of the scope, name) → what its imports mean,
    # each with the name in the module it comes from, "" when it is the module
    stars: list[Target]
    receivers: dict[tuple[int, int], str]  # (line, column) of a name → what it is an attribute of
    attributes: dict[tuple[int, str], list[BindingFact]]  # (position of a class, name) → what methods bind to self's

    def binds(self, scope: int, name: str) -> bool:
        """Whether a scope itself gives a name its meaning."""
        return any((scope, name) in table for table in (self.members, self.bindings, self.imported))


def knows(language: str) -> bool:
    """Whether meanings can be told in a language; in others a name is all there is."""
    return language in _LANGUAGES


@dataclass(slots=True)
class Resolver:
    """Works out meanings in one commit; keeps what it has read of it."""

    reader: Reader
    _imports: ImportResolver = field(init=False)
    _files: dict[str, _File] = field(default_factory=dict, init=False)
    _paths: dict[str, int] = field(init=False)
    _lineages: dict[tuple[str, int], list[Symbol | None]] = field(default_factory=dict, init=False)
    _bases: dict[tuple[str, int], list[Symbol | None]] = field(default_factory=dict, init=False)
    _left: int = field(default=_MOST_EXPRESSIONS, init=False)  # expressions that may still be looked into

    def __post_init__(self) -> None:
        files = self.reader.files()
        self._imports = ImportResolver(self.reader, files)
        self._paths = {file.path: file.blob for file in files if file.blob}

    def meaning(self, use: Occurrence) -> Meaning | None:
        """What an occurrence means; None when the evidence does not tell."""
        self._left = _MOST_EXPRESSIONS
        file = self._file(use.path)
        receiver = file.receivers.get((use.line, use.column), "")
        if receiver == "?":
            return None
        if not receiver:
            return self._name(file, use.symbol, use.name, 0)
        owner = self._expression(file, use.symbol, receiver, 0)
        return self._attribute(owner, use.name, 0, value=False) if owner else None

    # Names

    def _name(self, file: _File, scope: int, name: str, depth: int) -> Meaning | None:
        """What a plain name means inside a scope: from the innermost function outwards, then the module."""
        if depth > _DEPTH:
            return None
        at = _without_values(file, scope)
        innermost = at
        while at >= 0:
            symbol = file.symbols[at]
            if symbol.kind in _FUNCTIONS and file.binds(at, name):
                return self._local(file, at, name, depth + 1)
            if symbol.kind in _CLASSES and at == innermost and not _is_value_named(file, scope, name):
                own = file.members.get((at, name), [])
                if best := next((symbol for symbol in reversed(own) if symbol.kind in _CLASSES | _FUNCTIONS), None):
                    return Defined(best)
                if bound := file.bindings.get((at, name)):
                    return self._bound(file, bound, depth + 1)
            at = symbol.parent
        return self._global(file, name, depth + 1)

    def _local(self, file: _File, scope: int, name: str, depth: int) -> Meaning | None:
        """What a function binds a name to, if that is one thing."""
        found: list[Meaning | None] = []
        if own := file.members.get((scope, name)):
            found.append(Defined(own[-1]))
        if bound := file.bindings.get((scope, name)):
            found.append(self._bound(file, bound, depth))
        if imported := file.imported.get((scope, name)):
            found.append(self._imported(imported, depth))
        return _the_same(found)

    def _global(self, file: _File, name: str, depth: int) -> Meaning | None:
        """What a name means at the top of a file."""
        if depth > _DEPTH:
            return None
        own = file.members.get((-1, name), [])
        if best := next((symbol for symbol in own if symbol.kind in _CLASSES | _FUNCTIONS), None):
            return Defined(best)
        if imported := file.imported.get((-1, name)):
            return self._imported(imported, depth)
        if bound := file.bindings.get((-1, name)):
            return self._bound(file, bound, depth + 1)
        return Defined(own[-1]) if own else self._elsewhere(file, name, depth + 1)

    def _elsewhere(self, file: _File, name: str, depth: int) -> Meaning | None:
        """What a name means that a file does not define: from `import *`, or built into the language."""
        for path in (path for star in file.stars for path in star.paths):
            found = self._global(self._file(path), name, depth)
            if found and not isinstance(found, Outside):
                return found
        is_closed = all(star.paths for star in file.stars)
        return _OUTSIDE if is_closed and file.language == "python" and name in _BUILTINS else None

    def _bound(self, file: _File, bound: list[BindingFact], depth: int) -> Meaning | None:
        """What a variable means: what all that is bound to it means, if that is one thing."""
        if typed := next((binding for binding in bound if binding.is_type), None):
            return self._typed(file, typed.symbol, typed.value, depth + 1)
        values = {
            (binding.symbol, value)
            for binding in bound
            for value in binding.value.split(" or ")
            if value != "None" and (value == binding.value or not self._is_none(file, binding.symbol, value))
        }
        again = {(scope, value) for scope, value in values if _root(value) == bound[0].name}
        if again and again == values:  # `class C: f = f` means the f around it
            scope, value = min(again)
            is_class = scope >= 0 and file.symbols[scope].kind in _CLASSES
            outer = file.symbols[scope].parent
            return self._expression(file, outer, value, depth + 1) if is_class and len(values) == 1 else None
        found = _the_same([self._expression(file, scope, value, depth + 1) for scope, value in values - again])
        if found is None or any(self._steps(found, value, depth + 1) != found for _, value in again):
            return None
        return found

    def _is_none(self, file: _File, scope: int, name: str) -> bool:
        """Whether a name of a function is never anything but None there, as a parameter's default."""
        bound = file.bindings.get((scope, name), [])
        return bool(bound) and all(binding.value == "None" and not binding.is_type for binding in bound)

    def _typed(self, file: _File, scope: int, annotation: str, depth: int) -> Meaning | None:
        """A value of the one class that an annotation leaves: "Flask", "t.Optional[Flask]", "Flask | None"."""
        names = annotated(annotation)
        if len(names) != 1:
            return None
        name, _, arguments = names[0].partition("[")
        if name in _SELF_TYPES:
            owner = self._owner(file, scope)
            return Instance(owner) if owner else None
        if name in _CLASS_TYPES and arguments:
            found = self._typed(file, scope, arguments.removesuffix("]"), depth + 1) if depth < _DEPTH else None
            return Defined(found.symbol) if isinstance(found, Instance) else found
        found = self._expression(file, scope, name, depth + 1)
        if isinstance(found, Defined) and found.symbol.kind in _CLASSES:
            return Instance(found.symbol)
        return Outside(is_container=bool(arguments)) if isinstance(found, Outside) else None

    def _imported(self, imported: list[tuple[Target, str]], depth: int) -> Meaning | None:
        return _the_same([self._target(target, name, depth + 1) for target, name in imported])

    def _target(self, target: Target, name: str, depth: int) -> Meaning | None:
        """What an imported name means, followed through re-exports."""
        if target.package:
            return _OUTSIDE
        for path in target.paths:
            if not name or target.is_module:
                return Module(_place(path))
            if found := self._global(self._file(path), name, depth + 1):
                return found
        return None

    # Expressions

    def _expression(self, file: _File, scope: int, text: str, depth: int) -> Meaning | None:
        """What a dotted expression means: "self.app.route", "Flask().config", "super().run"."""
        self._left -= 1
        if depth > _DEPTH or self._left < 0 or not text:
            return None
        root = _root(text)
        found = self._first(file, scope, root, depth)
        if root == "super":
            text = text.replace("()", "", 1)
        return self._steps(found, text, depth)

    def _steps(self, found: Meaning | None, text: str, depth: int) -> Meaning | None:
        """What an expression means whose first name has that meaning."""
        holder: Meaning | None = None
        for at, (name, is_called) in enumerate(_STEP.findall(text)):
            if at:
                holder, found = found, self._attribute(found, name, depth + 1)
            if is_called and isinstance(found, Outside) and name in _CONTAINERS:
                found = Outside(is_container=True)
            elif is_called:
                found = None if isinstance(found, Outside) and name in _PASSING else self._called(found, holder, depth)
            if found is None:
                return None
        return found

    def _first(self, file: _File, scope: int, name: str, depth: int) -> Meaning | None:
        if name in _SELF or name == "super":
            owner = self._owner(file, scope)
            if owner is None:
                return None
            return Super(owner) if name == "super" else Defined(owner) if name == "cls" else Instance(owner)
        return self._name(file, scope, name, depth + 1)

    def _owner(self, file: _File, scope: int) -> Symbol | None:
        """The class whose method a scope is in."""
        while scope >= 0 and file.symbols[scope].kind not in _CLASSES:
            scope = file.symbols[scope].parent
        return file.symbols[scope] if scope >= 0 else None

    def _called(self, found: Meaning | None, holder: Meaning | None, depth: int) -> Meaning | None:
        """What a call of that gives; the holder is what it was an attribute of."""
        match found:
            case Defined(symbol) if symbol.kind in _CLASSES:
                return Instance(symbol)
            case Defined(symbol) if symbol.kind in _FUNCTIONS:
                return self._returned(symbol, holder, depth)
            case Outside(is_container) if not is_container:
                return found
        return None

    def _returned(self, function: Symbol, holder: Meaning | None, depth: int) -> Meaning | None:
        file = self._file(function.path)
        bound = file.bindings.get((function.position, "return"))
        if not bound or depth > _DEPTH or any("contextmanager" in value for value in self._decorators(file, function)):
            return None
        is_self = all(binding.value in ("self", *_SELF_TYPES) for binding in bound)
        if is_self and isinstance(holder, Instance | Defined | Super) and holder.symbol.kind in _CLASSES:
            return Instance(holder.symbol)
        found = self._bound(file, bound, depth + 1)
        return found if isinstance(found, Instance | Outside) or bound[0].is_type else None

    def _attribute(self, found: Meaning | None, name: str, depth: int, *, value: bool = True) -> Meaning | None:
        """What an attribute of that is; of a property its value, where that is wanted."""
        if depth > _DEPTH:
            return None
        match found:
            case Instance(symbol) if name == "__class__":
                return Defined(symbol)
            case Defined(symbol) if name == "__super__" and symbol.kind in _CLASSES:
                return Super(symbol)
            case Module(place):
                return self._in_module(place, name, depth)
            case Instance(symbol) | Defined(symbol) if symbol.kind in _CLASSES:
                return self._member(symbol, name, depth, value=value, inherited_only=False)
            case Super(symbol):
                return self._member(symbol, name, depth, value=value, inherited_only=True)
            case Outside():
                return found
        return None

    def _in_module(self, place: str, name: str, depth: int) -> Meaning | None:
        for path in _files_of(place):
            if path in self._paths and (found := self._global(self._file(path), name, depth + 1)):
                return found
        inner = f"{place}/{name}"
        return Module(inner) if any(path in self._paths for path in _files_of(inner)) else None

    # Classes

    def _member(self, owner: Symbol, name: str, depth: int, *, value: bool, inherited_only: bool) -> Meaning | None:
        """An attribute of a class, looked up along its bases; Outside when only an unknown base may have it."""
        has_unknown_base = False
        for place, base in enumerate(self._lineage(owner)):
            if base is None:
                has_unknown_base = True
            elif (place or not inherited_only) and (found := self._own_member(base, name, depth, value=value)):
                return found
        return Outside(is_container=True) if has_unknown_base else None

    def _own_member(self, owner: Symbol, name: str, depth: int, *, value: bool) -> Meaning | None:
        file = self._file(owner.path)
        own = file.members.get((owner.position, name), [])
        defined = [symbol for symbol in own if symbol.kind in _FUNCTIONS | _CLASSES]
        if defined:  # of a property the first definition says what it gives; a setter follows
            return (self._property(file, defined[0], depth) if value else None) or Defined(defined[-1])
        bound = file.bindings.get((owner.position, name), []) + file.attributes.get((owner.position, name), [])
        if bound and depth < _DEPTH and (found := self._bound(file, bound, depth + 1)):
            return found
        return Defined(own[-1]) if own else None

    def _property(self, file: _File, symbol: Symbol, depth: int) -> Meaning | None:
        """What a property gives, where its function says so."""
        is_property = any(value in _PROPERTIES for value in self._decorators(file, symbol))
        return self._returned(symbol, None, depth + 1) if is_property else None

    def _decorators(self, file: _File, symbol: Symbol) -> list[str]:
        return [binding.value for binding in file.bindings.get((symbol.position, "@"), ())]

    def _lineage(self, owner: Symbol) -> list[Symbol | None]:
        """A class and its bases, in the order in which they are asked; None for one that is not of this repository."""
        known = self._lineages.get((owner.path, owner.position))
        if known is not None:
            return known
        walked: list[Symbol | None] = []
        waiting: list[tuple[Symbol | None, frozenset[tuple[str, int]]]] = [(owner, frozenset())]
        while waiting and len(walked) < _MOST_BASES:
            symbol, above = waiting.pop()
            place = (symbol.path, symbol.position) if symbol else ("", 0)
            if place not in above:
                walked.append(symbol)
                bases = self._bases_of(symbol) if symbol else []
                waiting += [(base, above | {place}) for base in reversed(bases)]
        # What several bases share is asked after all of them.
        found = list(dict.fromkeys(reversed(walked)))[::-1]
        self._lineages[owner.path, owner.position] = found
        return found

    def _bases_of(self, symbol: Symbol) -> list[Symbol | None]:
        place = (symbol.path, symbol.position)
        if place not in self._bases:
            self._bases[place] = []  # a class is no part of its own bases
            file, left = self._file(symbol.path), self._left
            found = [self._expression(file, symbol.parent, base, 1) for base in symbol.bases if base != "object"]
            self._bases[place] = [base.symbol if isinstance(base, Defined) else None for base in found]
            self._left = left
        return self._bases[place]

    # Files

    def _file(self, path: str) -> _File:
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: str) -> _File:
        blob = self._paths[path]
        source = self.reader.file(path)
        symbols = self.reader.symbols_in(path)
        members: dict[tuple[int, str], list[Symbol]] = {}
        for symbol in symbols:
            members.setdefault((symbol.parent, symbol.name), []).append(symbol)
        bindings: dict[tuple[int, str], list[BindingFact]] = {}
        attributes: dict[tuple[int, str], list[BindingFact]] = {}
        evidence = self.reader.evidence(blob)
        for binding in evidence.bindings:
            bindings.setdefault((binding.symbol, binding.name), []).append(binding)
            receiver, dot, name = binding.name.partition(".")
            if dot and receiver in _SELF and binding.symbol >= 0 and symbols[binding.symbol].kind in _FUNCTIONS:
                attributes.setdefault((symbols[binding.symbol].parent, name), []).append(binding)
        assert source is not None
        file = _File(path, source.language, symbols, members, bindings, {}, [], evidence.receivers, attributes)
        starts = [symbol.start_line for symbol in symbols]
        for fact in self.reader.imports_of(blob):
            target = self._imports(source, fact)
            scope = _scope_at(symbols, starts, fact.line)
            if fact.name == "*":
                file.stars.append(target)
            elif fact.name or fact.alias:
                file.imported.setdefault((scope, fact.alias or fact.name), []).append((target, fact.name))
            else:
                self._bind_module(file, scope, fact.module, target)
        return file

    def _bind_module(self, file: _File, scope: int, module: str, target: Target) -> None:
        """`import a.b.c` binds `a`."""
        top = re.split(r"[./:\\]+", module)[0]
        if target.paths and "." in module and file.language == "python":
            place = _place(target.paths[0])
            depth = module.count(".")
            root = place.rsplit("/", depth)[0]
            path = next((path for path in _files_of(root) if path in self._paths), f"{root}/__init__.py")
            target = Target((path,), is_module=True)
        file.imported.setdefault((scope, top), [(target, "")])


# Methods of every language's own strings, collections, files and threads: a call of one says nothing of whose it is.
COMMON = frozenset(
    """
    add append apply call clear close copy count decode delete done empty encode end exists extend filter find first
    flush format get index insert items join keys last length list load lower map match next open peek pop push put read
    readline remove replace reset reverse run send set size slice sort split start stop strip test then toString trim
    update upper values wait write
    """.split()  # noqa: SIM905 - a table that is read, not typed
)
_PROPERTIES = frozenset({"property", "cached_property", "functools.cached_property"})
_SELF_TYPES = frozenset({"Self", "t.Self", "te.Self", "typing.Self", "typing_extensions.Self", "this"})
_CLASS_TYPES = frozenset({"type", "Type", "t.Type", "typing.Type"})
_WRAPPER = re.compile(r"(?:\w+\.)?(Optional|Annotated|ClassVar|Final|Promise|Readonly|Union)\[(.*)\]")
_NOTHING = frozenset({"", "None", "null", "undefined"})


def annotated(annotation: str) -> list[str]:
    """The types of a union, without quotes, None, and the wrappers that say nothing of the class."""
    found, waiting = [], [annotation]
    while waiting:
        text = waiting.pop(0).strip().strip("\"'").strip()
        parts = _split(text, "|")
        if len(parts) > 1:
            waiting[:0] = parts
        elif match := _WRAPPER.fullmatch(text):
            inner = _split(match[2], ",")
            waiting[:0] = inner if match[1] == "Union" else inner[:1]
        elif text not in _NOTHING:
            found.append(text)
    return list(dict.fromkeys(found))


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == separator and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _root(text: str) -> str:
    return re.split(r"[.(]", text, maxsplit=1)[0]


def _the_same(found: list[Meaning | None]) -> Meaning | None:
    """What all of them are, if that is one thing."""
    return found[0] if found and all(meaning == found[0] for meaning in found) else None


def _without_values(file: _File, scope: int) -> int:
    """The function or class around a variable whose value stands in it."""
    while scope >= 0 and file.symbols[scope].kind not in _FUNCTIONS | _CLASSES:
        scope = file.symbols[scope].parent
    return scope


def _is_value_named(file: _File, scope: int, name: str) -> bool:
    return scope >= 0 and file.symbols[scope].name == name and file.symbols[scope].kind not in _FUNCTIONS | _CLASSES


def _scope_at(symbols: list[Symbol], starts: list[int], line: int) -> int:
    """The innermost function or class that a line stands in, -1 for none."""
    at = bisect_right(starts, line) - 1
    while at >= 0 and (symbols[at].end_line < line or symbols[at].kind not in _FUNCTIONS | _CLASSES):
        at = symbols[at].parent
    return at


def _place(path: str) -> str:
    return re.sub(r"(/__init__|/index)?\.\w+$", "", path)


def _files_of(place: str) -> tuple[str, ...]:
    suffixes = (".py", "/__init__.py", ".pyi", ".ts", ".tsx", ".js", ".jsx", "/index.ts", "/index.tsx", "/index.js")
    return tuple(f"{place}{suffix}" for suffix in suffixes)

"""Works out what names mean, by the rules of each language.

Nothing is guessed here. `Resolver.meaning` answers with the definition that evidence leads to, with `Outside` when
that is not in the repository, and with None when there is not enough evidence. Questions decide what to make of None.

Meanings are worked out when asked for and never stored: a file's own facts, its imports and the types it names are
all that one occurrence needs, so a commit that changes one file costs nothing here.
"""

from __future__ import annotations

import builtins
import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from code_insight.model import (
    BindingFact,
    ImportFact,
    Occurrence,
    ReferenceKind,
    SourceFile,
    Symbol,
    SymbolKind,
    family_of,
)
from code_insight.queries.imports import ImportResolver, Target
from code_insight.queries.resolving.builds import is_built
from code_insight.queries.resolving.calls import Calls
from code_insight.queries.resolving.files import (
    CLASSES,
    FUNCTIONS,
    NAMESPACES,
    SELF,
    TYPES,
    Definitions,
    FileNames,
    Place,
    files_of,
    java_package,
    namespaces_of,
    place_of,
    read_file,
)
from code_insight.queries.resolving.meanings import (
    Defined,
    Fields,
    Function,
    Instance,
    Items,
    Meaning,
    Module,
    OfItems,
    OneOf,
    Outside,
    Package,
    Several,
    Super,
)
from code_insight.queries.resolving.types import (
    FieldsOf,
    FunctionOf,
    ItemsOf,
    Named,
    OneOfTypes,
    SeveralOf,
    Signature,
    Type,
    ValueOf,
    argument_count,
    read_signature,
    read_type,
    takes,
)
from code_insight.store import Reader, last_name

_DEPTH = 40  # steps from a name to its meaning; a longer way is a circle
_NEAR = _DEPTH // 2  # what took no more is what it would be on any other way
_MOST_EXPRESSIONS = 1_000  # that are looked into for one meaning
_MOST_BASES = 100  # of one class, those of its bases included
_HEAD_CHARACTERS = 4_000  # of a file of Go, where its build constraint stands
_COMMITS_KEPT = 2
_TEXT_KEPT, _NAMED_KEPT = 5 << 20, 10_000  # bytes of the files that were read, symbols that were asked for by name
_GLOBALS_KEPT = 5_000  # meanings of names at the top of files
_CALL_LINES = 20  # over which the arguments of a call may go
_MOST_NAMED = 2_000  # definitions of one name that are looked at
_STEP = re.compile(r"\.?([\w$@][\w$]*[?!]?|#[\w$]+(?=[.(\[#~@]|$)(?<!#\d))(\(\))?|(\(\))|(\[\])|#(\d+)|~(\d+)|(@)")
_AFTER_ROOT = re.compile(r"[.(\[~]|(?<=.)[#@]")
_BUILTINS = frozenset(dir(builtins))
_CONTAINERS = frozenset({"list", "dict", "set", "tuple", "frozenset", "sorted", "reversed", "iter", "zip", "enumerate"})
_PASSING = frozenset({"next", "max", "min", "getattr", "vars", "copy", "deepcopy", "cast", "partial"})  # what they get
_LANGUAGES = frozenset(
    {"python", "javascript", "typescript", "tsx", "go", "java", "csharp", "php", "rust", "ruby"}
)  # that have a third part in their query file
_OPEN = frozenset({"go", "rust", "csharp", "ruby", "cpp"})  # whose members may stand outside of the type's own text
_IMPLICIT_SELF = frozenset({"java", "csharp", "cpp", "ruby"})  # where a name may be a member of the type
_GENERIC_BASES = frozenset({"javascript", "java", "csharp"})  # whose signatures say of which types the bases are
_OVERLOADED = frozenset({"java", "csharp"})  # where a base's method of the same name stays beside a class's own
_NAMESPACED = frozenset({"csharp", "php"})  # where the full names of types say which namespace they are of
_SPREAD = frozenset({"csharp", "ruby"})  # where a type may be defined in parts, anywhere
_BASES = {"csharp": "base", "php": "parent"}  # what a class calls its bases, "super" elsewhere
_AT_TOP = TYPES | {SymbolKind.FUNCTION}  # what a namespace has
_FIELDS_APART = frozenset({"java", "php"})  # where a field and a method may have one name
_OUTSIDE = Outside()
Env = dict[str, Meaning | None]  # a type's parameters
_NO_ENV: Env = {}


def knows(language: str) -> bool:
    """Whether meanings can be told in a language; in others a name is all there is."""
    return language in _LANGUAGES


def knows_calls(language: str) -> bool:
    """Whether meanings of calls, at least, can be told in a language."""
    return language in _LANGUAGES or family_of(language) == "cpp"


_kept: dict[tuple[object, ...], Resolver] = {}


@contextlib.contextmanager
def resolving(reader: Reader) -> Iterator[Resolver]:
    """A resolver for one answer, which knows what an earlier answer about the same commit has read, if that is kept."""
    indexed = reader.indexed
    key = indexed.index, indexed.row, indexed.commit.oid, indexed.indexed_at
    resolver = _kept.pop(key, None) or Resolver(reader)  # popped: nobody else has it meanwhile
    resolver.now_reads(reader)
    yield resolver
    resolver.trim()
    _kept[key] = resolver
    for other in [*_kept][:-_COMMITS_KEPT]:
        _kept.pop(other, None)


class _Global(NamedTuple):
    """What a name means at the top of a file, and how much of what one meaning may cost that takes."""

    meaning: Meaning | None
    steps: int
    expressions: int


@dataclass(slots=True)
class Resolver:
    """Works out meanings in one commit; keeps what it has read of it."""

    reader: Reader
    _imports: ImportResolver = field(init=False)
    _sources: dict[str, SourceFile] = field(init=False)
    _calls: Calls = field(init=False)  # of C and C++
    _files: dict[str, FileNames] = field(default_factory=dict, init=False)
    _lineages: dict[Instance, list[Instance | None]] = field(default_factory=dict, init=False)
    _bases: dict[Instance, list[Instance | None]] = field(default_factory=dict, init=False)
    _symbols: dict[str, list[Symbol]] = field(default_factory=dict, init=False)
    _starred: dict[tuple[str, str], Meaning | None] = field(default_factory=dict, init=False)  # for one meaning
    _reading_bases: int = field(default=0, init=False)  # of how many classes, one for the sake of the other
    _left: int = field(default=_MOST_EXPRESSIONS, init=False)  # expressions that may still be looked into
    _deepest: int = field(default=0, init=False)  # steps on the way to one meaning
    _starring: int = field(default=0, init=False)  # of how many files it is asked what `import *` brings
    _globals: dict[tuple[str, str], _Global] = field(default_factory=dict, init=False)  # by path and name
    _alike: tuple[FileNames | None, dict[tuple[int, int, str], Meaning | None]] = field(init=False)  # of the last file

    def __post_init__(self) -> None:
        files = self.reader.files()
        self._imports = ImportResolver(self.reader, files)
        self._sources = {file.path: file for file in files if file.blob}
        self._calls = Calls(self._imports, self._sources)
        self._alike = None, {}

    def now_reads(self, reader: Reader) -> None:
        """What has not been read yet of the commit is read there from now on."""
        self.reader = self._imports.reader = reader

    def symbols_of(self, path: str) -> Definitions | None:
        """The symbols of a file, if it has been read."""
        return self._files[path].symbols if path in self._files else None

    def trim(self) -> None:
        """What it has read is let go, unless that is little enough to be kept: about 20 MB."""
        text_bytes = sum(self._sources[path].size_bytes for path in self._files)
        named = len(self._symbols) + sum(map(len, self._symbols.values()))
        if text_bytes > _TEXT_KEPT or named > _NAMED_KEPT:
            for known in (self._files, self._symbols, self._globals, self._lineages, self._bases):
                known.clear()
            self._alike = None, {}
            self._imports.forget()

    def meaning(self, use: Occurrence) -> Meaning | None:
        """What an occurrence means; None when the evidence does not tell."""
        if family_of(self._sources[use.path].language) == "cpp":
            return self._calls.meaning(self.reader, use, self._named)
        file = self._file(use.path)
        if file.language != "python":  # elsewhere the line may matter, and of a call the number of arguments
            return self._meaning(file, use)
        if self._alike[0] is not file:
            self._alike = file, {}
        alike, key = self._alike[1], (use.symbol, use.receiver, use.name)
        if key not in alike:
            alike[key] = self._meaning(file, use)
        return alike[key]

    def _meaning(self, file: FileNames, use: Occurrence) -> Meaning | None:
        self._left = _MOST_EXPRESSIONS
        self._deepest = 0
        self._starred.clear()
        place = Place(file, use.symbol, use.line)
        receiver = file.receivers[use.receiver]
        if receiver == "?":
            return None
        is_field = file.family in _FIELDS_APART and use.kind is ReferenceKind.NAME
        if not receiver:
            return self._overloaded(self._name(place, use.name, 0, value=is_field), use)
        owner = self._expression(place, receiver, 0)
        if file.family in _NAMESPACED and not _is_evident(owner):
            whole, rest = self._by_qualified_name(file, f"{receiver}.{use.name}")
            if whole and rest == "_":
                return whole
        found = owner if isinstance(owner, Outside) else self._attribute(owner, use.name, 0, value=is_field)
        if isinstance(found, Outside) and file.family == "csharp" and self._may_extend(use.name):
            return None
        return self._overloaded(found, use)

    def _may_extend(self, name: str) -> bool:
        """Whether a method of C# here has the name that looks like one of other people's types."""
        return any(one.language == "csharp" and "(this " in one.signature for one in self._named(name))

    def _overloaded(self, found: Meaning | None, use: Occurrence) -> Meaning | None:
        """The method that a call means, where a class and its bases have several of one name: by how many it takes."""
        if not isinstance(found, Defined) or use.kind is not ReferenceKind.CALL or found.owner is None:
            return found
        if found.symbol.language not in _OVERLOADED or found.symbol.kind not in FUNCTIONS:
            return found
        groups = [self._methods(one, use.name) for one in self._lineage(found.owner) if one]
        groups = [group for group in groups if group]
        if len(groups) < 2:
            return found
        given = argument_count(self._line_and_rest(use), use.name)
        fitting = [one for group in groups for one in group if given is None or takes(one.signature, one.name, given)]
        return Defined(fitting[0], found.owner) if fitting else found

    def _methods(self, owner: Instance, name: str) -> list[Symbol]:
        own = self._file(owner.symbol.path).members(owner.symbol.position, name)
        return [one for one in own if one.kind in FUNCTIONS]

    def _line_and_rest(self, use: Occurrence) -> str:
        """The text from a use on, a few lines of it."""
        lines = self.reader.text(use.blob).split("\n", use.line + _CALL_LINES)[use.line - 1 : use.line + _CALL_LINES]
        return "\n".join([lines[0][use.column :], *lines[1:]]) if lines else ""

    # Names

    def _name(self, place: Place, name: str, depth: int, *, value: bool = True) -> Meaning | None:
        """What a plain name means at a place: from the innermost function outwards, then at the top of the file."""
        if depth > _DEPTH:
            return None
        file = place.file
        if file.family == "ruby" and name[:1].isupper():
            return self._ruby_constant(place, name)
        at = innermost = file.function_around(place.scope)
        is_open = False  # a base that nobody here knows may have the name
        while at >= 0:
            found, is_known = self._in_scope(place, at, name, depth, value=value, is_innermost=at == innermost)
            is_from_base = file.family in _IMPLICIT_SELF and isinstance(found, Outside) and found.is_container
            if is_known and not is_from_base:
                return None if is_open and file.symbols[at].kind in CLASSES else found
            is_open |= is_from_base
            at = file.around(at)
        found = self._global(file, name, depth + 1)
        if file.family == "ruby":  # what somebody else's method gives may be of this repository
            return None if isinstance(found, Outside) else found
        return Outside(is_container=True) if is_open and not found else found

    def _in_scope(
        self, place: Place, at: int, name: str, depth: int, *, value: bool, is_innermost: bool
    ) -> tuple[Meaning | None, bool]:
        """What a function, class or namespace around a place gives a name, and whether it gives it anything."""
        file, symbol = place.file, place.file.symbols[at]
        if symbol.kind in CLASSES or (symbol.kind in NAMESPACES and file.family == "ruby"):
            found = None
            if file.family in _IMPLICIT_SELF:
                found = self._member(Instance(symbol), name, depth + 1, value=value, inherited_only=False)
                is_from_base = isinstance(found, Outside) and found.is_container
                found = None if is_from_base and _has_only_interfaces(symbol) else found
            elif file.language == "python" and is_innermost and not _is_value_named(place, name):
                found = self._in_body(file, at, name, depth)
            return found, found is not None
        is_called = not value and file.family in _FIELDS_APART
        inner = file.members(at, name)
        if symbol.kind in NAMESPACES:
            inner = [one for one in inner if one.kind in _AT_TOP]
            return (Defined(_best_declared(inner)), True) if inner else (None, False)
        if is_called:  # of a class without a name
            methods = [one for one in inner if one.kind in FUNCTIONS]
            return (Defined(methods[-1]), True) if methods else (None, False)
        if symbol.kind in FUNCTIONS and file.binds(at, name):
            return self._local(place, at, name, depth + 1)
        return None, False

    def _in_body(self, file: FileNames, at: int, name: str, depth: int) -> Meaning | None:
        """What a name means in the body of a class of Python, outside of its methods."""
        own = file.members(at, name)
        if best := next((symbol for symbol in reversed(own) if symbol.kind in CLASSES | FUNCTIONS), None):
            return Defined(best)
        bound = file.bindings.of(at, name)
        return self._bound(Place(file, at), bound, depth + 1) if bound else None

    def _local(self, place: Place, scope: int, name: str, depth: int) -> tuple[Meaning | None, bool]:
        """What a function binds a name to, if that is one thing; and whether it binds it at that place."""
        file = place.file
        found: list[Meaning | None] = []
        bound = file.bindings.of(scope, name)
        if bound and bound[0].line:
            visible = _visible(bound, place)
            if not visible and not file.members(scope, name) and not file.imported.has(scope, name):
                return None, False
            own_lines = {symbol.name_line for symbol in file.members(scope, name)}
            bound = [binding for binding in visible if binding.line not in own_lines]
        if own := file.members(scope, name):
            found.append(Defined(own[-1]))
        if bound:
            found.append(self._bound(place, bound, depth))
        if imported := file.imported.targets(scope, name):
            found.append(self._imported(imported, depth))
        return _the_same(found), True

    def _global(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name means at the top of a file."""
        if depth > _DEPTH:
            return None
        key = file.path, name
        if (known := self._globals.get(key)) and depth + known.steps <= _NEAR and known.expressions <= self._left:
            self._left -= known.expressions
            self._deepest = max(self._deepest, depth + known.steps)
            return known.meaning
        before, left = self._deepest, self._left
        self._deepest = depth
        found = self._read_global(file, name, depth)
        is_whole = not self._starring and not self._reading_bases  # else some of what may be asked is being read
        if is_whole and self._left >= 0 and self._deepest <= _NEAR:  # and nothing was too far to be looked into
            if len(self._globals) >= _GLOBALS_KEPT:
                self._globals.clear()
            self._globals[key] = _Global(found, self._deepest - depth, left - self._left)
        self._deepest = max(before, self._deepest)
        return found

    def _read_global(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        own = file.members(-1, name)
        if best := next((symbol for symbol in own if symbol.kind in TYPES | FUNCTIONS), None):
            return Defined(best)
        if imported := file.imported.targets(-1, name):
            return self._imported(imported, depth)
        bound = file.bindings.of(-1, name)
        if own and file.has_members(own[-1]) and not any(one.is_type for one in bound):
            return Defined(own[-1])
        if bound:
            return self._bound(Place(file, -1), bound, depth + 1)
        return Defined(own[-1]) if own else self._elsewhere(file, name, depth + 1)

    def _elsewhere(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name means that a file does not define: of its package, from `import *`, or built in."""
        if file.family == "go":
            return self._in_package(file.folder, name, depth) or self._dotted(file, name, depth) or _go_builtin(name)
        if file.family == "java":
            return self._java_elsewhere(file, name, depth)
        if file.family in _NAMESPACED:
            return self._in_namespaces(file, name, depth)
        if file.family == "rust":
            return self._rust_elsewhere(file, name, depth)
        if file.family == "ruby":
            return None  # a variable of a block, or a method of any object
        for path in (path for star in file.imported.stars() for path in star.paths):
            found = self._through_star(path, name, depth)
            if found and not isinstance(found, Outside):
                return found
        is_closed = all(star.paths for star in file.imported.stars())
        return _OUTSIDE if is_closed and file.language == "python" and name in _BUILTINS else None

    def _through_star(self, path: str, name: str, depth: int) -> Meaning | None:
        """What a name means at the top of a file all of which is imported; each is asked once: they go in circles."""
        if (path, name) not in self._starred:
            self._starred[path, name] = None
            self._starring += 1
            self._starred[path, name] = self._global(self._file(path), name, depth + 1)
            self._starring -= 1
        return self._starred[path, name]

    def _java_elsewhere(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name means that a file of Java neither defines nor imports by itself: of its package, from `*`."""
        package = java_package(file.path)
        types = [symbol for symbol in self._named(name) if symbol.language == "java" and symbol.kind in TYPES]
        for symbol in types:
            if not symbol.container and java_package(symbol.path) == package:
                return Defined(symbol)
        starred = {path for star in file.imported.stars() for path in star.paths}
        for symbol in types:
            if not symbol.container and symbol.path in starred:
                return Defined(symbol)
        for star in file.imported.stars():
            if len(star.paths) == 1 and (found := self._of_java_file(star.paths[0], name, depth)):
                return found
        return _OUTSIDE if name[:1].isupper() or any(star.package for star in file.imported.stars()) else None

    def _of_java_file(self, path: str, name: str, depth: int) -> Meaning | None:
        """What an import of a name means that goes into a file: its type, or a member of that."""
        whole = path.rpartition("/")[2].removesuffix(".java")
        own = self._file(path).members(-1, whole)
        if not own or name == whole:
            return Defined(own[0]) if own else None
        found = self._member(Instance(own[0]), name, depth + 1, value=False, inherited_only=False)
        return found if isinstance(found, Defined) else None

    def _ruby_constant(self, place: Place, name: str) -> Meaning | None:
        """What a constant of Ruby means: of the modules around it, from inside outwards, of the bases, or of all."""
        named = [s for s in self._named(name) if s.language == "ruby" and s.kind not in FUNCTIONS]
        scope = place.scope
        around = place.file.symbols[scope].qualified_name if scope >= 0 else ""
        if scope >= 0 and place.file.symbols[scope].kind in FUNCTIONS:
            around = place.file.symbols[scope].container
        prefixes = [around.rsplit(".", count)[0] for count in range(around.count(".") + 1)] if around else []
        for prefix in (*prefixes, ""):
            if here := [symbol for symbol in named if symbol.container == prefix]:
                return Defined(_best_declared(here))
        owner = place.file.owner(scope)
        for base in self._lineage(Instance(owner)) if owner and named else ():
            if base and (there := [one for one in named if one.container == base.symbol.qualified_name]):
                return Defined(_best_declared(there))
        return None if named else _OUTSIDE

    def _rust_elsewhere(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name of Rust means that a file neither defines nor imports: of `use module::*`, or of the prelude."""
        inside = [path for star in file.imported.stars() for path in star.paths if path != file.path]
        for path in inside:
            found = self._through_star(path, name, depth)
            if found and not isinstance(found, Outside):
                return found
        return None if inside and self._named(name) else _OUTSIDE

    def _rust_module(self, place: Place, name: str) -> Meaning | None:
        """What a path of Rust means that begins with `crate`, `super` or `self`, or the type with `Self`."""
        path = place.file.path
        if name == "crate":
            return Module(self._imports.crate_root(path))
        owner = self._owner(place)
        if name == "Self":
            return Defined(owner) if owner else None
        if name == "self" and owner:
            return Instance(owner)
        at = place.file.around(place.scope) if place.scope >= 0 else -1
        while at >= 0 and place.file.symbols[at].kind is not SymbolKind.MODULE:
            at = place.file.around(at)
        here = place_of(path)
        return Module(here.rpartition("/")[0] if name == "super" and at < 0 else here)

    def _in_namespaces(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name means that a file does not define: of its namespaces, from inside outwards, or of one it uses."""
        named = [s for s in self._named(name) if family_of(s.language) == file.family and s.kind in _AT_TOP]
        for prefix in namespaces_of(file):
            if here := [symbol for symbol in named if symbol.container == prefix]:
                return Defined(_best_declared(here))
        starred = {path for star in file.imported.stars() for path in star.paths}
        found = [symbol for symbol in named if symbol.path in starred and self._is_at_top(symbol)]
        if found:
            return Defined(_best_declared(found)) if len({symbol.qualified_name for symbol in found}) == 1 else None
        for star in file.imported.stars():
            if len(star.paths) == 1 and (member := self._of_type_file(star.paths[0], name, depth)):
                return member
        return None if name.startswith("$") or self._named(name) else _OUTSIDE

    def _is_at_top(self, symbol: Symbol) -> bool:
        """Whether a symbol stands in nothing but namespaces."""
        parent = symbol.parent
        return parent < 0 or self._file(symbol.path).symbols[parent].kind in NAMESPACES

    def _of_type_file(self, path: str, name: str, depth: int) -> Meaning | None:
        """A static member of the only type of a file: `using static`."""
        types = [symbol for symbol in self._file(path).symbols.all() if symbol.kind in TYPES]
        if len(types) != 1:
            return None
        found = self._member(Instance(types[0]), name, depth + 1, value=False, inherited_only=False)
        return found if isinstance(found, Defined) else None

    def _by_qualified_name(self, file: FileNames, text: str) -> tuple[Meaning | None, str]:
        """What the longest beginning of a dotted name means that is the full name of a type; and the rest."""
        parts = re.match(r"\w+(?:\.\w+)*", text)
        words = parts[0].split(".") if parts else []
        for count in range(len(words), 1, -1):
            for prefix in namespaces_of(file):
                whole = ".".join([*filter(None, [prefix]), *words[:count]])
                for symbol in self._named(words[count - 1]):
                    if symbol.qualified_name == whole and family_of(symbol.language) == file.family:
                        return Defined(symbol), "_" + text[len(".".join(words[:count])) :]
        return None, text

    def _dotted(self, file: FileNames, name: str, depth: int) -> Meaning | None:
        """What a name means that comes from `import . "package"`."""
        folders = dict.fromkeys(path.rpartition("/")[0] for star in file.imported.stars() for path in star.paths[:1])
        return next((found for folder in folders if (found := self._in_package(folder, name, depth))), None)

    def _in_package(self, folder: str, name: str, depth: int) -> Meaning | None:
        """What a name means at the top of a package of Go."""
        found = [symbol for symbol in self._named(name) if symbol.language == "go" and not symbol.container]
        here = [symbol for symbol in found if symbol.path.rpartition("/")[0] == folder and symbol.parent < 0]
        here = self._built(here)
        best = next((symbol for symbol in here if symbol.kind in TYPES | FUNCTIONS), None)
        if best or not here:
            return Defined(best) if best else None
        bound = self._file(here[0].path).bindings.of(-1, name)
        found_value = self._bound(Place(self._file(here[0].path), -1), bound, depth + 1) if bound else None
        return found_value or Defined(here[0])

    def _built(self, same: list[Symbol]) -> list[Symbol]:
        """Of several definitions of one name in Go, those that are built on Linux."""
        if len(same) < 2:
            return same
        kept = [one for one in same if is_built(one.path, self.reader.head(one.blob, _HEAD_CHARACTERS))]
        return kept or same

    def _named(self, name: str) -> list[Symbol]:
        """The definitions of a name in the whole repository."""
        if name not in self._symbols:
            self._symbols[name] = self.reader.symbols_named(name)[:_MOST_NAMED]
        return self._symbols[name]

    def _bound(self, place: Place, bound: list[BindingFact], depth: int) -> Meaning | None:
        """What a variable means: what all that is bound to it means, if that is one thing."""
        file = place.file
        if typed := next((binding for binding in bound if binding.is_type), None):
            return self._typed(Place(file, typed.symbol, typed.line), typed.value, depth + 1)
        values = {
            (binding.symbol, value): binding
            for binding in bound
            for value in binding.value.split(" or ")
            if value != "None" and (value == binding.value or not self._is_none(file, binding.symbol, value))
        }
        again = {key for key in values if _root(key[1]) == bound[0].name and not bound[0].line}
        if again and again == values.keys():  # `class C: f = f` means the f around it
            scope, value = min(again)
            is_class = scope >= 0 and file.symbols[scope].kind in CLASSES
            if not is_class or len(values) > 1:
                return None
            return self._expression(Place(file, file.symbols[scope].parent), value, depth + 1)
        meant = [
            self._expression(Place(file, scope, values[scope, value].line, values[scope, value]), value, depth + 1)
            for scope, value in values
            if (scope, value) not in again
        ]
        found = _the_same(meant)
        if found is None and len(bound) == 1 and file.family == "javascript" and None not in meant:
            return OneOf(tuple(meant))
        if found is None or any(self._steps(found, value, depth + 1) != found for _, value in again):
            return None
        return found

    def _is_none(self, file: FileNames, scope: int, name: str) -> bool:
        """Whether a name of a function is never anything but None there, as a parameter's default."""
        bound = file.bindings.of(scope, name)
        return bool(bound) and all(binding.value == "None" and not binding.is_type for binding in bound)

    def _imported(self, imported: list[tuple[Target, str]], depth: int) -> Meaning | None:
        return _the_same([self._target(target, name, depth + 1) for target, name in imported])

    def _target(self, target: Target, name: str, depth: int) -> Meaning | None:
        """What an imported name means, followed through re-exports."""
        if name and "." in name:  # a full name: of PHP
            same = [one for one in self._named(name.rpartition(".")[2]) if one.qualified_name == name]
            return Defined(_best_declared(same)) if same else _OUTSIDE
        if target.package:
            return _OUTSIDE
        for path in target.paths:
            if path.endswith(".go"):
                return Package(path.rpartition("/")[0])
            if path.endswith(".java"):
                return self._of_java_file(path, name, depth + 1)
            if name and self._sources[path].language in _NAMESPACED:
                there = [one for one in self._named(name) if one.path in target.paths and self._is_at_top(one)]
                return Defined(_best_declared(there)) if there else None
            if not name or target.is_module:
                return Module(place_of(path))
            if path.endswith(".rs"):
                return self._in_module(place_of(path), name, depth + 1) or _module_named(path, name)
            if found := self._global(self._file(path), name, depth + 1):
                return found
        return None

    # Types

    def _typed(self, place: Place, text: str, depth: int, env: Env = _NO_ENV) -> Meaning | None:
        """A value of the type that is written."""
        if place.file.language == "python":
            return self._annotated(place, text, depth)
        return self._of_type(read_type(text, place.file.family), place, env, depth + 1)

    def _annotated(self, place: Place, annotation: str, depth: int) -> Meaning | None:
        """A value of the one class that an annotation leaves: "Flask", "t.Optional[Flask]", "Flask | None"."""
        names = annotated(annotation)
        if len(names) != 1:
            return None
        name, _, arguments = names[0].partition("[")
        if name in _SELF_TYPES:
            owner = place.file.owner(place.scope)
            return Instance(owner) if owner else None
        if name in _CLASS_TYPES and arguments:
            found = self._typed(place, arguments.removesuffix("]"), depth + 1) if depth < _DEPTH else None
            return Defined(found.symbol) if isinstance(found, Instance) else found
        found = self._expression(place, name, depth + 1)
        if isinstance(found, Defined) and found.symbol.kind in CLASSES:
            return Instance(found.symbol)
        if not isinstance(found, Outside):
            return None
        kind, parts = last_name(name), _split(arguments.removesuffix("]"), ",")
        if not arguments or depth > _DEPTH or kind not in _ITERABLES | _MAPPINGS | _TUPLES:
            return Outside(is_container=bool(arguments))
        held = [None if part.strip() == "..." else self._typed(place, part, depth + 1) for part in parts]
        if kind in _TUPLES and "..." not in parts[-1]:
            return Several(tuple(held))
        return Outside(is_container=True, item=held[0], value=held[1] if kind in _MAPPINGS and held[1:] else held[0])

    def _of_type(self, type_: Type | None, place: Place, env: Env, depth: int) -> Meaning | None:
        """A value of a type."""
        if depth > _DEPTH:
            return None
        match type_:
            case Named():
                return self._of_named(type_, place, env, depth)
            case ItemsOf(item, key):
                return Items(self._of_type(item, place, env, depth + 1), self._of_type(key, place, env, depth + 1))
            case FunctionOf(parameters, result):
                taken = tuple(self._of_type(one, place, env, depth + 1) for one in parameters)
                return Function(taken, self._of_type(result, place, env, depth + 1))
            case SeveralOf(parts):
                return Several(tuple(self._of_type(part, place, env, depth + 1) for part in parts))
            case OneOfTypes(options):
                found = [self._of_type(option, place, env, depth + 1) for option in options]
                kept = tuple(dict.fromkeys(option for option in found if option != _OUTSIDE))
                return kept[0] if len(kept) == 1 else OneOf(kept) if kept else _OUTSIDE
            case FieldsOf(fields):
                return Fields(tuple((name, self._of_type(one, place, env, depth + 1)) for name, one in fields))
            case ValueOf(name):
                return self._expression(place, name, depth + 1)
        return None

    def _of_named(self, type_: Named, place: Place, env: Env, depth: int) -> Meaning | None:
        name, arguments = type_.name, type_.arguments
        if name in env:
            return env[name]
        if name in _ANYTHING:
            return None
        if name in _SELF_TYPES or name == "self":
            owner = place.file.owner(place.scope)
            return Instance(owner) if owner else None
        is_parameter, constraint = self._type_parameter(place, name)
        if is_parameter:
            return self._of_type(constraint, place, env, depth + 1) if constraint else None
        found = self._qualified(place, name, depth) or self._expression(place, name, depth + 1)
        if isinstance(found, Defined) and found.symbol.kind in TYPES:
            taken = tuple(self._of_type(one, place, env, depth + 1) for one in arguments)
            return self._unfolded(Instance(found.symbol, taken), depth + 1)
        if isinstance(found, Defined | Module | Package):
            return None
        return self._of_outside(last_name(name), [self._of_type(one, place, env, depth + 1) for one in arguments])

    def _qualified(self, place: Place, name: str, depth: int) -> Meaning | None:
        """What a name of Java means that begins with its package."""
        match = re.fullmatch(r"([a-z_][\w.]*)\.([A-Z]\w*)((?:\.\w+)*)", name)
        if match is None or place.file.family != "java":
            return None
        source = self._sources[place.file.path]
        found = self._target(self._imports(source, ImportFact(match[1], match[2], "", 0)), match[2], depth + 1)
        return self._steps(found, f"_{match[3]}", depth + 1) if found else None

    def _of_outside(self, name: str, arguments: list[Meaning | None]) -> Meaning | None:
        """A value of a type that is not of this repository."""
        if not arguments:
            return _OUTSIDE
        if name in _TRANSPARENT:
            return arguments[0]
        if name in _HOLDERS:
            return Items(arguments[-1], arguments[0] if len(arguments) > 1 else None)
        return Outside(is_container=True)

    def _type_parameter(self, place: Place, name: str) -> tuple[bool, Type | None]:
        """Whether a name is a type parameter there, and of which types."""
        at = place.scope
        while at >= 0:
            for parameter, constraint in self._signature(place.file.symbols[at]).type_parameters:
                if parameter == name:
                    return True, constraint
            at = place.file.symbols[at].parent
        return False, None

    def _unfolded(self, instance: Instance, depth: int) -> Meaning | None:
        """What a type's name stands for, when that is another type (TypeScript)."""
        symbol = instance.symbol
        if symbol.kind is not SymbolKind.TYPE or family_of(symbol.language) != "javascript":
            return instance
        alias = self._signature(symbol).alias
        place = Place(self._file(symbol.path), symbol.position)
        found = self._of_type(alias, place, self._env(instance), depth + 1) if alias else None
        return found or instance

    def _underlying(self, found: Meaning | None, depth: int) -> Meaning | None:
        """What a named type of Go is made of: the slice, map or function."""
        if not isinstance(found, Instance) or found.symbol.language != "go" or depth > _DEPTH:
            return found
        alias = self._signature(found.symbol).alias
        place = Place(self._file(found.symbol.path), found.symbol.position)
        return self._of_type(alias, place, self._env(found), depth + 1) if alias else found

    def _signature(self, symbol: Symbol) -> Signature:
        family = family_of(symbol.language)
        if family == "python" or symbol.kind in NAMESPACES:
            return Signature()
        return read_signature(symbol.signature, symbol.name, symbol.kind.value, family)

    def _env(self, owner: Instance | None) -> Env:
        """The type parameters of a type by what they are in this value of it."""
        if owner is None or not owner.arguments:
            return _NO_ENV
        parameters = self._signature(owner.symbol).type_parameters
        return {name: argument for (name, _), argument in zip(parameters, owner.arguments, strict=False)}

    # Expressions

    def _expression(self, place: Place, text: str, depth: int) -> Meaning | None:
        """What an expression means: "self.app.route", "Flask().config", "super().run"."""
        self._left -= 1
        self._deepest = max(depth, self._deepest)
        if depth > _DEPTH or self._left < 0 or not text:
            return None
        if text[0] == "{":
            written, _, steps = text[1:].partition("}")
            found = self._typed(place, written, depth + 1)
            return self._steps(found, f"_{steps}", depth)
        root = _root(text)
        is_called = place.file.family in _FIELDS_APART and text.startswith("()", len(root))
        found = self._first(place, root, depth, value=not is_called)
        if root == "super":
            text = text.replace("()", "", 1)
        if place.file.family in _NAMESPACED and not _is_evident(found):
            whole, rest = self._by_qualified_name(place.file, text)
            found, text = (whole, rest) if whole else (found, text)
        return self._steps(found, text, depth)

    def _steps(self, found: Meaning | None, text: str, depth: int) -> Meaning | None:
        """What an expression means whose first name has that meaning."""
        holder: Meaning | None = None
        for at, match in enumerate(_STEP.finditer(text)):
            name, is_called = match[1], match[2] or match[3]
            if at and name:
                is_method = is_called and _family_of(found) in _FIELDS_APART
                holder, found = found, self._attribute(found, name, depth + 1, value=not is_method)
            if match[4]:
                found = self._item(found, depth + 1)
            elif match[5]:
                found = self._part(found, int(match[5]))
            elif match[6]:
                found = self._parameter(found, int(match[6]), depth + 1)
            elif match[7]:
                found = self._key(found, depth + 1)
            elif is_called and isinstance(found, Outside) and name in _CONTAINERS:
                found = Outside(is_container=True)
            elif is_called:
                is_passing = isinstance(found, Outside) and name in _PASSING
                found = None if is_passing else self._called(found, holder, depth)
            if found is None:
                return None
        return found

    def _first(self, place: Place, name: str, depth: int, *, value: bool) -> Meaning | None:
        if place.file.family == "rust" and name in _RUST_ROOTS:
            return self._rust_module(place, name)
        base = _BASES.get(place.file.family, "super")
        if name in SELF or name == base:
            if name == "this" and (typed := self._typed_this(place, depth)):
                return typed
            owner = self._owner(place)
            if owner is None:
                return None
            return Super(owner) if name == base else Defined(owner) if name == "cls" else Instance(owner)
        return self._name(place, name, depth + 1, value=value)

    def _typed_this(self, place: Place, depth: int) -> Meaning | None:
        """What a function of TypeScript says that `this` is: `function (this: Door) {}`."""
        at = place.file.function_around(place.scope)
        bound = place.file.bindings.of(at, "this") if at >= 0 else None
        return self._bound(place, bound, depth + 1) if bound else None

    def _owner(self, place: Place) -> Symbol | None:
        """The class whose method a scope is in."""
        if place.file.family == "go":
            return None
        owner = place.file.owner(place.scope)
        if owner or place.file.family != "rust":
            return owner
        at = place.file.function_around(place.scope)
        whole = place.file.symbols[at].container if at >= 0 else ""
        types = [s for s in self._named(whole.rpartition(".")[2]) if s.qualified_name == whole and s.kind in TYPES]
        return types[0] if len(types) == 1 and types[0].language == "rust" else None

    def _called(self, found: Meaning | None, holder: Meaning | None, depth: int) -> Meaning | None:
        """What a call of that gives; the holder is what it was an attribute of."""
        match found:
            case Defined(symbol) if symbol.kind in TYPES:
                return Instance(symbol)
            case Defined(symbol, owner) if symbol.kind in FUNCTIONS:
                return self._returned(symbol, owner, holder, depth)
            case Function(_, result):
                return result
            case OfItems():
                return _called_of_items(found)
            case Instance():
                unfolded = self._underlying(found, depth)
                return unfolded.result if isinstance(unfolded, Function) else None
            case OneOf(options):
                return _the_same([option.result for option in options if isinstance(option, Function)])
            case Outside(is_container) if not is_container:
                return found
        return None

    def _returned(self, function: Symbol, owner: Instance | None, holder: Meaning | None, depth: int) -> Meaning | None:
        file = self._file(function.path)
        if file.family in _OVERLOADED and not self._gives_one_type(file, function):
            return None
        place, env = Place(file, function.position), self._env(owner)
        if file.family == "go":
            signature = self._signature(function).function
            return self._of_type(signature.result, place, env, depth + 1) if signature else None
        bound = file.bindings.of(function.position, "return")
        if not bound or depth > _DEPTH or any("contextmanager" in value for value in self._decorators(file, function)):
            return None
        is_self = all(binding.value in ("self", *_SELF_TYPES) for binding in bound)
        if is_self and isinstance(holder, Instance | Defined | Super) and holder.symbol.kind in CLASSES:
            return holder if isinstance(holder, Instance) else Instance(holder.symbol)
        if bound[0].is_type:
            return self._typed(place, bound[0].value, depth + 1, env)
        found = self._bound(place, bound, depth + 1)
        return found if isinstance(found, Instance | Outside | Items) else None

    def _gives_one_type(self, file: FileNames, function: Symbol) -> bool:
        """Whether all that a class calls so give the same."""
        same = [one for one in file.members(function.parent, function.name) if one.kind in FUNCTIONS]
        given = {tuple(one.value for one in file.bindings.of(each.position, "return")) for each in same}
        return len(given) <= 1

    def _item(self, found: Meaning | None, depth: int) -> Meaning | None:
        unfolded = self._underlying(found, depth)
        if isinstance(unfolded, Items | Outside):
            return unfolded.item
        if isinstance(found, Instance) and found.symbol.language == "python" and depth < _DEPTH:
            iterator = self._attribute(found, "__iter__", depth + 1, value=False)
            made = self._called(iterator, found, depth + 1)
            return made.item if isinstance(made, Outside) else None
        return found if isinstance(found, Defined | Function) else None  # of a generic function: its type arguments

    def _key(self, found: Meaning | None, depth: int) -> Meaning | None:
        unfolded = self._underlying(found, depth)
        return unfolded.key if isinstance(unfolded, Items) else None

    def _part(self, found: Meaning | None, place: int) -> Meaning | None:
        """One of several results; what gives only one gives it first."""
        match found:
            case Several(parts):
                return parts[place] if place < len(parts) else None
            case Outside(is_container):
                return None if is_container else found
            case Items(item):
                return item
            case Instance(symbol) if symbol.language == "python":
                return None
        return found if place == 0 else _OUTSIDE

    def _parameter(self, found: Meaning | None, place: int, depth: int) -> Meaning | None:
        """What a function takes at a place."""
        match self._underlying(found, depth):
            case Function(parameters):
                return parameters[place] if place < len(parameters) else None
            case OneOf(options):
                taken = [
                    self._parameter(option, place, depth + 1) for option in options if isinstance(option, Function)
                ]
                return next((one for one in taken if one), None)
            case OfItems(items, name):
                return _parameter_of_items(items, name, place)
            case Defined(symbol, owner) if symbol.kind in FUNCTIONS:
                return self._declared_parameter(symbol, owner, place, depth)
            case Defined(symbol) if symbol.kind in CLASSES:
                made = self._member(Instance(symbol), "constructor", depth, value=False, inherited_only=False)
                return self._parameter(made, place, depth + 1) if isinstance(made, Defined) else None
        return None

    def _declared_parameter(self, symbol: Symbol, owner: Instance | None, place: int, depth: int) -> Meaning | None:
        """The type of a function's parameter; of an overloaded one those of all that have one."""
        file = self._file(symbol.path)
        found: list[Meaning | None] = []
        for one in file.members(symbol.parent, symbol.name) or [symbol]:
            signature = self._signature(one).function
            if signature and place < len(signature.parameters):
                env = self._env(owner)
                taken = self._of_type(signature.parameters[place], Place(file, one.position), env, depth + 1)
                found += taken.options if isinstance(taken, OneOf) else [taken]
        kept = tuple(dict.fromkeys(one for one in found if one))
        return kept[0] if len(kept) == 1 else OneOf(kept) if kept else None

    def _attribute(self, found: Meaning | None, name: str, depth: int, *, value: bool = True) -> Meaning | None:
        """What an attribute of that is; of a property its value, where that is wanted."""
        if depth > _DEPTH:
            return None
        match found:
            case Instance(symbol) if name == "__class__":
                return Defined(symbol)
            case Instance():
                return self._member(found, name, depth, value=value, inherited_only=False)
            case Defined(symbol):
                return self._attribute_of_definition(symbol, name, depth, value=value)
            case Super(symbol):
                return self._member(Instance(symbol), name, depth, value=value, inherited_only=True)
            case OneOf(options):
                return _one_function([self._attribute(option, name, depth + 1, value=value) for option in options])
            case Module() | Package():
                return self._in_whole(found, name, depth)
            case Items() | Outside():
                return OfItems(found, name) if isinstance(found, Items) else _of_outside(found, name)
            case Fields(fields):
                return dict(fields).get(name)
        return None

    def _attribute_of_definition(self, symbol: Symbol, name: str, depth: int, *, value: bool) -> Meaning | None:
        if symbol.kind in CLASSES and name in ("__super__", "super"):
            return Super(symbol)
        if symbol.kind in CLASSES and name == "this" and symbol.language == "java":
            return Instance(symbol)
        if symbol.language == "ruby":
            return self._of_ruby_definition(symbol, name, depth, value=value)
        if symbol.kind in TYPES:
            return self._member(Instance(symbol), name, depth, value=value, inherited_only=False)
        inner = self._file(symbol.path).members(symbol.position, name)
        return Defined(inner[-1]) if inner and symbol.kind not in FUNCTIONS else None

    def _of_ruby_definition(self, symbol: Symbol, name: str, depth: int, *, value: bool) -> Meaning | None:
        """A constant of a class or module of Ruby, or a method of it."""
        if name[:1].isupper():
            whole = f"{symbol.qualified_name}.{name}"
            same = [one for one in self._named(name) if one.qualified_name == whole and one.language == "ruby"]
            return Defined(_best_declared(same)) if same else None if self._named(name) else _OUTSIDE
        found = self._member(Instance(symbol), name, depth, value=value, inherited_only=False)
        is_made = name == "new" and symbol.kind in CLASSES and not isinstance(found, Defined)
        return Function((), Instance(symbol)) if is_made else found

    def _in_whole(self, whole: Module | Package, name: str, depth: int) -> Meaning | None:
        if isinstance(whole, Package):
            return self._in_package(whole.folder, name, depth)
        return self._in_module(whole.place, name, depth)

    def _in_module(self, place: str, name: str, depth: int) -> Meaning | None:
        for path in files_of(place):
            found = self._global(self._file(path), name, depth + 1) if path in self._sources else None
            if found and not (path.endswith(".rs") and isinstance(found, Outside)):
                return found
        inner = f"{place}/{name}"
        return Module(inner) if any(path in self._sources for path in files_of(inner)) else None

    # Classes

    def _member(self, owner: Instance, name: str, depth: int, *, value: bool, inherited_only: bool) -> Meaning | None:
        """An attribute of a class, looked up along its bases; Outside when only an unknown base may have it."""
        has_unknown_base = False
        for place, base in enumerate(self._lineage(owner)):
            if base is None:
                has_unknown_base = True
            elif (place or not inherited_only) and (found := self._own_member(base, name, depth, value=value)):
                return found
        if has_unknown_base:
            is_own = owner.symbol.language == "ruby" and (name.startswith("@") or self._named(name))
            return None if is_own else Outside(is_container=True)
        if owner.symbol.language == "java":
            return _java_inherited(owner, name)
        if owner.symbol.language == "rust" and name in _RUST_PASSING:
            return Function((), owner)
        if owner.symbol.language == "go":
            underlying = self._underlying(owner, depth + 1)
            return _OUTSIDE if underlying == _OUTSIDE else None
        return None

    def _own_member(self, owner: Instance, name: str, depth: int, *, value: bool) -> Meaning | None:
        symbol = owner.symbol
        file = self._file(symbol.path)
        own = file.members(symbol.position, name) or self._apart(symbol, name)
        if name == symbol.name:
            own = [one for one in own if one.kind is not SymbolKind.CONSTRUCTOR]  # its class is meant
        if value and symbol.language in _FIELDS_APART and (found := self._field(owner, own, name, depth)):
            return found
        defined = [one for one in own if one.kind in FUNCTIONS | TYPES]
        if own and not defined and own[-1].path != symbol.path:  # of another part of the type
            part = self._file(own[-1].path)
            typed = part.bindings.of(own[-1].parent, name)
            return (self._bound(Place(part, own[-1].parent), typed, depth + 1) if typed else None) or Defined(own[-1])
        if defined:  # of a property the first definition says what it gives; a setter follows
            last = Defined(defined[-1], owner)
            return (self._property(defined[0], owner, depth) if value else None) or last
        said = f"@{name}" if own and symbol.language == "ruby" else name  # what an accessor reads
        bound = file.bindings.of(symbol.position, name) + file.bindings.of_self(symbol.position, said)
        if bound and depth < _DEPTH and (found := self._bound_member(owner, bound, depth + 1)):
            return found
        if own:
            return Defined(own[-1])
        return self._embedded(owner, name) if symbol.language == "go" else None

    def _field(self, owner: Instance, own: list[Symbol], name: str, depth: int) -> Meaning | None:
        """What a field gives of a class that may have a method of the same name."""
        symbol = owner.symbol
        bound = self._file(symbol.path).bindings.of(symbol.position, name)
        if bound and depth < _DEPTH:
            found = self._bound_member(owner, bound, depth + 1)
            return found or (Defined(own[-1]) if own and own[-1].kind not in FUNCTIONS | TYPES else None)
        return Instance(symbol) if symbol.kind is SymbolKind.ENUM and _is_constant(own) else None

    def _bound_member(self, owner: Instance, bound: list[BindingFact], depth: int) -> Meaning | None:
        file = self._file(owner.symbol.path)
        if owner.arguments and (typed := next((binding for binding in bound if binding.is_type), None)):
            return self._typed(Place(file, typed.symbol, typed.line), typed.value, depth + 1, self._env(owner))
        return self._bound(Place(file, owner.symbol.position), bound, depth)

    def _apart(self, owner: Symbol, name: str) -> list[Symbol]:
        """The members of a type that stand outside of its own text: in other files of its package."""
        if owner.language not in _OPEN:
            return []
        found = [
            symbol
            for symbol in self._named(name)
            if symbol.container == owner.qualified_name
            and symbol.language == owner.language
            and (owner.language in _SPREAD or symbol.path.rpartition("/")[0] == owner.path.rpartition("/")[0])
        ]
        return self._built(found) if owner.language == "go" else found

    def _embedded(self, owner: Instance, name: str) -> Meaning | None:
        """An embedded field of a struct of Go: it is named like its type."""
        for base, found in zip(owner.symbol.bases, self._bases_of(owner), strict=False):
            if last_name(base) == name:
                return found or _OUTSIDE
        return None

    def _property(self, symbol: Symbol, owner: Instance, depth: int) -> Meaning | None:
        """What a property gives, where its function says so."""
        file = self._file(symbol.path)
        is_property = any(value in _PROPERTIES for value in self._decorators(file, symbol))
        is_getter = file.family == "javascript" and re.search(r"(?:^|\s)get ", symbol.signature.partition("(")[0])
        return self._returned(symbol, owner, None, depth + 1) if is_property or is_getter else None

    def _decorators(self, file: FileNames, symbol: Symbol) -> list[str]:
        return [binding.value for binding in file.bindings.of(symbol.position, "@")]

    def _lineage(self, owner: Instance) -> list[Instance | None]:
        """A class and its bases, in the order in which they are asked; None for one that is not of this repository."""
        known = self._lineages.get(owner)
        if known is not None:
            return known
        walked: list[Instance | None] = []
        waiting: list[tuple[Instance | None, frozenset[tuple[str, int]]]] = [(owner, frozenset())]
        while waiting and len(walked) < _MOST_BASES:
            one, above = waiting.pop()
            place = (one.symbol.path, one.symbol.position) if one else ("", 0)
            if place not in above:
                walked.append(one)
                bases = self._bases_of(one) if one else []
                waiting += [(base, above | {place}) for base in reversed(bases)]
        # What several bases share is asked after all of them.
        found = list(dict.fromkeys(reversed(walked)))[::-1]
        if not self._reading_bases:  # else some bases may not be known yet
            self._lineages[owner] = found
        return found

    def _bases_of(self, owner: Instance) -> list[Instance | None]:
        if owner not in self._bases:
            self._bases[owner] = []  # a class is no part of its own bases
            left = self._left
            self._reading_bases += 1
            self._bases[owner] = list(self._read_bases(owner))
            self._reading_bases -= 1
            self._left = left
        return self._bases[owner]

    def _read_bases(self, owner: Instance) -> list[Instance | None]:
        symbol = owner.symbol
        file = self._file(symbol.path)
        bases = self._signature(symbol).bases if file.family in _GENERIC_BASES else ()
        if bases and (file.family == "javascript" or len(bases) == len(symbol.bases)):
            place, env = Place(file, symbol.position), self._env(owner)
            found = [self._of_type(base, place._replace(scope=symbol.parent), env, 1) for base in bases]
            return [base if isinstance(base, Instance) else None for base in found]
        outer = Place(file, symbol.parent)
        if symbol.language == "ruby":
            return [base for part in self._parts(symbol) for base in self._ruby_bases(part)]
        if symbol.language == "php":  # what a trait has goes before what is inherited
            return sorted(self._named_bases(symbol), key=lambda base: not _is_trait(base))
        if symbol.language in _SPREAD:
            return [base for part in self._parts(symbol) for base in self._named_bases(part)]
        named = [self._expression(outer, base, 1) for base in symbol.bases if base != "object"]
        return [Instance(base.symbol) if isinstance(base, Defined) else None for base in named]

    def _parts(self, symbol: Symbol) -> list[Symbol]:
        """All definitions that together are a type."""
        same = [s for s in self._named(symbol.name) if s.qualified_name == symbol.qualified_name]
        return [one for one in same if one.language == symbol.language and one.kind is symbol.kind] or [symbol]

    def _ruby_bases(self, symbol: Symbol) -> list[Instance | None]:
        """The superclass of a class of Ruby, and what is mixed into it: that is asked first, from the last one on."""
        place = Place(self._file(symbol.path), symbol.position)
        named = [self._expression(place, base.replace("::", ".").lstrip("."), 1) for base in symbol.bases]
        found = [Instance(base.symbol) if isinstance(base, Defined) else None for base in named]
        mixins = [base for base in found if base and base.symbol.kind in NAMESPACES]
        return [*mixins[::-1], *(base for base in found if base not in mixins)]

    def _named_bases(self, symbol: Symbol) -> list[Instance | None]:
        place = Place(self._file(symbol.path), symbol.parent)
        named = [self._typed(place, base, 1) for base in symbol.bases]
        return [base if isinstance(base, Instance) else None for base in named]

    # Files

    def _file(self, path: str) -> FileNames:
        if path not in self._files:
            self._files[path] = read_file(self._imports, self._sources[path])
        return self._files[path]


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
_SELF_TYPES = frozenset(
    {"static", "$this", "Self", "t.Self", "te.Self", "typing.Self", "typing_extensions.Self", "this"}
)
_CLASS_TYPES = frozenset({"type", "Type", "t.Type", "typing.Type"})
_ANYTHING = frozenset({"any", "unknown", "object", "Object", "var", "auto", "dynamic", "mixed"})
_TRANSPARENT = frozenset(
    {"Arc", "Box", "Cell", "Mutex", "Option", "Pin", "Rc", "RefCell", "Result", "RwLock", "Ref", "RefMut"}
    | {"Promise", "PromiseLike", "Awaited", "Readonly", "Partial", "Required", "NonNullable", "Pick", "Omit"}
)
_HOLDERS = frozenset(
    {
        "Array",
        "ReadonlyArray",
        "Set",
        "ReadonlySet",
        "Iterable",
        "Iterator",
        "IterableIterator",
        "Generator",
        "ArrayLike",
        *("ArrayDeque", "ArrayList", "Collection", "Deque", "HashMap", "HashSet", "LinkedHashMap", "LinkedHashSet"),
        *("LinkedList", "List", "Optional", "Queue", "SortedMap", "SortedSet", "Stack", "Stream", "TreeMap", "TreeSet"),
        *("Vec", "VecDeque", "BTreeMap", "BTreeSet", "BinaryHeap", "IndexMap"),
        *("ConcurrentHashMap", "ConcurrentMap", "CopyOnWriteArrayList", "EnumMap", "Vector"),
    }
    | {"AsyncIterable", "AsyncIterator", "AsyncGenerator", "Map", "ReadonlyMap", "WeakMap", "Record", "WeakSet"}
)
_SAME_ITEMS = frozenset(
    {"filter", "slice", "concat", "reverse", "sort", "values", "splice", "toSorted", "toReversed"}
    | {"iterator", "listIterator", "stream", "subList", "sorted", "distinct", "limit", "skip"}
    | {"iter", "iter_mut", "into_iter", "drain", "rev", "chain", "values_mut", "into_values", "cloned", "copied"}
    | {"as_slice", "as_mut_slice", "to_vec", "take", "peekable", "clone"}
)
_ONE_ITEM = frozenset(
    {"find", "findLast", "pop", "shift", "at", "get", "getFirst", "getLast", "first", "last", "peek", "poll", "next"}
    | {"unwrap", "pop_front", "pop_back", "first_mut", "last_mut", "front", "back", "get_mut", "swap_remove", "nth"}
    | {"remove", "removeFirst", "removeLast", "orElse", "orElseThrow", "getOrDefault", "element", "pollFirst"}
)
_OF_EACH = frozenset(
    {"forEach", "map", "filter", "find", "findIndex", "findLast", "some", "every", "flatMap", "findLastIndex"}
)
_WRAPPER = re.compile(r"(?:\w+\.)?(Optional|Annotated|ClassVar|Final|Promise|Readonly|Union)\[(.*)\]")
_NOTHING = frozenset({"", "None", "null", "undefined"})
_ITERABLES = frozenset(  # of Python: what holds things of one type
    """
    AbstractSet AsyncGenerator AsyncIterable AsyncIterator Collection Deque FrozenSet Generator Iterable Iterator
    KeysView List MutableSequence MutableSet Reversible Sequence Set ValuesView deque frozenset list set
    """.split()  # noqa: SIM905 - the same
)
_MAPPINGS = frozenset({"DefaultDict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "dict"})
_TUPLES = frozenset({"Tuple", "tuple"})
_GETTING = frozenset({"__getitem__", "get", "pop", "popleft", "setdefault"})
_RUST_ROOTS = frozenset({"crate", "self", "super", "Self"})
_RUST_PASSING = frozenset(  # what a value in a box, option or result gives of itself
    """
    as_deref as_deref_mut as_mut as_ref borrow borrow_mut clone cloned copied expect get_mut get_ref lock read take
    to_owned unwrap unwrap_or_default unwrap_or_else write
    """.split()  # noqa: SIM905 - the same
)
_JAVA_OF_OBJECTS = frozenset(
    {"clone", "equals", "finalize", "getClass", "hashCode", "notify", "notifyAll", "toString", "wait"}
)
_JAVA_OF_ENUMS = frozenset({"compareTo", "describeConstable", "getDeclaringClass", "name", "ordinal"})
_GO_BUILTINS = frozenset(
    """
    append cap clear close complex copy delete imag len make max min new panic print println real recover any bool byte
    comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16
    uint32 uint64 uintptr
    """.split()  # noqa: SIM905 - the same
)


def _has_only_interfaces(symbol: Symbol) -> bool:
    """Whether a class has interfaces at most as bases: what they ask for, it defines itself."""
    return symbol.language == "java" and " extends " not in symbol.signature


def _module_named(path: str, name: str) -> Meaning | None:
    """The module of Rust in a file, if it has that name."""
    place = place_of(path)
    return Module(place) if place.rpartition("/")[2] == name else None


def _is_trait(base: Instance | None) -> bool:
    return base is not None and base.symbol.kind is SymbolKind.TRAIT


def _is_evident(found: Meaning | None) -> bool:
    """Whether a name means something of this repository that is more than a namespace."""
    is_namespace = isinstance(found, Defined) and found.symbol.kind in NAMESPACES
    return found is not None and not is_namespace and not isinstance(found, Outside)


def _best_declared(same: list[Symbol]) -> Symbol:
    """Of several definitions of one thing the longest: the others only declare it, or are parts of it."""
    return max(same, key=lambda one: (one.end_line - one.start_line, one.path))


def _family_of(found: Meaning | None) -> str:
    return family_of(found.symbol.language) if isinstance(found, Defined | Instance | Super) else ""


def _is_constant(own: list[Symbol]) -> bool:
    return any(symbol.kind is SymbolKind.CONSTANT for symbol in own)


def _java_inherited(owner: Instance, name: str) -> Meaning | None:
    """What every class of Java has, and every enumeration."""
    if owner.symbol.kind is SymbolKind.ENUM and name in ("valueOf", "values"):
        return Function((), owner if name == "valueOf" else Items(owner))
    is_enum = owner.symbol.kind is SymbolKind.ENUM and name in _JAVA_OF_ENUMS
    return _OUTSIDE if is_enum or name in _JAVA_OF_OBJECTS else None


def _go_builtin(name: str) -> Meaning | None:
    return _OUTSIDE if name in _GO_BUILTINS else None


def _called_of_items(found: OfItems) -> Meaning | None:
    """What a call of a method of an array or map gives."""
    if found.name in _SAME_ITEMS:
        return found.items
    return found.items.item if found.name in _ONE_ITEM else None


def _parameter_of_items(items: Items, name: str, place: int) -> Meaning | None:
    """What a method of an array or map takes: mostly a function that gets one item after the other."""
    if place or name not in _OF_EACH:
        return items.item if name in ("push", "unshift", "add") else None
    return Function((items.item, items.key or _OUTSIDE, items), None)


def _visible(bound: list[BindingFact], place: Place) -> list[BindingFact]:
    """The bindings of a name that count at a place: its innermost declaration, or assignments where that is silent."""
    declared = [binding for binding in bound if binding.until and not _is_made_of_its_namesake(binding, place)]
    if place.before is not None and place.before in declared:
        declared = declared[: declared.index(place.before)]
    seen = [one for one in declared if not place.line or one.line <= place.line <= one.until]
    if not seen:
        return []
    best = max(seen, key=lambda one: (one.line, -one.until)) if place.line else None
    if best is None:
        return seen
    if best.value and best.value != "None":
        return [best]
    return [one for one in bound if not one.until] or [best]


def _is_made_of_its_namesake(binding: BindingFact, place: Place) -> bool:
    """Whether the line in question is where a variable gets what something else of its name gives: `let x = x();`."""
    return binding.line == place.line and _root(binding.value) == binding.name


def _of_outside(container: Outside, name: str) -> Meaning | None:
    """An attribute of what is not of this repository, such as one of Python's own containers."""
    if not container.item and not container.value:
        return None if name == "__getitem__" else container
    if name in _GETTING:
        return Function((), container.value)
    given = {
        "copy": container,
        "items": Outside(is_container=True, item=Several((container.item, container.value))),
        "keys": Outside(is_container=True, item=container.item),
        "values": Outside(is_container=True, item=container.value),
    }
    return Function((), given[name]) if name in given else Outside(is_container=True)


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
    return _AFTER_ROOT.split(text, maxsplit=1)[0]


def _the_same(found: Sequence[Meaning | None]) -> Meaning | None:
    """What all of them are, if that is one thing."""
    return found[0] if found and all(meaning == found[0] for meaning in found) else None


def _one_function(tried: list[Meaning | None]) -> Meaning | None:
    """What all of them are that are functions, else what all are that are of this repository."""
    kept = [one for one in tried if one and not isinstance(one, Outside)]
    functions: list[Meaning] = [one for one in kept if isinstance(one, Defined) and one.symbol.kind in FUNCTIONS]
    return _the_same(functions or kept)


def _is_value_named(place: Place, name: str) -> bool:
    symbols, scope = place.file.symbols, place.scope
    return scope >= 0 and symbols[scope].name == name and symbols[scope].kind not in FUNCTIONS | CLASSES

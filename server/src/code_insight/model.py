"""The nouns: what an index holds and what a question gets back. Lines count from 1, columns from 0 in characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple


class SymbolKind(StrEnum):
    """What a definition is; the words are those of LSP's SymbolKind where it has one."""

    MODULE = "module"
    NAMESPACE = "namespace"
    CLASS = "class"
    INTERFACE = "interface"
    STRUCT = "struct"
    ENUM = "enum"
    TRAIT = "trait"
    TYPE = "type"
    FUNCTION = "function"
    METHOD = "method"
    CONSTRUCTOR = "constructor"
    FIELD = "field"
    CONSTANT = "constant"
    VARIABLE = "variable"
    MACRO = "macro"
    HEADING = "heading"


class ReferenceKind(StrEnum):
    """How a name is used where it occurs."""

    CALL = "call"  # f(), x.f(), new C()
    TYPE = "type"  # in a type annotation, a declaration, a generic argument
    INHERIT = "inherit"  # as a base class, an implemented interface or trait
    IMPORT = "import"  # in an import, use, include or require
    NAME = "name"  # any other occurrence


REFERENCE_KINDS = tuple(ReferenceKind)  # a kind's number, on disk too, is its position here


class SkipReason(StrEnum):
    """Why a file is not, or not fully, in the index.

    Of `PARSE_*` files the text is indexed and only the symbols are missing; of all others nothing is indexed.
    """

    BINARY = "binary"
    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    MINIFIED = "minified"
    LFS_POINTER = "lfs_pointer"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    UNSAFE_PATH = "unsafe_path"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_CRASHED = "parse_crashed"
    PARSE_MEMORY = "parse_memory"
    PARSE_SKIPPED = "parse_skipped"

    @property
    def text_is_indexed(self) -> bool:
        """Whether `read` and `search` still see the file's text."""
        return self.value.startswith("parse_")


class SymbolFact(NamedTuple):
    """One definition in one blob."""

    name: str
    kind: SymbolKind
    container: str  # names of what encloses it, joined by "."; "" at the top: "Flask", "Outer.Inner"
    parent: int  # position of the enclosing symbol in Facts.symbols, -1 at the top or when it stands in another file
    start_line: int  # of the whole definition, decorators included
    end_line: int
    name_line: int
    name_column: int
    signature: str  # one line, white space folded, without the body; at most 300 characters
    doc: str  # docstring or comment in front, without comment marks; at most 2,000 characters; "" when there is none
    bases: tuple[str, ...]  # names of base classes, interfaces, traits, as written, without type arguments


class ReferenceFact(NamedTuple):
    """One occurrence of a name that is not its definition."""

    name: str
    kind: ReferenceKind
    line: int
    column: int
    symbol: int  # position of the innermost enclosing symbol in Facts.symbols, -1 outside of all
    receiver: str = ""  # what it is an attribute of: "self", "flask.app", "Flask()"; "?" when that says nothing


@dataclass(frozen=True, slots=True)
class References:
    """The references of one text, by name: a text has a hundred thousand, which are no objects until someone asks."""

    places: dict[str, list[int]]  # name → line, column << 3 | its kind's number, symbol + 1, receiver; again and again
    receivers: dict[str, int]  # what names are attributes of → its position; first "", for nothing

    def __iter__(self) -> Iterator[ReferenceFact]:
        """In document order."""
        receivers = list(self.receivers)
        found = [
            ReferenceFact(name, REFERENCE_KINDS[both & 7], line, both >> 3, symbol - 1, receivers[receiver])
            for name, numbers in self.places.items()
            for line, both, symbol, receiver in zip(*(numbers[at::4] for at in range(4)), strict=True)
        ]
        return iter(sorted(found, key=attrgetter("line", "column")))


class BindingFact(NamedTuple):
    """One place where a name gets a value or a type."""

    name: str  # "x", "self.x"; "return" for what a function gives, "@" for a decorator
    value: str  # the value as an expression (see parsing.bindings), or a type as written; "" when it says nothing
    is_type: bool  # the value is a type
    symbol: int  # position of the innermost enclosing symbol in Facts.symbols, -1 outside of all
    line: int = 0  # from which it is known there, 0 where a name is known in its whole function
    until: int = 0  # to which it is known, 0 for a variable that is declared elsewhere


class ImportFact(NamedTuple):
    """One imported module or name."""

    module: str  # as written: "flask.app", "./util", "fmt", "stdio.h", "..models"
    name: str  # the name taken from it, "*" for all, "" when the module itself is bound
    alias: str  # the name it is bound to here, "" when it keeps its own
    line: int


class Facts(NamedTuple):
    """All that the index knows of one blob: a pure function of (blob, language, parsing.VERSION)."""

    symbols: tuple[SymbolFact, ...]  # in the order in which they begin; an enclosing one before what it encloses
    references: References
    imports: tuple[ImportFact, ...]
    error_lines: tuple[int, ...]  # where the text does not follow the grammar; at most 20
    bindings: tuple[BindingFact, ...] = ()  # in document order


NO_REFERENCES = References({}, {"": 0})
NO_FACTS = Facts((), NO_REFERENCES, (), ())


class Evidence(NamedTuple):
    """What one blob says of what its names mean: its bindings as columns, in the order in which they stand there."""

    names: Sequence[str]
    values: Sequence[str]
    scopes: Sequence[int]  # twice the position of the enclosing symbol from 1 on, 0 for none; 1 more for a type
    lines: Sequence[int]  # empty when all are 0
    untils: Sequence[int]  # the same
    receivers: Sequence[str]  # what names are attributes of; see `Occurrence.receiver`

    def binding(self, at: int) -> BindingFact:
        """The binding in a row of the columns."""
        scope = self.scopes[at]
        line, until = (self.lines[at], self.untils[at]) if self.lines else (0, 0)
        return BindingFact(self.names[at], self.values[at], bool(scope & 1), (scope >> 1) - 1, line, until)


NO_EVIDENCE = Evidence((), (), (), (), (), ("",))


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that this server holds."""

    name: str  # host and path of its URL, "github.com/pallets/flask"; "local/<folder>" for a folder
    url: str  # https URL, or the absolute path of the folder


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as git names it."""

    oid: str  # 40 hexadecimal digits
    tree: str  # 40 hexadecimal digits
    time: int  # seconds since 1970 (UTC) of the committer
    subject: str  # first line of its message, at most 200 characters


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit, as `git ls-tree -r -l` lists it."""

    mode: str  # "100644", "100755", "120000" (symlink), "160000" (submodule)
    oid: str
    size_bytes: int  # 0 for a submodule
    path: str


class Hunk(NamedTuple):
    """Lines that a change replaced by others; of an empty side, the start is the line before, as git writes it."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int


class Change(NamedTuple):
    """What one commit did to one file, compared with one of its parents."""

    path: str  # where the file is afterwards; where it was, when it is deleted
    source: str  # where it was before: somewhere else when it was renamed; "" when it is new
    parent: int  # position of the parent, 0 but for merges
    old: str  # 40 digits of its blob before, "" when it is new
    new: str  # of its blob afterwards, "" when it is deleted
    hunks: tuple[Hunk, ...] | None  # in order; None when that is not known: binary, or one file of too many


class PastCommit(NamedTuple):
    """A commit of the history of another one."""

    oid: str  # 40 digits
    parents: tuple[str, ...]
    author: str
    email: str  # in lower case; "" when it has none
    authored: int  # seconds since 1970 (UTC) of the author; 0 when it has none
    time: int  # of the committer
    subject: str  # first line of its message, at most 200 characters


class HistoryEnd(StrEnum):
    """Why the history that the index holds of a commit goes no further back."""

    ROOT = "root"  # there is nothing before
    PENDING = "pending"  # the rest has not been read yet
    SHALLOW = "shallow"  # the rest has not been fetched
    BOUND = "bound"  # this server keeps no more


_FAMILIES = {"typescript": "javascript", "tsx": "javascript", "vue": "javascript", "svelte": "javascript", "c": "cpp"}
_ASIDE = frozenset(
    {"example", "examples", "sample", "samples", "demo", "demos", "doc", "docs", "benchmark", "benchmarks", "bench"}
    | {"benches", "script", "scripts", "dist", "test", "tests"}
)


def family_of(language: str) -> str:
    """What languages share whose files use each other's definitions: C and C++, JavaScript and TypeScript."""
    return _FAMILIES.get(language, language)


def is_aside(path: str) -> bool:
    """Whether a path lies beside the work itself: examples, documentation, benchmarks, scripts, "Some.Tests"."""
    return not _ASIDE.isdisjoint(part.rpartition(".")[2] for part in path.lower().split("/")[:-1])


class FileRole(StrEnum):
    """What a file is for; answers list source before tests before what nobody wrote here by hand."""

    SOURCE = "source"
    TEST = "test"
    DOCUMENT = "document"
    VENDORED = "vendored"
    GENERATED = "generated"


class SourceFile(NamedTuple):
    """One path of an indexed commit."""

    path: str
    oid: str  # of its blob
    blob: int  # the index's own number of that blob; 0 when it has no text in the index
    size_bytes: int
    lines: int  # 0 when it has no text in the index
    language: str  # "python"; "" when unknown
    role: FileRole
    skip_reason: SkipReason | None


class Symbol(NamedTuple):
    """One definition in an indexed commit."""

    path: str
    language: str
    role: FileRole
    blob: int
    position: int  # among the symbols of its blob, from 0 in the order in which they begin
    parent: int  # position of the enclosing symbol, -1 at the top
    name: str
    kind: SymbolKind
    container: str
    start_line: int
    end_line: int
    name_line: int
    name_column: int
    signature: str
    doc: str
    bases: tuple[str, ...]

    @property
    def qualified_name(self) -> str:
        return f"{self.container}.{self.name}" if self.container else self.name


class Occurrence(NamedTuple):
    """One use of a name in an indexed commit."""

    path: str
    role: FileRole
    blob: int
    name: str
    kind: ReferenceKind
    line: int
    column: int
    symbol: int  # position of the enclosing symbol in its blob, -1 outside of all
    receiver: int = 0  # what it is an attribute of: a position in `Evidence.receivers`, 0 for nothing

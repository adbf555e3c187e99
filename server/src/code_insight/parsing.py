"""Source text in; symbols, references, imports and problems out. Syntax nodes never leave this module.

`parse` works in the process that calls it, and a hostile file can end that process: grammars are C code with known
crashes, endless loops and memory explosions (a 600-byte file is enough). The server therefore parses in `ParserPool`,
whose workers are limited in time and memory and can be thrown away. Nothing here recurses over a syntax tree, which
may be 100,000 levels deep.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import re
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from code_insight.languages import Language, by_name, query_text
from code_insight.model import NO_FACTS, Facts, ImportFact, ReferenceFact, ReferenceKind, SkipReason, SymbolFact
from code_insight.model import SymbolKind as Kind

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pebble import ProcessPool
    from tree_sitter import Node, Parser, Query

# What `parse` makes of a text changes with this number, and every blob is then parsed again.
#   1  the first
VERSION = 1

SIGNATURE_CHARACTERS = 300
DOC_CHARACTERS = 2_000
_NAME_BYTES = 300  # a longer identifier is data
_MOST_SYMBOLS = 50_000
_MOST_REFERENCES = 500_000
_MOST_IMPORTS = 10_000
_MOST_ERROR_LINES = 20

_log = logging.getLogger(__name__)

# From the least to the most telling: an identifier that is also the name of a call is a call.
_REFERENCE_KINDS = (
    ReferenceKind.NAME,
    ReferenceKind.TYPE,
    ReferenceKind.CALL,
    ReferenceKind.INHERIT,
    ReferenceKind.IMPORT,
)
_TYPES = frozenset({Kind.CLASS, Kind.INTERFACE, Kind.STRUCT, Kind.ENUM, Kind.TRAIT})
_FUNCTIONS = frozenset({Kind.FUNCTION, Kind.METHOD, Kind.CONSTRUCTOR})
_VALUES = frozenset({Kind.VARIABLE, Kind.CONSTANT, Kind.FIELD})


def parse(language: Language, text: bytes) -> Facts:
    """What `text` defines, uses and imports; empty for a language without symbols.

    Broken text is no error: what can be understood is returned, with the lines where it breaks.
    """
    if language.headings:
        return _parse_headings(text)
    if language.grammar is None:
        return NO_FACTS
    return _parse_code(language, text)


# --- reading a syntax tree -------------------------------------------------------------------------------------------


class _Grammar(NamedTuple):
    parser: Parser
    structure: Query
    occurrences: Query


@cache
def _grammar(language: Language) -> _Grammar:
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser, Query

    assert language.grammar is not None
    module, function = language.grammar
    grammar = Grammar(getattr(importlib.import_module(module), function)())
    structure, occurrences = query_text(language)
    problems = "\n(ERROR) @error\n(MISSING) @error\n"
    return _Grammar(Parser(grammar), Query(grammar, structure), Query(grammar, occurrences + problems))


class _Source:
    """The text, by byte offsets."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._ascii = text.isascii()
        self._line_starts = [0, *accumulate(len(line) + 1 for line in text.split(b"\n"))]
        self._names: dict[bytes, str] = {}

    def name(self, start: int, end: int) -> str:
        """The text between two offsets, one object for equal texts."""
        raw = self.text[start:end]
        found = self._names.get(raw)
        if found is None:
            found = self._names[raw] = raw.decode("utf-8", "replace")
        return found

    def slice(self, start: int, end: int) -> str:
        return self.text[start:end].decode("utf-8", "replace")

    def line(self, offset: int) -> int:
        return bisect_right(self._line_starts, offset)

    def column(self, offset: int, line: int) -> int:
        start = self._line_starts[line - 1]
        return offset - start if self._ascii else len(self.slice(start, offset))

    def places(self, offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Line and column of each of many offsets in ascending order; faster than one by one."""
        starts, text, is_ascii = [*self._line_starts, len(self.text) + 1], self.text, self._ascii
        line, start, following = 1, 0, starts[1]
        for offset in offsets:
            while following <= offset:
                start, following = following, starts[line + 1]
                line += 1
            yield line, offset - start if is_ascii else len(text[start:offset].decode("utf-8", "replace"))

    def start_with_keywords(self, offset: int) -> int:
        """Where the words in front begin that belong to what starts at an offset: "export const" x = 1."""
        start = self._line_starts[self.line(offset) - 1]
        words = _KEYWORDS_IN_FRONT.search(self.text, start, offset)
        return words.start() if words else offset

    def is_first_on_its_line(self, offset: int) -> bool:
        start = self._line_starts[self.line(offset) - 1]
        return not self.text[start:offset].strip()

    def last_line(self, start: int, end: int) -> int:
        """The line where the text between two offsets ends, without white space behind it."""
        return self.line(max(start, start + len(self.text[start:end].rstrip()) - 1))


_KEYWORDS_IN_FRONT = re.compile(rb"(?:\b(?:export|default|declare|const|let|var|type|static|extern|readonly)\s+)+\Z")


def _parse_code(language: Language, text: bytes) -> Facts:
    from tree_sitter import QueryCursor

    grammar = _grammar(language)
    source = _Source(text)
    root = grammar.parser.parse(_without_macros(text) if language.macros_disturb else text).root_node
    structure = _read_structure(QueryCursor(grammar.structure).matches(root), source)
    occurrences = QueryCursor(grammar.occurrences).captures(root)
    outline = _Outline(language, source, structure, _Surroundings(occurrences, source))
    return Facts(
        tuple(outline.symbols),
        _references(language, source, occurrences, outline, structure),
        tuple(structure.imports),
        _error_lines(occurrences, source),
    )


# Macros that a grammar without preprocessor cannot understand.
_DISTURBING_MACROS = (
    # class EXPORT Name ...
    re.compile(
        rb"(?:(?<=\bclass )|(?<=\bstruct ))[A-Z][A-Z0-9_]+(?:\([^()\n]{0,200}\))?"
        rb"(?= +[A-Za-z_][\w:<>, ]{0,200}(?:[:{]|$))",
        re.MULTILINE,
    ),
    # EXPORT type name(...)
    re.compile(rb"^[A-Z][A-Z0-9_]{2,}(?:\([^()\n]*\))?(?= +[A-Za-z_][\w:]*(?:[*& ]+\w+)*[*& ]+\w+ ?\()", re.MULTILINE),
    # type CALLED name(...)
    re.compile(rb"(?<=[\w*] )(?<!define )[A-Z][A-Z0-9_]{2,}(?= +\w+ *\()"),
    # alone on a line: BEGIN_NAMESPACE, NO_NULL(2)
    re.compile(
        rb"^[ \t]*(?:[A-Z][A-Z0-9_]*_)?(?:BEGIN|END|DECLS|NAMESPACE|EXPORT|API|INLINE|NODISCARD|NON_NULL|DECLARATION)"
        rb"(?:_[A-Z0-9_]*)?(?:\([^()\n]*\))?[ \t]*$(?!\s*[},=])",
        re.MULTILINE,
    ),
)


# name OF((arguments)): how prototypes were written when a compiler might not know them
_OLD_PROTOTYPE = re.compile(rb"\b(OF|PARAMS|__P)\((\([^;{}()]{0,500}(?:\([^()]{0,200}\)[^;{}()]{0,500}){0,9}\))\)")


def _without_macros(text: bytes) -> bytes:
    """The text with spaces in place of such macros: every offset stays."""
    text = _OLD_PROTOTYPE.sub(lambda match: b" " * (len(match[1]) + 1) + match[2] + b" ", text)
    for macro in _DISTURBING_MACROS:
        text = macro.sub(lambda match: b" " * len(match[0]), text)
    return text


def _error_lines(occurrences: Mapping[str, Sequence[Node]], source: _Source) -> tuple[int, ...]:
    lines = {source.line(node.start_byte) for node in occurrences.get("error", ())}
    return tuple(sorted(lines)[:_MOST_ERROR_LINES])


# --- what is defined -------------------------------------------------------------------------------------------------


class _Draft(NamedTuple):
    """A definition before it is known what stands around it."""

    pattern: int  # of two patterns that define one name, the smaller counts
    kind: Kind
    start: int
    end: int
    name_start: int
    name_end: int
    body: int  # where the signature ends
    receiver: str  # "" when what stands around it owns it
    is_declaration: bool  # without body: a prototype


class _Container(NamedTuple):
    """What owns the definitions inside it without being one: Rust's `impl`."""

    start: int
    end: int
    receiver: str


@dataclass(slots=True)
class _Structure:
    kinds: dict[int, tuple[str, Kind]] = field(default_factory=dict)  # of each pattern that defines: capture, kind
    drafts: dict[int, _Draft] = field(default_factory=dict)  # by the offset of the name
    containers: list[_Container] = field(default_factory=list)
    bases: dict[int, dict[int, str]] = field(default_factory=dict)  # offset of the name -> offset of the base -> base
    adopted: dict[str, list[str]] = field(default_factory=dict)  # receiver -> bases that a container gives it
    docs: dict[int, str] = field(default_factory=dict)
    imports: list[ImportFact] = field(default_factory=list)
    imported: set[int] = field(default_factory=set)  # offsets of names that an import binds


def _read_structure(matches: Sequence[tuple[int, Mapping[str, Sequence[Node]]]], source: _Source) -> _Structure:
    structure = _Structure()
    imports: dict[tuple[int, int], tuple[ImportFact, ...]] = {}
    for pattern, captures in matches:
        name = captures.get("name")
        if name is None:
            if "declarator" in captures:
                _read_declarator(pattern, captures, source, structure)
            elif "container" in captures:
                _read_container(captures, source, structure)
            else:
                _read_import(captures, source, structure, imports)
        elif "base" in captures:
            _read_bases(name[0].start_byte, captures["base"], source, structure)
        elif "doc" in captures:
            node = captures["doc"][0]
            structure.docs[name[0].start_byte] = _docstring(source.slice(node.start_byte, node.end_byte))
        else:
            _read_definitions(pattern, captures, source, structure)
    structure.imports.extend(_without_bare_repetitions(imports))
    return structure


def _read_definitions(
    pattern: int, captures: Mapping[str, Sequence[Node]], source: _Source, structure: _Structure
) -> None:
    kind, node = _definition(pattern, captures, structure)
    for name in captures["name"]:
        start, end = _name_range(name, source)
        known = structure.drafts.get(start)
        if (known is not None and known.pattern <= pattern) or not 0 < end - start <= _NAME_BYTES:
            continue
        if source.text[start:end] == b"_":
            continue
        body = captures["body"][0] if "body" in captures else node.child_by_field_name("body")
        stop = len(source.text) if "until.end" in captures else node.end_byte
        structure.drafts[start] = _Draft(
            pattern,
            kind,
            node.start_byte,
            stop,
            start,
            end,
            body.start_byte if body else node.end_byte,
            _receiver(captures, source, start),
            False,
        )


class _Declared(NamedTuple):
    """What a declarator of C or C++ declares."""

    name: Node
    qualified: Node  # `a::b::name`, or the name itself
    is_function: bool


def _declared(declarator: Node) -> _Declared | None:
    """The name within pointers, arrays, parameters and initial values: `char *(*name[2])(int) = {}`."""
    node: Node | None = declarator
    qualified, is_function = None, False
    while node is not None:
        kind = node.type
        if kind in _NAMES_IN_DECLARATORS:
            return _Declared(node, qualified or node, is_function or kind == "operator_cast")
        if kind == "qualified_identifier":
            qualified = qualified or node
        elif kind == "function_declarator":
            is_function = True
        elif kind in ("pointer_declarator", "array_declarator"):
            is_function = False
        node = node.child_by_field_name("declarator") or node.child_by_field_name("name") or _last_named_child(node)
    return None


_NAMES_IN_DECLARATORS = frozenset(
    {"identifier", "field_identifier", "type_identifier", "operator_name", "destructor_name", "operator_cast"}
)


def _last_named_child(node: Node) -> Node | None:
    return node.named_child(node.named_child_count - 1) if node.named_child_count else None


def _read_declarator(
    pattern: int, captures: Mapping[str, Sequence[Node]], source: _Source, structure: _Structure
) -> None:
    kind, node = _definition(pattern, captures, structure)
    declared = _declared(captures["declarator"][0])
    if declared is None or (kind is Kind.FUNCTION and not declared.is_function):
        return
    start, end = _name_range(declared.name, source)
    if start in structure.drafts or not 0 < end - start <= _NAME_BYTES:
        return
    is_declaration = declared.is_function and kind in _VALUES
    body = node.child_by_field_name("body")
    structure.drafts[start] = _Draft(
        pattern,
        Kind.FUNCTION if is_declaration else kind,
        node.start_byte,
        node.end_byte,
        start,
        end,
        body.start_byte if body else node.end_byte,
        _owner(source.slice(max(declared.qualified.start_byte, start - _NAME_BYTES), start)),
        is_declaration,
    )


def _definition(pattern: int, captures: Mapping[str, Sequence[Node]], structure: _Structure) -> tuple[Kind, Node]:
    if pattern not in structure.kinds:
        capture = next(key for key in captures if key.startswith("definition."))
        structure.kinds[pattern] = capture, Kind(capture.removeprefix("definition."))
    capture, kind = structure.kinds[pattern]
    return kind, captures[capture][0]


def _name_range(name: Node, source: _Source) -> tuple[int, int]:
    """Where a name stands, without what a node has more: Ruby's :name and "name", C++'s operator bool()."""
    start, end = name.start_byte, name.end_byte
    if name.type == "operator_cast":
        return start, start + len(source.text[start:end].partition(b"(")[0].rstrip())
    mark = source.text[start : start + 1]
    return (start + 1, end - (mark != b":")) if mark in (b":", b'"', b"'") else (start, end)


def _receiver(captures: Mapping[str, Sequence[Node]], source: _Source, name_start: int) -> str:
    """The type that owns a definition, "" when none is written; of `a::B::c` what stands before the name."""
    if "receiver" not in captures:
        return ""
    node = captures["receiver"][0]
    start, end = node.start_byte, node.end_byte
    return _owner(source.slice(start, min(name_start if start <= name_start < end else end, start + _NAME_BYTES)))


def _read_container(captures: Mapping[str, Sequence[Node]], source: _Source, structure: _Structure) -> None:
    node, receiver = captures["container"][0], _receiver(captures, source, -1)
    structure.containers.append(_Container(node.start_byte, node.end_byte, receiver))
    for base in captures.get("base", ()):
        structure.adopted.setdefault(receiver, []).append(_without_arguments(_text(base, source)))


def _read_bases(name: int, bases: Sequence[Node], source: _Source, structure: _Structure) -> None:
    known = structure.bases.setdefault(name, {})
    for base in bases:
        known[base.start_byte] = _without_arguments(_text(base, source))


def _text(node: Node, source: _Source) -> str:
    return source.slice(node.start_byte, min(node.end_byte, node.start_byte + _NAME_BYTES))


def _without_arguments(text: str) -> str:
    """A type's name as written, without type arguments and modifiers: "List<T>" -> "List", "&mut a::B" -> "a::B"."""
    kept, depth = [], 0
    for character in text.replace("->", ""):
        depth += (character in "<[(") - (character in ">])")
        if depth == 0 and character not in ">])*&":
            kept.append(character)
    return ("".join(kept).split() or [""])[-1]


def _owner(text: str) -> str:
    """The container that a receiver names: "*Server[T]" -> "Server", "ns::Foo" -> "ns.Foo"."""
    name = _without_arguments(text).replace("::", ".").replace("\\", ".").strip(".").removesuffix(".prototype")
    return "" if name in ("this", "self", "exports", "module.exports") else name


# --- imports ---------------------------------------------------------------------------------------------------------


def _read_import(
    captures: Mapping[str, Sequence[Node]],
    source: _Source,
    structure: _Structure,
    imports: dict[tuple[int, int], tuple[ImportFact, ...]],
) -> None:
    if "import.tree" in captures:
        tree = captures["import.tree"][0]
        imports[tree.start_byte, -1] = _use_tree(tree, source)
        return
    if "import.submodule" in captures:
        node = captures["import.submodule"][0]
        fact = ImportFact("self", source.name(node.start_byte, node.end_byte), "", source.line(node.start_byte))
        imports[node.start_byte, -1] = (fact,)
        return
    module = captures["import.module"][0]
    name, alias = captures.get("import.name"), captures.get("import.alias")
    if alias is not None:
        structure.imported.add(alias[0].start_byte)
    fact = ImportFact(
        _import_module(captures, source),
        _imported_name(captures, source),
        _text(alias[0], source) if alias else "",
        source.line((name or alias or [module])[0].start_byte),
    )
    imports[module.start_byte, (name or alias or [module])[0].start_byte] = (fact,)


def _import_module(captures: Mapping[str, Sequence[Node]], source: _Source) -> str:
    module = _text(captures["import.module"][0], source).strip("\"'<>")
    return f"./{module}" if "import.relative" in captures and not module.startswith(".") else module


def _imported_name(captures: Mapping[str, Sequence[Node]], source: _Source) -> str:
    if "import.name" in captures:
        return _text(captures["import.name"][0], source).lstrip(":")
    if "import.all" in captures:
        return "*"
    return "default" if "import.default" in captures else ""


def _without_bare_repetitions(imports: Mapping[tuple[int, int], tuple[ImportFact, ...]]) -> list[ImportFact]:
    """The imports in document order; `require("x")` counts only where no pattern saw what is taken from it."""
    telling = {module for (module, bound) in imports if bound != module}
    kept = [key for key in imports if key[0] != key[1] or key[0] not in telling]
    kept.sort(key=lambda key: key[0] if key[1] < 0 else key[1])
    return [fact for key in kept for fact in imports[key]][:_MOST_IMPORTS]


def _use_tree(tree: Node, source: _Source) -> tuple[ImportFact, ...]:
    """The imports of one `use` declaration of Rust: `a::{b, c::{self, d as e}, f::*}`."""
    facts = []
    pending = [(tree, "")]
    while pending:
        node, prefix = pending.pop()
        line = source.line(node.start_byte)
        if node.type == "use_list":
            pending.extend((child, prefix) for child in reversed(node.named_children))
        elif node.type == "scoped_use_list":
            path, inner = node.child_by_field_name("path"), node.child_by_field_name("list")
            if inner is not None:
                pending.append((inner, _joined(prefix, _text(path, source) if path else "")))
        elif node.type == "use_wildcard":
            facts.append(
                ImportFact(_joined(prefix, _text(node, source).removesuffix("*").removesuffix("::")), "*", "", line)
            )
        elif node.type == "use_as_clause":
            path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
            if path is not None and alias is not None:
                facts.append(_use(_joined(prefix, _text(path, source)), _text(alias, source), line))
        elif node.type in ("identifier", "scoped_identifier", "self", "crate", "super"):
            facts.append(_use(_joined(prefix, _text(node, source)), "", line))
    return tuple(facts)


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}::{path}" if prefix and path else prefix or path


def _use(path: str, alias: str, line: int) -> ImportFact:
    module, _, name = path.rpartition("::")
    return (
        ImportFact(module, "" if name == "self" else name, alias, line) if module else ImportFact(name, "", alias, line)
    )


# --- what stands around definitions ----------------------------------------------------------------------------------


class _Surroundings:
    """Decorators, attributes and comments, by where they stand."""

    def __init__(self, occurrences: Mapping[str, Sequence[Node]], source: _Source) -> None:
        self._source = source
        self.wrappers = [(node.start_byte, node.end_byte) for node in occurrences.get("wrapper", ())]
        self.scopes = [(node.start_byte, node.end_byte) for node in occurrences.get("local.scope", ())]
        attributes = [(node.start_byte, node.end_byte) for node in occurrences.get("attribute", ())]
        self._attribute_ends = dict(attributes)
        self._attributes = self._by_last_line(attributes)
        self._comments = self._by_last_line(
            [(node.start_byte, node.end_byte) for node in occurrences.get("comment", ())]
        )

    def _by_last_line(self, ranges: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """Those that are the first on their line, by the line where they end."""
        source = self._source
        return {source.last_line(*each): each for each in ranges if source.is_first_on_its_line(each[0])}

    def start_and_comments(self, start: int) -> tuple[int, list[str]]:
        """Where a definition really starts, attributes in front included, and the comments directly in front."""
        source = self._source
        comments: deque[str] = deque()
        start = top = source.start_with_keywords(start)
        if not source.is_first_on_its_line(start):
            return start, []
        while len(comments) < DOC_CHARACTERS:
            line = source.line(top) - 1
            attribute = self._attributes.get(line)
            comment = self._comments.get(line)
            if attribute is not None and attribute[1] <= start:
                start = top = attribute[0]
            elif comment is not None:
                top = comment[0]
                comments.appendleft(source.slice(*comment).rstrip())
            else:
                break
        return start, list(comments)

    def after_attributes(self, start: int, end: int) -> int:
        """Where a definition's signature starts, behind the attributes that are part of it."""
        text = self._source.text
        while (attribute := self._attribute_ends.get(start)) is not None and attribute < end:
            start = end - len(text[attribute:end].lstrip())
        return start


class _Frame(NamedTuple):
    """Something that stands around what comes next."""

    end: int
    symbol: int  # of the innermost symbol, -1 for none
    path: str  # the container of what stands in it
    role: str  # "type", "constructor", "local" (another function), "value" or "other"


_ELSEWHERE = -2  # as symbol of a frame: whose owner is known by its path
_OUTSIDE = _Frame(1 << 62, -1, "", "other")
_WRAPPER, _CONTAINER, _SCOPE, _DEFINITION = range(4)


class _Outline:
    """The symbols of one text, in the order in which they begin."""

    def __init__(self, language: Language, source: _Source, structure: _Structure, around: _Surroundings) -> None:
        self.symbols: list[SymbolFact] = []
        self.spans: list[tuple[int, int]] = []  # of the symbols, in bytes
        self.names: set[int] = set()  # offsets of the symbols' names
        self._language, self._source, self._structure, self._around = language, source, structure, around
        self._known: set[tuple[str, str]] = set()
        self._declarations: set[int] = set()  # symbols without body
        self._owned_elsewhere: dict[int, str] = {}  # symbol -> path of the type that owns it
        self._frames = [_OUTSIDE]
        self._read()
        self._find_owners()
        self._drop_declarations()

    def _read(self) -> None:
        wrapper = (0, 0)
        for start, minus_end, role, item in self._events():
            while self._frames[-1].end <= start:
                self._frames.pop()
            if role == _WRAPPER:
                wrapper = wrapper if wrapper[1] >= -minus_end else (start, -minus_end)
            elif role == _SCOPE:
                self._frames.append(self._frames[-1]._replace(end=-minus_end, role="local"))
            elif role == _CONTAINER:
                self._open_container(item)
            else:
                inside = wrapper[0] <= start and -minus_end <= wrapper[1]
                if self._define(item, wrapper if inside else (start, -minus_end)) and inside:
                    wrapper = (0, 0)

    def _events(self) -> list[tuple[int, int, int, Any]]:
        structure, around = self._structure, self._around
        drafts = [draft for offset, draft in structure.drafts.items() if offset not in structure.imported]
        events: list[tuple[int, int, int, Any]] = [
            *((start, -end, _WRAPPER, None) for start, end in around.wrappers),
            *((start, -end, _SCOPE, None) for start, end in around.scopes),
            *((container.start, -container.end, _CONTAINER, container) for container in structure.containers),
            *((draft.start, -draft.end, _DEFINITION, draft) for draft in drafts),
        ]
        events.sort(key=lambda event: (event[:3], event[3].name_start if event[2] == _DEFINITION else 0))
        return events

    def _open_container(self, container: _Container) -> None:
        frame = self._frames[-1]
        path = _dotted(frame.path, container.receiver)
        self._frames.append(_Frame(container.end, _ELSEWHERE if container.receiver else frame.symbol, path, "type"))

    def _define(self, draft: _Draft, span: tuple[int, int]) -> bool:
        """Whether the draft became a symbol; what is local to a function does not."""
        frame = self._owning_frame(draft)
        name = self._source.name(draft.name_start, draft.name_end)
        kind = self._kind(draft, name, frame)
        container = _dotted(frame.path, draft.receiver)
        if len(self.symbols) >= _MOST_SYMBOLS or not self._counts(draft, frame, kind, container, name):
            return False
        if draft.receiver or frame.symbol == _ELSEWHERE:
            self._owned_elsewhere[len(self.symbols)] = container
        if draft.is_declaration:
            self._declarations.add(len(self.symbols))
        else:
            path = _dotted(container, name.replace("::", ".").replace("\\", "."))
            self._frames.append(_Frame(draft.end, len(self.symbols), path, _role(kind)))
        self._add(draft, name, kind, container, -1 if frame.symbol == _ELSEWHERE else frame.symbol, span)
        return True

    def _owning_frame(self, draft: _Draft) -> _Frame:
        """What a definition belongs to: functions to all that stands around them, other things not to a value."""
        if draft.kind in _FUNCTIONS:
            return self._frames[-1]
        passed = ("value", "constructor") if draft.kind is Kind.FIELD else ("value",)
        return next(frame for frame in reversed(self._frames) if frame.role not in passed)

    def _kind(self, draft: _Draft, name: str, frame: _Frame) -> Kind:
        kind = draft.kind
        if kind is Kind.FUNCTION and (frame.role == "type" or draft.receiver):
            kind = Kind.METHOD
        if kind is Kind.METHOD:
            return self._kind_of_method(draft, name, frame)
        if kind is Kind.VARIABLE and self._language.capitals_are_constants and name.isupper():
            return Kind.CONSTANT
        return Kind.FIELD if kind is Kind.VARIABLE and (frame.role == "type" or draft.receiver) else kind

    def _kind_of_method(self, draft: _Draft, name: str, frame: _Frame) -> Kind:
        owner = draft.receiver or frame.path
        language = self._language
        if name in language.constructors or (
            language.constructors_are_named_after_type and owner.rpartition(".")[2] == name
        ):
            return Kind.CONSTRUCTOR
        return Kind.METHOD if owner else Kind.FUNCTION

    def _counts(self, draft: _Draft, frame: _Frame, kind: Kind, container: str, name: str) -> bool:
        """Whether this is a symbol: not if it is local to a function; of `x = 1; x = 2` the first defines x."""
        known = (container, name) in self._known
        is_local = frame.role in ("local", "constructor")
        if (is_local and (kind in _VALUES or draft.is_declaration)) or (known and kind in _VALUES):
            return False
        self._known.add((container, name))
        return True

    def _add(self, draft: _Draft, name: str, kind: Kind, container: str, parent: int, span: tuple[int, int]) -> None:
        source = self._source
        start, comments = self._around.start_and_comments(span[0])
        line = source.line(draft.name_start)
        bases = self._structure.bases.get(draft.name_start, {})
        self.spans.append((start, span[1]))
        self.names.add(draft.name_start)
        self.symbols.append(
            SymbolFact(
                name,
                kind,
                container,
                parent,
                source.line(start),
                source.last_line(*span),
                line,
                source.column(draft.name_start, line),
                self._signature(draft, kind),
                self._structure.docs.get(draft.name_start) or _comment_text(comments),
                tuple(dict.fromkeys(bases[offset] for offset in sorted(bases))),
            )
        )

    def _signature(self, draft: _Draft, kind: Kind) -> str:
        start = self._source.start_with_keywords(self._around.after_attributes(draft.start, draft.name_start))
        text = self._source.slice(start, min(draft.body, start + 4 * SIGNATURE_CHARACTERS))
        if kind in _VALUES or kind is Kind.MACRO:
            text = text.partition("\n")[0].rstrip("\\\r ")
        text = _PADDING.sub(r"\1\2", " ".join(text.split()))
        if kind not in _VALUES:
            text = text.removesuffix(" end")
        for tail in ("{", ";", ":", "=>", "="):
            text = text.removesuffix(tail).rstrip()
        name = self._source.name(draft.name_start, draft.name_end)
        return (text if name in text or len(text) > SIGNATURE_CHARACTERS else f"{text} {name}")[:SIGNATURE_CHARACTERS]

    def _find_owners(self) -> None:
        """Give methods that stand apart from their type that type as parent, when it is in this text."""
        types = {_dotted(s.container, s.name): i for i, s in enumerate(self.symbols) if s.kind in _TYPES | {Kind.TYPE}}
        for position, path in self._owned_elsewhere.items():
            owner = types.get(path, -1)
            self.symbols[position] = self.symbols[position]._replace(parent=owner)
        for receiver, bases in self._structure.adopted.items():
            if receiver in types:
                symbol = self.symbols[types[receiver]]
                self.symbols[types[receiver]] = symbol._replace(bases=tuple(dict.fromkeys((*symbol.bases, *bases))))

    def _drop_declarations(self) -> None:
        """Leave out prototypes of what this text defines."""
        defined = {(s.container, s.name) for i, s in enumerate(self.symbols) if i not in self._declarations}
        dropped = {i for i in self._declarations if (self.symbols[i].container, self.symbols[i].name) in defined}
        if not dropped:
            return
        kept = [position for position in range(len(self.symbols)) if position not in dropped]
        moved = {-1: -1} | {old: new for new, old in enumerate(kept)}
        self.symbols = [self.symbols[i]._replace(parent=moved[self.symbols[i].parent]) for i in kept]
        self.spans = [self.spans[i] for i in kept]


_PADDING = re.compile(r"([(\[]) |,? ([)\]])")


def _role(kind: Kind) -> str:
    if kind in _TYPES:
        return "type"
    if kind is Kind.CONSTRUCTOR:
        return "constructor"
    if kind in _FUNCTIONS:
        return "local"
    return "value" if kind in _VALUES or kind is Kind.TYPE else "other"


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


# --- what is used ----------------------------------------------------------------------------------------------------


def _references(
    language: Language,
    source: _Source,
    occurrences: Mapping[str, Sequence[Node]],
    outline: _Outline,
    structure: _Structure,
) -> tuple[ReferenceFact, ...]:
    ends: dict[int, int] = {}
    kinds: dict[int, ReferenceKind] = {}
    for kind in _REFERENCE_KINDS:
        for node in occurrences.get(f"reference.{kind}", ()):
            start = node.start_byte
            ends[start] = node.end_byte
            kinds[start] = kind
    for node in occurrences.get("ignored", ()):
        kinds.pop(node.start_byte, None)
    kinds.update((start, ReferenceKind.IMPORT) for start in structure.imported if start in kinds)
    used = sorted(kinds.keys() - outline.names)[:_MOST_REFERENCES]
    enclosing = _enclosing(used, outline.spans)
    receivers, name_at = language.receivers, source.name
    references = []
    for start, symbol, (line, column) in zip(used, enclosing, source.places(used), strict=True):
        name = name_at(start, ends[start])
        if name not in receivers and len(name) <= _NAME_BYTES:
            references.append(ReferenceFact(name, kinds[start], line, column, symbol))
    return tuple(references)


def _enclosing(offsets: Sequence[int], spans: Sequence[tuple[int, int]]) -> Iterator[int]:
    """For each offset the innermost span around it, -1 for none; both in ascending order."""
    open_spans: list[tuple[int, int]] = [(1 << 62, -1)]
    position, following = 0, spans[0][0] if spans else 1 << 62
    for offset in offsets:
        while following <= offset:
            start, end = spans[position]
            while open_spans[-1][0] <= start:
                open_spans.pop()
            open_spans.append((end, position))
            position += 1
            following = spans[position][0] if position < len(spans) else 1 << 62
        while open_spans[-1][0] <= offset:
            open_spans.pop()
        yield open_spans[-1][1]


# --- documentation ---------------------------------------------------------------------------------------------------

_COMMENT_MARKS = re.compile(r"^[ \t]*(?:/\*+[*!]?|\*/|\*(?!/)|//+[/!]?|#+[:!]?|--)[ \t]?", re.MULTILINE)
_XML_MARKS = re.compile(r"</?(?:summary|remarks|para)>")
_NOT_DOCUMENTATION = re.compile(r"#!|(?:#|//)\s*(?:noqa|type:|pylint:|fmt:|eslint|go:|nolint|\+build|region|endregion)")


def _comment_text(comments: Sequence[str]) -> str:
    """What comments say, without their marks."""
    kept = [comment for comment in comments if not _NOT_DOCUMENTATION.match(comment)]
    text = _COMMENT_MARKS.sub("", "\n".join(kept)).replace("*/", "")
    return _tidy(_XML_MARKS.sub("", text))


def _docstring(literal: str) -> str:
    """What a docstring says, without quotes and common indentation."""
    text = literal.lstrip("rRuUbBfF")
    quote = text[:3] if text[:3] in ('"""', "'''") else text[:1]
    return _tidy(text.removeprefix(quote).removesuffix(quote))


def _tidy(text: str) -> str:
    import inspect

    lines = (line.rstrip() for line in inspect.cleandoc(text).splitlines())
    return "\n".join(lines).strip()[:DOC_CHARACTERS].rstrip()


# --- headings --------------------------------------------------------------------------------------------------------


def _parse_headings(text: bytes) -> Facts:
    """The headings of a Markdown text; each spans until the next of the same or a higher level."""
    source = text.decode("utf-8", "replace")
    headings = _headings(source)
    total = source.count("\n") + (not source.endswith("\n")) or 1
    symbols: list[SymbolFact] = []
    open_headings: list[tuple[int, int]] = []  # level, position
    for position, (level, line, name) in enumerate(headings[:_MOST_SYMBOLS]):
        while open_headings and open_headings[-1][0] >= level:
            open_headings.pop()
        following = (start for deeper, start, _ in headings[position + 1 :] if deeper <= level)
        container = ".".join(symbols[index].name for _, index in open_headings)
        parent = open_headings[-1][1] if open_headings else -1
        column = max(source.split("\n", line)[line - 1].find(name[:1]), 0)
        signature = f"{'#' * level} {name}"[:SIGNATURE_CHARACTERS]
        end = next(following, total + 1) - 1
        symbols.append(SymbolFact(name, Kind.HEADING, container, parent, line, end, line, column, signature, "", ()))
        open_headings.append((level, position))
    return Facts(tuple(symbols), (), (), ())


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Level, line and words of each heading, in document order."""
    from markdown_it import MarkdownIt

    blocks = MarkdownIt("commonmark").disable("inline")
    tokens = blocks.parse(text)
    inline = MarkdownIt("commonmark")
    return [
        (int(opening.tag[1:]), opening.map[0] + 1, _words(inline, content.content))
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open" and opening.map
    ]


def _words(inline: Any, content: str) -> str:
    tokens = inline.parseInline(content[:SIGNATURE_CHARACTERS])[0].children or []
    return " ".join("".join(token.content for token in tokens if not token.type.startswith("html")).split())


# --- the pool --------------------------------------------------------------------------------------------------------

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one run of the parsers may cost."""

    workers: int = 1
    wall_seconds: float = 10.0  # for one file, and for one batch of small files
    memory_bytes: int = 400 << 20  # that a worker may take on top of what it needs to start
    batch_bytes: int = 256 << 10
    batch_files: int = 64
    bytes_in_flight: int = 4 << 20  # handed to workers and not answered yet
    failures_per_language: int = 20  # after so many in one run, the rest of that language is PARSE_SKIPPED
    batches_per_worker: int = 500  # a worker is then replaced, so that nothing it leaks grows


class _Item(NamedTuple):
    key: Any
    language: str
    text: bytes


class ParserPool:
    """Worker processes that parse; a context manager. What kills a worker costs the guilty file its facts, no more."""

    def __init__(self, limits: ParseLimits) -> None:
        self.limits = limits
        self._pools: dict[str, ProcessPool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.stop()  # type: ignore[no-untyped-call]
        for pool in self._pools.values():
            pool.join()

    def parse_many(self, items: Iterable[tuple[Key, str, bytes]]) -> Iterator[tuple[Key, Facts | SkipReason]]:
        """The facts of each (key, language name, text), or why there are none, as they become known.

        Closing the iterator ends the work on what was not answered yet.
        """
        return _Run(self).results(items)

    def workers(self) -> ProcessPool:
        """The processes that parse batches; they start when they are first needed."""
        return self._pool("workers", self.limits.workers)

    def quarantine(self) -> ProcessPool:
        """One process, where suspects are parsed alone."""
        return self._pool("quarantine", 1)

    def _pool(self, role: str, workers: int) -> ProcessPool:
        """The pool of this role; a new one when the system has killed an idle worker, which pebble does not survive."""
        pool = self._pools.get(role)
        if pool is not None and not pool.active:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
            pool = None
        if pool is None:
            pool = self._pools[role] = _new_pool(self.limits, workers)
        return pool


def _new_pool(limits: ParseLimits, workers: int) -> ProcessPool:
    import multiprocessing

    from pebble import ProcessPool

    return ProcessPool(
        max_workers=workers,
        max_tasks=limits.batches_per_worker,
        initializer=_limit_worker,
        initargs=(limits.memory_bytes,),
        context=multiprocessing.get_context("spawn"),
    )


class _Run:
    """One call of `parse_many`."""

    def __init__(self, pool: ParserPool) -> None:
        self._pool, self._limits = pool, pool.limits
        self._failures: Counter[str] = Counter()
        self._in_flight: dict[Future[list[Facts | SkipReason]], list[_Item]] = {}

    def results(self, items: Iterable[tuple[Any, str, bytes]]) -> Iterator[tuple[Any, Facts | SkipReason]]:
        from concurrent.futures import FIRST_COMPLETED, wait

        batches = self._batches(items)
        try:
            while self._fill(batches):
                done, _ = wait(self._in_flight, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from self._settle(future, self._in_flight.pop(future))
        finally:
            for future in self._in_flight:
                future.cancel()

    def _fill(self, batches: Iterator[list[_Item]]) -> bool:
        """Whether there is anything to wait for, after as much as allowed was handed out."""
        flying = sum(len(item.text) for batch in self._in_flight.values() for item in batch)
        while flying < self._limits.bytes_in_flight and (batch := next(batches, None)) is not None:
            self._in_flight[self._schedule(self._pool.workers(), batch)] = batch
            flying += sum(len(item.text) for item in batch)
        return bool(self._in_flight)

    def _batches(self, items: Iterable[tuple[Any, str, bytes]]) -> Iterator[list[_Item]]:
        batch: list[_Item] = []
        size = 0
        for item in map(_Item._make, items):
            if batch and (size + len(item.text) > self._limits.batch_bytes or len(batch) >= self._limits.batch_files):
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += len(item.text)
        if batch:
            yield batch

    def _schedule(self, pool: ProcessPool, batch: list[_Item]) -> Future[list[Facts | SkipReason]]:
        wall = self._limits.wall_seconds
        skipped = frozenset(name for name, count in self._failures.items() if self._is_given_up(name))
        work = [(item.language, b"" if item.language in skipped else item.text) for item in batch]
        return pool.schedule(_parse_batch, args=(work, skipped, math.ceil(wall) + 1), timeout=wall)

    def _is_given_up(self, language: str) -> bool:
        return self._failures[language] >= self._limits.failures_per_language

    def _settle(
        self, future: Future[list[Facts | SkipReason]], batch: list[_Item]
    ) -> Iterator[tuple[Any, Facts | SkipReason]]:
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        try:
            results = future.result()
        except (TimeoutError, ProcessExpired, BrokenProcessPool) as error:
            if isinstance(error, TimeoutError) and len(batch) == 1:
                yield batch[0].key, self._counted(batch[0].language, SkipReason.PARSE_TIMEOUT)
                return
            for item in batch:
                yield item.key, self._parse_alone(item)
        else:
            for item, result in zip(batch, results, strict=True):
                yield item.key, self._counted(item.language, result)

    def _counted(self, language: str, result: Facts | SkipReason) -> Facts | SkipReason:
        """The result; a failure is remembered."""
        if isinstance(result, SkipReason) and result is not SkipReason.PARSE_SKIPPED:
            self._failures[language] += 1
        return result

    def _parse_alone(self, item: _Item) -> Facts | SkipReason:
        """The facts of a file from a batch that failed, or why it is the one that made it fail."""
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        if self._is_given_up(item.language):
            return SkipReason.PARSE_SKIPPED
        quarantine = self._pool.quarantine()
        future: Future[Any] = quarantine.schedule(os.getpid)
        before = peak = 0
        try:
            worker = future.result()
            before = _address_space_bytes(worker)
            future = self._schedule(quarantine, [item])
            peak = _watch(future, worker)
            return self._counted(item.language, future.result()[0])
        except TimeoutError:
            return self._counted(item.language, SkipReason.PARSE_TIMEOUT)
        except ProcessExpired as error:
            return self._counted(item.language, _cause_of_death(error.exitcode, peak - before, self._limits))
        except BrokenProcessPool:
            return self._counted(item.language, SkipReason.PARSE_CRASHED)
        finally:
            future.cancel()


def _watch(future: Future[Any], worker: int) -> int:
    """The most address space that a worker had, seen every few milliseconds until its work ends."""
    from concurrent.futures import wait

    peak = 0
    while not wait([future], timeout=0.01).done:
        peak = max(peak, _address_space_bytes(worker))
    return peak


def _address_space_bytes(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0  # it ended, or this system has no /proc


def _cause_of_death(exit_code: int, taken_bytes: int, limits: ParseLimits) -> SkipReason:
    """Why a worker died. A grammar that gets no memory dies of SIGSEGV too, having had a third of the limit or more."""
    import signal

    if exit_code == -signal.SIGXCPU:
        return SkipReason.PARSE_TIMEOUT
    if exit_code == -signal.SIGKILL or taken_bytes > limits.memory_bytes // 3:
        return SkipReason.PARSE_MEMORY
    return SkipReason.PARSE_CRASHED


def _limit_worker(memory_bytes: int) -> None:
    """Runs first in each worker: what it may take, and that it is the first to go when memory runs out."""
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space_bytes(os.getpid()) + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        _log.debug("This system does not let a process offer itself to the out-of-memory killer.")


def _parse_batch(work: list[tuple[str, bytes]], skipped: frozenset[str], cpu_seconds: int) -> list[Facts | SkipReason]:
    """Runs in a worker."""
    _limit_cpu(cpu_seconds)
    return [
        SkipReason.PARSE_SKIPPED if name in skipped else _parse_or_reason(by_name()[name], text) for name, text in work
    ]


def _limit_cpu(seconds: int) -> None:
    """Let this process die when its task takes so much CPU: then it ends even if the parent is gone."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _parse_or_reason(language: Language, text: bytes) -> Facts | SkipReason:
    try:
        return parse(language, text)
    except MemoryError:
        return SkipReason.PARSE_MEMORY
    except Exception:  # a bug of ours must not cost the other files of the batch
        _log.exception("Parsing %d bytes of %s failed.", len(text), language.name)
        return SkipReason.PARSE_CRASHED

"""Drafts → symbols in their order, with containers, signatures and docs; and the references between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from code_insight.languages import Language
from code_insight.model import REFERENCE_KINDS, BindingFact, ReferenceKind, References, SymbolFact
from code_insight.model import SymbolKind as Kind
from code_insight.parsing.bindings import BindingDraft, Bound
from code_insight.parsing.source import (
    DOC_CHARACTERS,
    MOST_SYMBOLS,
    SIGNATURE_CHARACTERS,
    Source,
    comment_text,
    dotted,
    without_directives,
)
from code_insight.parsing.structure import FUNCTIONS, NAME_BYTES, TYPES, VALUES, Container, Draft, Structure

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_REFERENCES = 500_000
_MOST_BINDINGS = 100_000
LAST_LINE = 1 << 30
# From the least to the most telling: an identifier that is also the name of a call is a call.
_TELLING = (ReferenceKind.TYPE, ReferenceKind.CALL, ReferenceKind.INHERIT, ReferenceKind.IMPORT)
_NAME, _IMPORT = REFERENCE_KINDS.index(ReferenceKind.NAME), REFERENCE_KINDS.index(ReferenceKind.IMPORT)


class Surroundings:
    """Decorators, attributes and comments, by where they stand."""

    def __init__(self, occurrences: Mapping[str, Sequence[Node]], source: Source) -> None:
        self._source = source
        self.wrappers = [(node.start_byte, node.end_byte) for node in occurrences.get("wrapper", ())]
        self.scopes = [(node.start_byte, node.end_byte) for node in occurrences.get("local.scope", ())]
        attributes = [(node.start_byte, node.end_byte) for node in occurrences.get("attribute", ())]
        self._attribute_ends = dict(attributes)
        self._attributes = self._by_last_line(attributes)
        comments = [(node.start_byte, node.end_byte) for node in occurrences.get("comment", ())]
        self._comments = self._by_last_line(comments)
        self._comment_starts = {end: start for start, end in comments}

    def _by_last_line(self, ranges: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """Those that are the first on their line, by the line where they end."""
        source = self._source
        return {source.last_line(*each): each for each in ranges if source.is_first_on_its_line(each[0])}

    def start_and_comments(self, start: int) -> tuple[int, list[str]]:
        """Where a definition really starts, attributes in front included, and the comments directly in front."""
        source = self._source
        comments: list[str] = []
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
                comments.append(source.slice(*comment).rstrip())
            else:
                break
        return start, comments[::-1]

    def before_comments(self, start: int, end: int) -> int:
        """Where the text from `start` to `end` ends without the comments and white space at its end."""
        text = self._source.text
        while True:
            end = start + len(text[start:end].rstrip())
            comment = self._comment_starts.get(end, start)
            if comment <= start:
                return end
            end = comment

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


class Outline:
    """The symbols of one text, in the order in which they begin."""

    def __init__(self, language: Language, source: Source, structure: Structure, around: Surroundings) -> None:
        self.symbols: list[SymbolFact] = []
        self.spans: list[tuple[int, int]] = []  # of the symbols, in bytes
        self.names: set[int] = set()  # offsets of the symbols' names
        self._language, self._source, self._structure, self._around = language, source, structure, around
        self._known: set[tuple[str, str]] = set()
        self._declarations: set[int] = set()  # symbols without body
        self._owned_elsewhere: dict[int, str] = {}  # symbol -> path of the type that owns it
        self._frames = [_OUTSIDE]
        self._read()
        if self._owned_elsewhere or structure.adopted:
            self._find_owners()
        if self._declarations:
            self._drop_declarations()

    def _read(self) -> None:
        wrapper = (0, 0)
        for start, minus_end, role, _, item in self._events():
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

    def _events(self) -> list[tuple[int, int, int, int, Any]]:
        """Start, -end, role, offset of the name, what it is: in the order of the first four."""
        structure, around = self._structure, self._around
        drafts = [draft for offset, draft in structure.drafts.items() if offset not in structure.imported]
        events: list[tuple[int, int, int, int, Any]] = [
            *((start, -end, _WRAPPER, 0, None) for start, end in around.wrappers),
            *((start, -end, _SCOPE, 0, None) for start, end in around.scopes),
            *((container.start, -container.end, _CONTAINER, 0, container) for container in structure.containers),
            *((draft.start, -draft.end, _DEFINITION, draft.name_start, draft) for draft in drafts),
        ]
        events.sort()
        return events

    def _open_container(self, container: Container) -> None:
        frame = self._frames[-1]
        path = dotted(frame.path, container.receiver)
        self._frames.append(_Frame(container.end, _ELSEWHERE if container.receiver else frame.symbol, path, "type"))

    def _define(self, draft: Draft, span: tuple[int, int]) -> bool:
        """Whether the draft became a symbol; a value that is local to a function does not."""
        frame = self._owning_frame(draft)
        if frame.role in ("local", "constructor") and (draft.kind in VALUES or draft.is_declaration):
            return False
        name = self._source.name(draft.name_start, draft.name_end)
        kind = self._kind(draft, name, frame)
        container = dotted(frame.path, draft.receiver)
        if len(self.symbols) >= MOST_SYMBOLS or not self._counts(kind, container, name):
            return False
        if draft.receiver or frame.symbol == _ELSEWHERE:
            self._owned_elsewhere[len(self.symbols)] = container
        if draft.is_declaration:
            self._declarations.add(len(self.symbols))
        else:
            path = dotted(container, name.replace("::", ".").replace("\\", "."))
            self._frames.append(_Frame(draft.end, len(self.symbols), path, _role(kind)))
        self._add(draft, name, kind, container, -1 if frame.symbol == _ELSEWHERE else frame.symbol, span)
        return True

    def _owning_frame(self, draft: Draft) -> _Frame:
        """What a definition belongs to: functions to all that stands around them, other things not to a value."""
        if draft.kind in FUNCTIONS:
            return self._frames[-1]
        at, passed = -1, ("value", "constructor") if draft.kind is Kind.FIELD else ("value",)
        while self._frames[at].role in passed:
            at -= 1
        return self._frames[at]

    def _kind(self, draft: Draft, name: str, frame: _Frame) -> Kind:
        kind = draft.kind
        if kind is Kind.FUNCTION and (frame.role == "type" or draft.receiver):
            kind = Kind.METHOD
        if kind is Kind.METHOD:
            return self._kind_of_method(draft, name, frame)
        if kind is Kind.VARIABLE and self._language.capitals_are_constants and name.isupper():
            return Kind.CONSTANT
        return Kind.FIELD if kind is Kind.VARIABLE and (frame.role == "type" or draft.receiver) else kind

    def _kind_of_method(self, draft: Draft, name: str, frame: _Frame) -> Kind:
        owner = draft.receiver or frame.path
        language = self._language
        if name in language.constructors or (
            language.constructors_are_named_after_type and owner.rpartition(".")[2] == name
        ):
            return Kind.CONSTRUCTOR
        return Kind.METHOD if owner else Kind.FUNCTION

    def _counts(self, kind: Kind, container: str, name: str) -> bool:
        """Whether this is a symbol: of `x = 1; x = 2` the first defines x."""
        if kind in VALUES and (container, name) in self._known:
            return False
        self._known.add((container, name))
        return True

    def _add(self, draft: Draft, name: str, kind: Kind, container: str, parent: int, span: tuple[int, int]) -> None:
        source = self._source
        start, comments = self._around.start_and_comments(span[0])
        line = source.line(draft.name_start)
        bases = self._structure.bases.get(draft.name_start)
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
                self._signature(draft, kind, name),
                self._structure.docs.get(draft.name_start) or comment_text(comments),
                tuple(dict.fromkeys(bases[offset] for offset in sorted(bases))) if bases else (),
            )
        )

    def _signature(self, draft: Draft, kind: Kind, name: str) -> str:
        start = self._source.start_with_keywords(self._around.after_attributes(draft.start, draft.name_start))
        end = self._around.before_comments(start, draft.body)
        text = self._source.slice(start, min(end, start + 4 * SIGNATURE_CHARACTERS))
        if self._language.directives_disturb:
            text = without_directives(text.encode()).decode()
        if kind in VALUES or kind is Kind.MACRO:
            text = text.partition("\n")[0].rstrip("\\\r ")
        text = " ".join(text.split())
        if "( " in text or "[ " in text or " )" in text or " ]" in text:  # most have none
            text = _PADDING.sub(r"\1\2", text)
        if kind not in VALUES:
            text = text.removesuffix(" end")
        if text.endswith(_TAILS):  # most signatures have none
            for tail in _TAILS:
                text = text.removesuffix(tail).rstrip()
        return (text if name in text or len(text) > SIGNATURE_CHARACTERS else f"{text} {name}")[:SIGNATURE_CHARACTERS]

    def _find_owners(self) -> None:
        """Give methods that stand apart from their type that type as parent, when it is in this text."""
        owning = TYPES | {Kind.TYPE}
        types = {dotted(s.container, s.name): i for i, s in enumerate(self.symbols) if s.kind in owning}
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
_TAILS = ("{", ";", ":", "=>", "=")


def _role(kind: Kind) -> str:
    if kind in TYPES:
        return "type"
    if kind is Kind.CONSTRUCTOR:
        return "constructor"
    if kind in FUNCTIONS:
        return "local"
    return "value" if kind in VALUES or kind is Kind.TYPE else "other"


def references(
    language: Language,
    source: Source,
    occurrences: Mapping[str, Sequence[Node]],
    outline: Outline,
    structure: Structure,
    receiver_of: Mapping[int, str],
) -> References:
    ends, kinds = _uses(occurrences)
    for start in chain(outline.names, (node.start_byte for node in occurrences.get("ignored", ()))):
        ends.pop(start, None)
    kinds.update(dict.fromkeys(structure.imported, _IMPORT))
    text, line_starts, wide_lines = source.text, source.line_starts, source.wide_lines
    places, receivers = _Places(language.receivers), {"": 0}
    kind_of, receiver, number = kinds.get, receiver_of.get, receivers.setdefault
    line, next_line, line_start, is_wide = 0, 0, 0, False
    symbol, changes = 0, _changes(outline.spans)
    next_change, next_symbol = next(changes)
    for start in sorted(ends)[:_MOST_REFERENCES]:  # a large file has a hundred thousand: no calls of ours in here
        numbers = places[text[start : ends[start]]]
        if numbers is None:
            continue
        while next_line <= start:
            line_start = next_line
            line += 1
            next_line = line_starts[line]
            is_wide = line in wide_lines
        while next_change <= start:
            symbol = next_symbol + 1
            next_change, next_symbol = next(changes)
        column = source.column(start, line) if is_wide else start - line_start
        said = receiver(start)
        numbers += (line, column << 3 | kind_of(start, _NAME), symbol, number(said, len(receivers)) if said else 0)
    return References(places.by_name, receivers)


def _uses(occurrences: Mapping[str, Sequence[Node]]) -> tuple[dict[int, int], dict[int, int]]:
    """Where each name that is used stands, start → end; and by start the kind of those that are more than a name."""
    ends = {node.start_byte: node.end_byte for node in occurrences.get("reference.name", ())}
    kinds: dict[int, int] = {}
    for kind in _TELLING:
        spans = {node.start_byte: node.end_byte for node in occurrences.get(f"reference.{kind}", ())}
        ends.update(spans)
        kinds.update(dict.fromkeys(spans, REFERENCE_KINDS.index(kind)))
    return ends, kinds


class _Places(dict[bytes, list[int] | None]):
    """Where names are used, by their bytes; None for what is no name."""

    def __init__(self, left_out: frozenset[str]) -> None:
        super().__init__()
        self.by_name: dict[str, list[int]] = {}
        self._left_out = left_out

    def __missing__(self, raw: bytes) -> list[int] | None:
        name = raw.decode("utf-8", "replace")
        is_no_name = name in self._left_out or len(name) > NAME_BYTES
        found = self[raw] = None if is_no_name else self.by_name.setdefault(name, [])
        return found


def bindings(bound: Bound, outline: Outline, source: Source) -> tuple[BindingFact, ...]:
    drafts = sorted(bound.drafts)[:_MOST_BINDINGS]
    offsets = [draft.offset for draft in drafts]
    owners = _owners(drafts, _enclosing(offsets, outline.spans), outline)
    if not bound.blocks:
        return tuple(
            BindingFact(name, value, is_type, owner)
            for (_, name, value, is_type, _), owner in zip(drafts, owners, strict=True)
        )
    blocks = sorted(bound.blocks, key=lambda block: (block[0], -block[1]))
    ends = [source.line(end) for _, end in blocks]
    return tuple(
        BindingFact(
            draft.name,
            draft.value,
            draft.is_type,
            owner,
            source.line(draft.offset),
            0 if draft.is_assignment else ends[block] if block >= 0 else LAST_LINE,
        )
        for draft, owner, block in zip(drafts, owners, _enclosing(offsets, blocks), strict=True)
    )


def _owners(drafts: Iterable[BindingDraft], enclosing: Iterable[int], outline: Outline) -> list[int]:
    """The symbols in which names are known that get a value inside of `enclosing`: not in what only has a value."""
    parents = [*(symbol.parent for symbol in outline.symbols), -1]  # the last one: of no symbol
    scopes = [parents[at] if symbol.kind in VALUES else at for at, symbol in enumerate(outline.symbols)] + [-1]
    return [
        (parents if draft.offset in outline.names and draft.name != "@" else scopes)[symbol]
        for draft, symbol in zip(drafts, enclosing, strict=True)
    ]


def _enclosing(offsets: Iterable[int], spans: Sequence[tuple[int, int]]) -> Iterator[int]:
    """For each offset the innermost span around it, -1 for none; both in ascending order."""
    changes = _changes(spans)
    span, (next_change, next_span) = -1, next(changes)
    for offset in offsets:
        while next_change <= offset:
            span = next_span
            next_change, next_span = next(changes)
        yield span


def _changes(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(offset, innermost span from there on, -1 for none); after the last one comes an offset that no text has."""
    open_spans = [(_NO_OFFSET, -1)]
    for position, (start, end) in enumerate(spans):
        while open_spans[-1][0] <= start:
            closed, _ = open_spans.pop()
            yield closed, open_spans[-1][1]
        open_spans.append((end, position))
        yield start, position
    while len(open_spans) > 1:
        closed, _ = open_spans.pop()
        yield closed, open_spans[-1][1]
    yield _NO_OFFSET, -1


_NO_OFFSET = 1 << 62

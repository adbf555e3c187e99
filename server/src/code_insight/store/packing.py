"""Facts → what is written of them. Workers pack, so that little has to be sent, and one process can write for many."""

from __future__ import annotations

import json
import zlib
from array import array
from collections import defaultdict
from typing import Any, NamedTuple

from code_insight.model import Evidence, Facts, FileRole, Occurrence
from code_insight.store.schema import REFERENCE_KINDS

_KIND_NUMBERS = {kind: number for number, kind in enumerate(REFERENCE_KINDS)}


class PackedFacts(NamedTuple):
    """The facts of one blob as rows; a name stands in them as its position in `names`."""

    names: tuple[str, ...]  # of all symbols and references, each once
    symbols: tuple[tuple[Any, ...], ...]  # by position; the columns of the table behind `blob` and `position`
    derived: tuple[tuple[int, int], ...]  # name of a base, position of a symbol that names it
    occurrences: tuple[tuple[int, int, bytes], ...]  # name, bits of its kinds, its places
    imports: tuple[tuple[int, str, str, str], ...]  # line, module, name, alias
    evidence: bytes  # compressed; empty when there is none
    error_lines: str


def pack(facts: Facts) -> PackedFacts:
    """The rows of a blob."""
    names: dict[str, int] = {}
    symbols = tuple(
        (
            fact.parent,
            names.setdefault(fact.name, len(names)),
            str(fact.kind),
            fact.container,
            *fact[4:10],
            "\n".join(fact.bases),
        )
        for fact in facts.symbols
    )
    derived = {
        (names.setdefault(last_name(base), len(names)), position)
        for position, fact in enumerate(facts.symbols)
        for base in fact.bases
    }
    places, receivers = _places(facts)
    occurrences = tuple(
        (names.setdefault(name, len(names)), _bits(numbers), _packed(numbers)) for name, numbers in places.items()
    )
    imports = tuple((fact.line, fact.module, fact.name, fact.alias) for fact in facts.imports)
    lines = json.dumps(facts.error_lines)
    evidence = _pack_evidence(facts, *receivers)
    return PackedFacts(tuple(names), symbols, tuple(sorted(derived)), occurrences, imports, evidence, lines)


def last_name(base: str) -> str:
    """The last part of a dotted or scoped name: "Model" of "models.Model" and of "app::Model"."""
    return base.replace("::", ".").replace("\\", ".").rpartition(".")[2]


class _Receivers(NamedTuple):
    """What names are attributes of."""

    names: dict[str, int]  # what they are attributes of → its position
    places: list[int]  # line, column, position of the receiver; again and again, in document order


def _places(facts: Facts) -> tuple[dict[str, list[int]], _Receivers]:
    """Name → line, column with kind, symbol, again and again, in document order; and the receivers, in one pass."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    receivers: dict[str, int] = {}
    attributes: list[int] = []
    numbers = _KIND_NUMBERS
    for name, kind, line, column, symbol, receiver in facts.references:
        places[name] += (line, column << 3 | numbers[kind], symbol + 1)
        if receiver:
            attributes += (line, column, receivers.setdefault(receiver, len(receivers)))
    return places, _Receivers(receivers, attributes)


def _bits(numbers: list[int]) -> int:
    bits = 0
    for both in numbers[1::3]:
        bits |= 1 << (both & 7)
    return bits


def _packed(numbers: list[int]) -> bytes:
    """Two bytes for each number where that is enough, else four; the first byte says which."""
    try:
        return b"H" + array("H", numbers).tobytes()
    except OverflowError:
        return b"I" + array("I", numbers).tobytes()


def _unpacked(data: bytes) -> zip[tuple[int, int, int]]:
    numbers = _numbers(data)
    return zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)


def _numbers(data: bytes) -> array[int]:
    return array(chr(data[0]), data[1:])


def places(path: str, role: FileRole, blob: int, name: str, packed: bytes) -> list[Occurrence]:
    """The occurrences of a name in a blob, in document order."""
    return [
        Occurrence(path, role, blob, name, REFERENCE_KINDS[both & 7], line, both >> 3, symbol - 1)
        for line, both, symbol in _unpacked(packed)
    ]


def _pack_evidence(facts: Facts, receivers: dict[str, int], numbers: list[int]) -> bytes:
    """What the names of a blob mean, compressed; empty when nothing says it."""
    if not facts.bindings and not numbers:
        return b""
    bindings = [binding if binding.line else binding[:4] for binding in facts.bindings]
    words = json.dumps((bindings, list(receivers)), separators=(",", ":")).encode()
    return zlib.compress(len(words).to_bytes(4, "little") + words + _packed(numbers), 1)


def unpack_evidence(data: bytes) -> Evidence:
    """The same as it came out of the text."""
    raw = zlib.decompress(data)
    end = 4 + int.from_bytes(raw[:4], "little")
    bindings, receivers = json.loads(raw[4:end])
    numbers = _numbers(raw[end:])
    found = dict(
        zip(zip(numbers[::3], numbers[1::3], strict=True), map(receivers.__getitem__, numbers[2::3]), strict=True)
    )
    return Evidence(bindings, found)

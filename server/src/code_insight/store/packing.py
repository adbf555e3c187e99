"""Facts → what is written of them. Workers pack, so that little has to be sent, and one process can write for many."""

from __future__ import annotations

import json
import zlib
from array import array
from typing import Any, NamedTuple

from code_insight.model import Facts, FileRole, Occurrence
from code_insight.store.schema import REFERENCE_KINDS

_KIND_NUMBERS = {kind: number for number, kind in enumerate(REFERENCE_KINDS)}
_SMALL = 1 << 16


class PackedFacts(NamedTuple):
    """The facts of one blob as rows; a name stands in them as its position in `names`."""

    names: tuple[str, ...]  # of all symbols and references, each once
    symbols: tuple[tuple[Any, ...], ...]  # by position; the columns of the table behind `blob` and `position`
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
            fact.kind.value,
            fact.container,
            *fact[4:10],
            "\n".join(fact.bases),
        )
        for fact in facts.symbols
    )
    places: dict[str, list[int]] = {}
    kinds: dict[str, int] = {}
    for name, kind, line, column, symbol, _ in facts.references:
        number = _KIND_NUMBERS[kind]
        if name in places:
            places[name] += (line, column << 3 | number, symbol + 1)
            kinds[name] |= 1 << number
        else:
            places[name] = [line, column << 3 | number, symbol + 1]
            kinds[name] = 1 << number
    occurrences = tuple(
        (names.setdefault(name, len(names)), kinds[name], _packed(numbers)) for name, numbers in places.items()
    )
    imports = tuple((fact.line, fact.module, fact.name, fact.alias) for fact in facts.imports)
    return PackedFacts(tuple(names), symbols, occurrences, imports, _evidence(facts), json.dumps(facts.error_lines))


def _packed(numbers: list[int]) -> bytes:
    """Two bytes for each number where that is enough, else four; the first byte says which."""
    code = "H" if max(numbers) < _SMALL else "I"
    return code.encode() + array(code, numbers).tobytes()


def places(path: str, role: FileRole, blob: int, name: str, packed: bytes) -> list[Occurrence]:
    """The occurrences of a name in a blob, in the order in which they were found."""
    numbers: array[int] = array(chr(packed[0]), packed[1:])
    found = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return [
        Occurrence(path, role, blob, name, REFERENCE_KINDS[both & 7], line, both >> 3, symbol - 1)
        for line, both, symbol in found
    ]


def _evidence(facts: Facts) -> bytes:
    receivers = [(fact.line, fact.column, fact.receiver) for fact in facts.references if fact.receiver]
    if not facts.bindings and not receivers:
        return b""
    bindings = [binding if binding.line else binding[:4] for binding in facts.bindings]
    return zlib.compress(json.dumps((bindings, receivers), separators=(",", ":")).encode(), 3)

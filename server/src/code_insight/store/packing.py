"""Facts → what is written of them. Workers pack, so that little has to be sent, and one process can write for many."""

from __future__ import annotations

import json
from array import array
from itertools import repeat
from typing import Any, NamedTuple

from code_insight.model import REFERENCE_KINDS, Evidence, Facts, FileRole, Occurrence
from code_insight.store.compression import compressed, decompressed

_WITH_RECEIVERS = b"+"  # before the places of a name that is an attribute of something


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
    occurrences = tuple(
        (names.setdefault(name, len(names)), _bits(numbers), _packed_places(numbers))
        for name, numbers in facts.references.places.items()
    )
    imports = tuple((fact.line, fact.module, fact.name, fact.alias) for fact in facts.imports)
    lines = json.dumps(facts.error_lines)
    evidence = _pack_evidence(facts)
    return PackedFacts(tuple(names), symbols, tuple(sorted(derived)), occurrences, imports, evidence, lines)


def last_name(base: str) -> str:
    """The last part of a dotted or scoped name: "Model" of "models.Model" and of "app::Model"."""
    return base.replace("::", ".").replace("\\", ".").rpartition(".")[2]


def _bits(numbers: list[int]) -> int:
    bits = 0
    for both in numbers[1::4]:
        bits |= 1 << (both & 7)
    return bits


def _packed_places(numbers: list[int]) -> bytes:
    """Without the receivers where a name has none: most have none at all, or one in each place."""
    if any(numbers[3::4]):
        return _WITH_RECEIVERS + packed_numbers(numbers)
    kept = numbers[:]
    del kept[3::4]
    return packed_numbers(kept)


def packed_numbers(numbers: list[int]) -> bytes:
    """Two bytes for each number where that is enough, else four; the first byte says which."""
    try:
        return b"H" + array("H", numbers).tobytes()
    except OverflowError:
        return b"I" + array("I", numbers).tobytes()


def unpacked_numbers(data: bytes) -> array[int]:
    """The numbers that were packed."""
    return array(chr(data[0]), data[1:])


def places(path: str, role: FileRole, blob: int, name: str, packed: bytes) -> list[Occurrence]:
    """The occurrences of a name in a blob, in document order."""
    has_receivers = packed.startswith(_WITH_RECEIVERS)
    numbers = unpacked_numbers(packed[1:] if has_receivers else packed)
    step = 4 if has_receivers else 3
    receivers = numbers[3::4] if has_receivers else repeat(0)
    each = zip(numbers[::step], numbers[1::step], numbers[2::step], receivers, strict=False)
    return [
        Occurrence(path, role, blob, name, REFERENCE_KINDS[both & 7], line, both >> 3, symbol - 1, receiver)
        for line, both, symbol, receiver in each
    ]


def _pack_evidence(facts: Facts) -> bytes:
    """What the names of a blob mean, compressed; empty when nothing says it."""
    bindings, receivers = facts.bindings, facts.references.receivers
    if not bindings and len(receivers) == 1:
        return b""
    texts = [binding.name for binding in bindings], [binding.value for binding in bindings], list(receivers)
    words = json.dumps(texts, separators=(",", ":")).encode()
    numbers = [binding.symbol + 1 << 1 | binding.is_type for binding in bindings]
    if any(binding.line for binding in bindings):
        numbers += [number for binding in bindings for number in (binding.line, binding.until)]
    return compressed(len(words).to_bytes(4, "little") + words + packed_numbers(numbers))


def unpack_evidence(data: bytes) -> Evidence:
    """The same as it came out of the text."""
    raw = decompressed(data)
    end = 4 + int.from_bytes(raw[:4], "little")
    names, values, receivers = json.loads(raw[4:end])
    numbers, count = unpacked_numbers(raw[end:]), len(names)
    return Evidence(names, values, numbers[:count], numbers[count::2], numbers[count + 1 :: 2], receivers)

"""Reads what BuildKit tells while it builds: a stream of small protocol buffers, one per change of a step.

The Docker SDK knows the older builder only. The engine's own /build speaks BuildKit when asked for version 2, and
reports in messages of type moby.buildkit.v1.StatusResponse (moby/buildkit, api/services/control/control.proto), of
which a few fields are needed here. That is not worth a dependency on a compiler of protocol buffers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

VERTEXES, LOGS = 1, 3
VERTEX_DIGEST, VERTEX_NAME, VERTEX_CACHED, VERTEX_STARTED, VERTEX_COMPLETED, VERTEX_ERROR = 1, 3, 4, 5, 6, 7
LOG_VERTEX, LOG_TEXT = 1, 4
TIME_SECONDS, TIME_NANOSECONDS = 1, 2
VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5
INTERNAL = re.compile(r"^\[internal\]|^(exporting|writing|naming|load)")
LAST_LINES = 30


@dataclass
class BuildLog:
    """The steps of one build: names, which have been told, and the last lines that each of them printed."""

    told: set[str] = field(default_factory=set)
    printed: dict[str, list[str]] = field(default_factory=dict)
    failure: str = ""

    def read(self, message: bytes) -> Iterator[str]:
        """A line for people for each step that has ended with this message."""
        for number, value in fields(message):
            if number == LOGS:
                self._keep(dict(fields(value)))
            elif number == VERTEXES:
                yield from self._tell(dict(fields(value)))

    def _keep(self, log: dict[int, bytes]) -> None:
        lines = self.printed.setdefault(text(log, LOG_VERTEX), [])
        lines += text(log, LOG_TEXT).splitlines()
        del lines[:-LAST_LINES]

    def _tell(self, vertex: dict[int, bytes]) -> Iterator[str]:
        step, name = text(vertex, VERTEX_DIGEST), " ".join(text(vertex, VERTEX_NAME).split())
        if error := text(vertex, VERTEX_ERROR):
            self.failure = "\n".join([name, *self.printed.get(step, []), error])
        if VERTEX_COMPLETED not in vertex or step in self.told or INTERNAL.match(name):
            return
        self.told.add(step)
        yield f"{'cached' if VERTEX_CACHED in vertex else f'{duration(vertex):5.1f} s'}  {name}"


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each field of a protocol buffer; a number as its bytes, low byte first."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = varint(message, position)
            yield number, value.to_bytes(8, "little")
            continue
        if kind == LENGTH_DELIMITED:
            size, position = varint(message, position)
        else:
            size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}[kind]
        yield number, message[position : position + size]
        position += size


def varint(message: bytes, position: int) -> tuple[int, int]:
    """The number that begins at `position`, and the position after it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position


def text(message: dict[int, bytes], number: int) -> str:
    """A field as text; empty when it is not there."""
    return message.get(number, b"").decode("utf-8", "replace")


def duration(vertex: dict[int, bytes]) -> float:
    """Seconds from the start of a step to its end."""
    return moment(vertex.get(VERTEX_COMPLETED, b"")) - moment(vertex.get(VERTEX_STARTED, b""))


def moment(timestamp: bytes) -> float:
    """A Timestamp in seconds."""
    parts = {number: int.from_bytes(value, "little") for number, value in fields(timestamp)}
    return parts.get(TIME_SECONDS, 0) + parts.get(TIME_NANOSECONDS, 0) / 1e9

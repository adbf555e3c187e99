"""Reads a SCIP index: what a type checker says each name in a repository means.

SCIP is Sourcegraph's format (https://github.com/sourcegraph/scip/blob/main/scip.proto); only the fields used here are
declared. Made by `scip-python index` (pyright) and `scip-typescript index` (tsc). `read_table` reads what gomeanings
and javameanings print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_DEFINITION = 1  # SymbolRole.Definition
_FIELDS = {
    "Index": {"documents": (2, "Document", True)},
    "Document": {"relative_path": (1, "string", False), "occurrences": (2, "Occurrence", True)},
    "Occurrence": {"range": (1, "int32", True), "symbol": (2, "string", False), "symbol_roles": (3, "int32", False)},
}
_TYPES = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
}

Place = tuple[str, int, int]  # path, line from 1, column from 0


@dataclass(frozen=True, slots=True)
class Scip:
    """What names mean."""

    definitions: dict[str, Place]  # symbol → where it is defined in the repository
    paths: frozenset[str]  # of the files that were looked at
    meanings: dict[Place, str]  # where a name stands → its symbol, whether or not that is in the repository


def read(path: Path, below: str = "") -> Scip:
    """The occurrences of a SCIP index; local symbols are kept apart by their document.

    `below` is the folder of the repository that was indexed, where that was not its top.
    """
    index = _index_class()()
    index.ParseFromString(path.read_bytes())
    definitions: dict[str, Place] = {}
    meanings: dict[Place, str] = {}
    for document in index.documents:
        path_of = f"{below}/{document.relative_path}".lstrip("/")
        for occurrence in document.occurrences:
            name = occurrence.symbol
            if not name:
                continue
            symbol = f"{path_of} {name}" if name.startswith("local ") else _plain(name)
            place = (path_of, occurrence.range[0] + 1, occurrence.range[1])
            meanings.setdefault(place, symbol)
            if occurrence.symbol_roles & _DEFINITION:
                definitions.setdefault(symbol, place)
    return Scip(definitions, frozenset(path for path, _, _ in meanings), meanings)


def read_table(path: Path) -> Scip:
    """The same from lines of: place of a use, place of its definition; each is path, line and column, between tabs."""
    definitions: dict[str, Place] = {}
    meanings: dict[Place, str] = {}
    for row in (line.split("\t") for line in path.read_text("utf-8").splitlines()):
        symbol = " ".join(row[3:])
        meanings[row[0], int(row[1]), int(row[2])] = symbol
        if row[3]:
            definitions[symbol] = row[3], int(row[4]), int(row[5])
    return Scip(definitions, frozenset(path for path, _, _ in meanings), meanings)


def _plain(symbol: str) -> str:
    """The descriptors of a symbol alone: an installed copy of the package gives the same thing another version."""
    parts = symbol.split(" ", 4)
    return re.sub(r"^`?src[./]", lambda match: match[0].replace("src.", "").replace("src/", ""), parts[-1])


def _index_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="scip.proto", package="scip", syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
            added = message.field.add(name=field, number=number, label=label)
            added.type = _TYPES.get(kind, descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE)
            if kind not in _TYPES:
                added.type_name = f".scip.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("scip.Index"))

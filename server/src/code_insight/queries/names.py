"""Which names in a file lead somewhere, and where."""

from __future__ import annotations

from code_insight.errors import NotFound
from code_insight.model import Occurrence, Symbol, family_of
from code_insight.queries.files import unknown_path
from code_insight.queries.resolving import Defined, Resolver, knows
from code_insight.queries.symbols import rank
from code_insight.store import IndexedCommit, Reader


def names_that_lead(reader: Reader, blob: int) -> list[Occurrence]:
    """The uses, in one blob, of names that are defined somewhere in the commit; by line and column."""
    defined = reader.names_defined(blob)
    return [use for use in reader.occurrences_in(blob) if use.name in defined]


def meant_at(indexed: IndexedCommit, path: str, line: int, column: int) -> Symbol:
    """The symbol that the name at a place means: by evidence where there is any, else the best one of the name.

    Raises NotFound when no name is used there, or nothing here defines it.
    """
    with Reader(indexed) as reader:
        if (file := reader.file(path)) is None:
            raise unknown_path(reader, path)
        here = (use for use in reader.occurrences_in(file.blob) if (use.line, use.column) == (line, column))
        if (use := next(here, None)) is None:
            raise NotFound(f"No name is used at line {line}, column {column} of {file.path}.", "Ask for the file.")
        if knows(file.language):
            meaning = Resolver(reader).meaning(use._replace(path=file.path, role=file.role))
            if isinstance(meaning, Defined):
                return meaning.symbol
        named = reader.symbols_named(use.name)
        if not named:
            raise NotFound(f"Nothing here defines {use.name}.", "Search for it.")
        return min(named, key=lambda s: (family_of(s.language) != family_of(file.language), s.path != path, rank(s)))

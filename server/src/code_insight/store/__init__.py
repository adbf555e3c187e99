"""SQLite: what an index file holds, written by one, read by many. SQL lives here and nowhere else."""

from code_insight.store.connections import close_idle
from code_insight.store.packing import PackedFacts, last_name, pack
from code_insight.store.past import Lineage, Past, PastChange, PastEntry, short
from code_insight.store.reading import IndexedCommit, Reader, commits
from code_insight.store.schema import FORMAT_VERSION, is_damaged, set_aside
from code_insight.store.seals import check
from code_insight.store.survey import Survey
from code_insight.store.vocabulary import Piece
from code_insight.store.writing import Base, NewBlob, NewFile, Writer

__all__ = [
    "FORMAT_VERSION",
    "Base",
    "IndexedCommit",
    "Lineage",
    "NewBlob",
    "NewFile",
    "PackedFacts",
    "Past",
    "PastChange",
    "PastEntry",
    "Piece",
    "Reader",
    "Survey",
    "Writer",
    "check",
    "close_idle",
    "commits",
    "is_damaged",
    "last_name",
    "pack",
    "set_aside",
    "short",
]

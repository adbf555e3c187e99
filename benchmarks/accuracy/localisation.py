"""How well `context` finds the files that a commit changed, when the commit's message is all that it is told.

    python benchmarks/accuracy/localisation.py REPOSITORY... [--commits 150] [--subject] [--data FOLDER]

A question is the message of a commit (--subject: its first line), the answer the files of source that the commit
changed, the index that of the commit's parent. Asked are the newest commits that are no merges and changed one to
three files of source that were there before. The rank is that of the first right one among files of source. Beside
it, in the same run, plain BM25 over whole files (SQLite's FTS5, porter, paths counting three times) asked the same way.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from code_insight.catalog import Catalog, CatalogLimits
from code_insight.clone_url import ClonePolicy
from code_insight.languages import LANGUAGES
from code_insight.model import FileRole, SourceFile
from code_insight.queries import context
from code_insight.store import IndexedCommit, Reader
from rich.console import Console
from rich.table import Table

_CODE = frozenset(language.name for language in LANGUAGES if language.has_symbols and not language.headings)
_MOST_CHANGED = 3
_ALL_COMMITS = 1_000_000  # of those that are indexed, none is forgotten while others are


@dataclass(frozen=True, slots=True)
class Question:
    """One commit."""

    oid: str
    parent: str
    message: str
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    """Where the first right file stood, from 1; 0 for nowhere."""

    oid: str
    subject: str
    ours: int
    plain: int
    cpu_seconds: float  # that our ranking took


def questions(repository: Path) -> Iterator[Question]:
    """The commits of a repository, the newest first, that are no merges and say what they do."""
    command = ["git", "-C", str(repository), "-c", "core.quotePath=false", "log", "--no-merges", "--name-only"]
    text = subprocess.run(
        [*command, "--no-renames", "--format=%x1e%H%x1f%P%x1f%B%x1f"], capture_output=True, check=True
    ).stdout.decode("utf-8", "replace")
    for record in text.split("\x1e")[1:]:
        oid, parent, message, names = record.split("\x1f")
        if parent and message.strip() not in ("", "(no description)"):
            yield Question(oid, parent.split()[0], message.strip(), frozenset(names.split("\n")) - {""})


def is_code(file: SourceFile) -> bool:
    """Whether a file can be an answer."""
    return bool(file.blob) and file.role is FileRole.SOURCE and file.language in _CODE


def rank(found: Sequence[str], wanted: frozenset[str]) -> int:
    """From 1; 0 for nowhere."""
    return next((place for place, path in enumerate(found, start=1) if path in wanted), 0)


class Plain:
    """BM25 over whole files, kept up to date from one commit to the next."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute("CREATE VIRTUAL TABLE text USING fts5(path, body, tokenize = 'porter unicode61')")
        self._rows: dict[tuple[str, int], int] = {}

    def ask(self, reader: Reader, files: list[SourceFile], message: str) -> list[str]:
        """The paths of these files that have words of the message, best first."""
        here = {(file.path, file.blob) for file in files}
        for gone in self._rows.keys() - here:
            self._db.execute("DELETE FROM text WHERE rowid = ?", (self._rows.pop(gone),))
        for path, blob in sorted(here - self._rows.keys()):
            cursor = self._db.execute("INSERT INTO text VALUES (?, ?)", (path, reader.text(blob)))
            self._rows[path, blob] = cursor.lastrowid or 0
        words = sorted(set(re.findall(r"[^\W_]{2,}", message.lower())))
        match = " OR ".join(f'"{word}"' for word in words)
        query = "SELECT path FROM text WHERE text MATCH ? ORDER BY bm25(text, 3.0, 1.0), path"
        return [row[0] for row in self._db.execute(query, (match,))] if match else []


def results(repository: Path, most: int, *, subject_only: bool, data: Path) -> Iterator[Result]:
    """Each question that has an answer, the oldest first."""
    limits = CatalogLimits(ClonePolicy(()), (repository.resolve(),), total_bytes=1 << 30, commits=_ALL_COMMITS)
    catalog, plain = Catalog(data, limits), Plain()
    for question, indexed in reversed(list(_indexed(catalog, repository, most))):
        message = question.message.partition("\n")[0] if subject_only else question.message
        with Reader(indexed) as reader:
            files = [file for file in reader.files() if is_code(file)]
            simple = plain.ask(reader, files, message)
        paths = {file.path for file in files}
        began = time.process_time()
        ours = [path for path in context.ranked_paths(indexed, message) if path in paths]
        seconds = time.process_time() - began
        wanted = question.changed & paths
        yield Result(
            question.oid, question.message.partition("\n")[0], rank(ours, wanted), rank(simple, wanted), seconds
        )


def _indexed(catalog: Catalog, repository: Path, most: int) -> Iterator[tuple[Question, IndexedCommit]]:
    """The newest questions with an answer, each with the commit before it, indexed with its history."""
    count = 0
    for question in questions(repository):
        indexed = catalog.add(str(repository.resolve()), question.parent).indexed
        for _ in catalog.deepen(indexed):
            pass
        with Reader(indexed) as reader:
            answers = sum(is_code(file) for path in question.changed if (file := reader.file(path)))
        if 1 <= answers <= _MOST_CHANGED:
            count += 1
            yield question, indexed
        if count == most:
            return


def row(name: str, ranks: list[int]) -> list[str]:
    """Name, MRR, and the share of questions of which a right file is the first, or among the first 5 or 10."""
    count = max(1, len(ranks))
    within = [sum(0 < one <= most for one in ranks) / count for most in (1, 5, 10)]
    mrr = sum(1 / one for one in ranks if one) / count
    return [name, *(f"{figure:.3f}" for figure in (mrr, *within))]


def main() -> None:
    """Print a table for each repository, and one over all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--commits", type=int, default=150, help="at most, of each repository")
    parser.add_argument("--subject", action="store_true", help="ask with the first line of the message only")
    parser.add_argument("--data", type=Path, help="where indexes are kept for the next run")
    parser.add_argument("--each", action="store_true", help="print each question with its two ranks")
    options = parser.parse_args()
    everything: list[Result] = []
    console = Console(width=110)
    for repository in options.repositories:
        with contextlib.ExitStack() as stack:
            data = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found = list(results(repository, options.commits, subject_only=options.subject, data=data))
        if options.each:
            for one in found:
                console.print(f"{one.ours:>4} {one.plain:>4}  {one.oid[:10]} {one.subject[:80]}", markup=False)
        everything += found
        console.print(table(repository.resolve().name, found))
    if len(options.repositories) > 1:
        console.print(table("all", everything))


def table(name: str, found: list[Result]) -> Table:
    """The figures of some questions."""
    took = sorted(one.cpu_seconds for one in found)
    median = 1000 * took[len(took) // 2] if took else 0
    made = Table(title=f"{name}: {len(found)} commits; ours takes {median:.0f} ms of CPU (median)")
    for column in ("way", "MRR", "hit@1", "hit@5", "hit@10"):
        made.add_column(column, justify="left" if column == "way" else "right")
    made.add_row(*row("context", [one.ours for one in found]))
    made.add_row(*row("plain BM25", [one.plain for one in found]))
    return made


if __name__ == "__main__":
    main()

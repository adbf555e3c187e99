"""What a survey of a commit found: which symbols matter most, and where it starts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Survey:
    """What takes longer than an answer may: worked out once for a commit."""

    central: tuple[tuple[int, int, int], ...]  # (blob, position, number of files that use it), best first
    entries: tuple[tuple[str, str, str], ...]  # (what, name, target) of routes and commands


def keep(db: sqlite3.Connection, oid: str, found: Survey) -> None:
    """The survey is that of the commit, if it is still in the index."""
    row = db.execute("SELECT commit_ FROM commit_ WHERE oid = ?", (oid,)).fetchone()
    if row:
        _replace(db, row[0], found)
        db.execute("UPDATE commit_ SET is_surveyed = 1 WHERE commit_ = ?", row)


def _replace(db: sqlite3.Connection, commit: int, found: Survey) -> None:
    for table in ("central", "entry"):
        db.execute(f"DELETE FROM {table} WHERE commit_ = ?", (commit,))  # noqa: S608
    central = ((commit, place, *row) for place, row in enumerate(found.central))
    db.executemany("INSERT INTO central VALUES (?, ?, ?, ?, ?)", central)
    entries = ((commit, place, *row) for place, row in enumerate(found.entries))
    db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", entries)


def carry_over(db: sqlite3.Connection, commit: int) -> None:
    """A commit without a survey has that of the last one that was surveyed, as far as it has the same symbols.

    If that is gone, the last that took it over hands it on.
    """
    query = (
        "SELECT commit_ FROM commit_ WHERE commit_ <> ?1"
        " AND (is_surveyed OR commit_ IN (SELECT commit_ FROM central) OR commit_ IN (SELECT commit_ FROM entry))"
        " ORDER BY is_surveyed DESC, indexed_at DESC, 1 DESC"
    )
    older = db.execute(query, (commit,)).fetchone()
    if older is None:
        return
    central = db.execute(
        "SELECT now.blob, now.position, users FROM central JOIN symbol USING (blob, position)"
        " JOIN file AS before ON before.blob = central.blob AND +before.commit_ = central.commit_"
        " JOIN file ON file.commit_ = ? AND file.path = before.path"
        " JOIN symbol AS now ON now.blob = file.blob AND now.name = symbol.name AND now.container = symbol.container"
        " WHERE central.commit_ = ? GROUP BY place ORDER BY place",
        (commit, older[0]),
    ).fetchall()
    entries = db.execute("SELECT what, name, target FROM entry WHERE commit_ = ? ORDER BY place", older).fetchall()
    _replace(db, commit, Survey(tuple(central), tuple(entries)))

"""What is held is bounded on disk, and what is used stays."""

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from code_insight import keeping
from code_insight.catalog import Catalog
from code_insight.errors import NotFound
from code_insight.git import Call
from code_insight.queries import files
from code_insight.store import Reader, seals

from tests.server.places import Repository, catalog_at

DAY = 86_400.0


def _text(seed: int) -> str:
    """A text that does not get much smaller."""
    return "\n".join(f"{seed:x}{(n * 2_654_435_761 + seed) % 2**32:08x}" for n in range(20_000))


def _add(catalog: Catalog, folder: Path) -> str:
    Repository(folder).commit({"a.txt": _text(sum(folder.name.encode()))})
    return catalog.add(str(folder)).indexed.repository.name


def _asked(catalog: Catalog, name: str, days_ago: float) -> None:
    """The repository was asked about last so many days ago."""
    indexed = catalog.find(name)
    _asked_at(indexed.index.parent / "used" / indexed.commit.oid, days_ago)


def _asked_at(mark: Path, days_ago: float) -> None:
    when = time.time() - days_ago * DAY
    os.utime(mark, (when, when))


def _names(catalog: Catalog) -> list[str]:
    return [held.name for held in catalog.repositories()]


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    """Three repositories of one size, asked about 2, 3 and 1 days ago."""
    catalog = catalog_at(tmp_path)
    names = [_add(catalog, tmp_path / name) for name in ("one", "two", "six")]
    for name, days in zip(names, (2, 3, 1), strict=True):
        _asked(catalog, name, days)
    return names


def _bytes_of(catalog: Catalog) -> int:
    return sum(path.stat().st_size for path in (catalog.folder / "repositories").rglob("*") if path.is_file())


def test_the_least_recently_used_goes_first(tmp_path: Path, three: list[str]) -> None:
    most = _bytes_of(catalog_at(tmp_path)) + 1_000
    catalog = catalog_at(tmp_path, store_bytes=most)
    _add(catalog, tmp_path / "new")
    assert _names(catalog) == ["local/new", "local/one", "local/six"]
    assert _bytes_of(catalog) <= most
    assert not (catalog.folder / "gone" / "local%2Ftwo").exists()
    with pytest.raises(NotFound, match="No repository"):
        catalog.find("two")


def test_a_question_is_a_use(tmp_path: Path, three: list[str]) -> None:
    catalog = catalog_at(tmp_path, store_bytes=_bytes_of(catalog_at(tmp_path)) + 1_000)
    catalog.find("two")
    _add(catalog, tmp_path / "new")
    assert _names(catalog) == ["local/new", "local/six", "local/two"]


def test_a_use_that_is_to_come_is_none_because_the_clock_was_set_back(tmp_path: Path, three: list[str]) -> None:
    catalog = catalog_at(tmp_path)
    for name in three:
        _asked(catalog, name, days_ago=-2)
    for name in three[1:]:
        catalog.find(name)
    limited = catalog_at(tmp_path, store_bytes=_bytes_of(catalog) + 1_000)
    _add(limited, tmp_path / "new")
    assert _names(limited) == ["local/new", "local/six", "local/two"]


def test_of_the_commits_seen_before_the_clock_was_set_back_none_is_the_last_asked_for(tmp_path: Path) -> None:
    catalog, made = catalog_at(tmp_path, commits=2), Repository(tmp_path / "tool")
    oids = []
    for number in range(3):
        oids.append(made.commit({"a.txt": f"{number}\n"}))
        made.git("tag", f"v{number}")
        index = catalog.add(str(made.folder), f"v{number}").indexed.index
        if number == 0:
            seals.unseal(index)
            with contextlib.closing(sqlite3.connect(index)) as db, db:
                db.execute("UPDATE ref SET checked_at = checked_at + 172800")
                db.execute("UPDATE commit_ SET indexed_at = indexed_at + 172800")
        assert catalog.find("tool").commit.oid == oids[-1]
    with pytest.raises(NotFound, match="No commit"):
        catalog.find(f"tool@{oids[0]}")


def test_configured_ones_go_last(tmp_path: Path, three: list[str]) -> None:
    configured = (str(tmp_path / "two"), str(tmp_path / "one"))
    catalog = catalog_at(tmp_path, store_bytes=1 << 20, configured=configured)
    most = _bytes_of(catalog) + 1_000
    catalog = catalog_at(tmp_path, store_bytes=most, configured=configured)
    _add(catalog, tmp_path / "new")
    assert _names(catalog) == ["local/new", "local/one", "local/two"]


def test_what_is_being_added_never_goes_however_large(tmp_path: Path, three: list[str]) -> None:
    catalog = catalog_at(tmp_path, store_bytes=1)
    _add(catalog, tmp_path / "new")
    assert _names(catalog) == ["local/new"]
    assert catalog.find("new")


def test_what_somebody_indexes_never_goes(tmp_path: Path, three: list[str]) -> None:
    Repository(tmp_path / "two").commit({"b.txt": "more\n"})
    is_busy, may_end = threading.Event(), threading.Event()

    def wait(phase: str, _percent: int) -> None:
        if phase == "Indexing":
            is_busy.set()
            may_end.wait(30)

    slow = catalog_at(tmp_path)
    thread = threading.Thread(target=slow.add, args=(str(tmp_path / "two"), "", Call(progress=wait)))
    thread.start()
    try:
        assert is_busy.wait(30)
        catalog = catalog_at(tmp_path, store_bytes=1)
        _add(catalog, tmp_path / "new")
        assert _names(catalog) == ["local/new", "local/two"]
    finally:
        may_end.set()
        thread.join(30)
    assert len(files.excerpt(catalog.find("two"), "b.txt").lines) == 1


def test_who_reads_an_index_that_goes_reads_it_to_the_end(tmp_path: Path, three: list[str]) -> None:
    catalog = catalog_at(tmp_path)
    indexed = catalog.find("two")
    with Reader(indexed) as reader:
        _asked(catalog, "two", 3)
        assert "local%2Ftwo" in list(keeping.make_room(catalog.folder, 1, Path(), ()))
        assert len(reader.text(reader.files()[0].blob)) == len(_text(sum(b"two")))
    assert catalog.repositories() == []


def test_one_that_went_can_be_added_again(tmp_path: Path, three: list[str]) -> None:
    _add(catalog_at(tmp_path, store_bytes=1), tmp_path / "new")
    assert not catalog_at(tmp_path).add(str(tmp_path / "two")).was_known


def test_of_the_commits_of_a_repository_those_used_last_stay(tmp_path: Path) -> None:
    made = Repository(tmp_path / "tool")
    catalog = catalog_at(tmp_path, commits=3)
    oids = []
    for number in range(3):
        oids.append(made.commit({"a.txt": f"{number}\n"}))
        catalog.add(str(made.folder))
    marks = catalog.find("tool").index.parent / "used"
    for oid in oids:
        _asked_at(marks / oid, days_ago=-30 / DAY if oid == oids[0] else 1)  # the first is in use
    newest = made.commit({"a.txt": "new\n"})
    catalog.add(str(made.folder))
    assert catalog.find(f"tool@{oids[0]}").commit.oid == oids[0]
    assert catalog.find("tool").commit.oid == newest
    with pytest.raises(NotFound, match="No commit"):
        catalog.find(f"tool@{oids[1]}")
    assert {mark.name for mark in marks.iterdir()} == {oids[0], oids[2], newest}


def test_a_reader_never_waits_for_a_writer(catalog: Catalog, repository: Repository) -> None:
    indexed = catalog.add(str(repository.folder)).indexed
    before = files.excerpt(indexed, "README.md").lines
    writer = sqlite3.connect(indexed.index, isolation_level=None)
    try:
        writer.execute("BEGIN EXCLUSIVE")
        for _ in range(50):  # far more than fits into the writer's memory
            writer.execute("INSERT INTO meta SELECT hex(randomblob(16)), hex(randomblob(100000))")
        writer.execute("DELETE FROM file")
        began = time.monotonic()
        for _ in range(20):
            assert files.excerpt(catalog.find("flask"), "README.md").lines == before
        waited = time.monotonic() - began
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert waited < 5, "SQLite's own patience with a lock, for each of the answers"

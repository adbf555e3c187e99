"""From a commit to an index that is whole: each blob once, nothing lost in silence, nothing half-done visible."""

import asyncio
import contextlib
import errno
import itertools
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from code_insight import parsing, store
from code_insight.catalog import Catalog
from code_insight.errors import (
    Cancelled,
    IndexDamaged,
    InsightError,
    NotFound,
    RepositoryEmpty,
    RepositoryTooLarge,
    StorageFailed,
)
from code_insight.git import Call
from code_insight.indexing import is_safe_path
from code_insight.model import FileRole, SkipReason
from code_insight.store import IndexedCommit, Reader
from fastmcp import Client

from tests.places import HOUSE
from tests.server.faults import Faults, Kind
from tests.server.git_server import GitHost
from tests.server.places import Repository, catalog_at
from tests.server.serving import serving

Files = dict[str, str | bytes]


def _texts(count: int, words: str = "text") -> Files:
    return {f"{number:03}.txt": f"{words} {number}\n" * 3 for number in range(count)}


def _reasons(indexed: IndexedCommit) -> dict[str, SkipReason | None]:
    with Reader(indexed) as reader:
        return {file.path: file.skip_reason for file in reader.files()}


def _read(indexed: IndexedCommit) -> dict[str, str]:
    """The text of every file that has one."""
    with Reader(indexed) as reader:
        return {file.path: reader.text(file.blob) for file in reader.files() if file.blob}


def _dump(indexed: IndexedCommit) -> list[str]:
    """All that the index holds, but for when a ref was last looked at."""
    with sqlite3.connect(indexed.index) as db:
        db.execute("UPDATE ref SET checked_at = 0")
        found = list(db.iterdump())
        db.rollback()
    db.close()
    return found


# What is skipped, and why.


def test_each_file_that_is_skipped_says_why_and_the_rest_is_indexed(catalog: Catalog, tmp_path: Path) -> None:
    odd = Repository(tmp_path / "odd")
    files = {
        b"binary.dat": b"a\0b",
        b"late.dat": b"a" * 9000 + b"\0",
        b"large.txt": b"x\n" * 600_000,
        b"latin.txt": "é".encode("latin-1"),
        b"min.js": b"x" * 30_000,
        b"model.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"strange\xff.py": b"x = 1\n",
        b"good.py": b"def good(): pass\n",
        b"bom.txt": b"\xef\xbb\xbfhello\n",
        b"empty.txt": b"",
    }
    entries = [("100644", odd.blob(content), name) for name, content in files.items()]
    entries += [("120000", odd.blob(b"/etc/passwd"), b"link.py"), ("160000", "1" * 40, b"module")]
    odd.commit_tree(*sorted(entries, key=lambda entry: entry[2]))
    indexed = catalog.add(str(odd.folder)).indexed
    assert _reasons(indexed) == {
        "binary.dat": SkipReason.BINARY,
        "late.dat": SkipReason.BINARY,
        "large.txt": SkipReason.TOO_LARGE,
        "latin.txt": SkipReason.UNDECODABLE,
        "min.js": SkipReason.MINIFIED,
        "model.bin": SkipReason.LFS_POINTER,
        "strange\ufffdff.py": SkipReason.UNSAFE_PATH,
        "link.py": SkipReason.SYMLINK,
        "module": SkipReason.SUBMODULE,
        "good.py": None,
        "bom.txt": None,
        "empty.txt": None,
    }
    assert _read(indexed) == {"good.py": "def good(): pass\n", "bom.txt": "hello\n", "empty.txt": ""}


def test_two_names_stay_two_files(catalog: Catalog, tmp_path: Path) -> None:
    odd = Repository(tmp_path / "odd")
    names = [b"a\xff", b"a\xfe", b"a\\udcff", b"a\\xff", "a\ufffd".encode(), "a\ufffdff".encode(), b"a\xed\xb3\xbf"]
    odd.commit_tree(*sorted(("100644", odd.blob(name), name) for name in names))
    indexed = catalog.add(str(odd.folder)).indexed
    assert _read(indexed) == {"a\\udcff": "a\\udcff", "a\\xff": "a\\xff"}
    skipped = {path for path, reason in _reasons(indexed).items() if reason is SkipReason.UNSAFE_PATH}
    assert len(skipped) == len(names) - 2
    assert {"a\ufffdff", "a\ufffdef\ufffdbf\ufffdbdff"} <= skipped
    with Reader(indexed) as reader:
        changed = {path for _, path in reader.past().paths_with([0])}
    assert changed == _reasons(indexed).keys()


def test_a_file_that_kills_its_parser_keeps_its_text_and_the_rest_its_symbols(
    catalog: Catalog, repository: Repository
) -> None:
    """400 lines, each deeper than the one before, overflow a buffer of tree-sitter-python 0.25.0."""
    bomb = "".join(" " * depth + '$"{\n' for depth in range(400))
    repository.commit({"bomb.py": bomb})
    indexed = catalog.add(str(repository.folder)).indexed
    reason = _reasons(indexed)["bomb.py"]
    assert reason is None or reason.text_is_indexed
    assert _read(indexed)["bomb.py"] == bomb
    with Reader(indexed) as reader:
        assert [symbol.name for symbol in reader.symbols_in("src/app.py")] == ["Flask", "route"]


@pytest.mark.parametrize(
    ("path", "is_safe"),
    [
        ("a/b.py", True),
        (" spaces and\nnewlines \x1b[31m.py", True),
        ("é/日本.py", True),
        ("...", True),
        ("a" * 1024, True),
        ("a" * 1025, False),
        ("/".join("a" * 64), True),
        ("/".join("a" * 65), False),
        ("../a", False),
        ("a/../b", False),
        ("./a", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("", False),
        ("\ufffdff", False),
    ],
)
def test_a_path_is_plain_or_not_read(path: str, is_safe: bool) -> None:
    assert is_safe_path(path) is is_safe


def test_a_symlink_that_becomes_a_file_of_the_same_content_is_indexed(catalog: Catalog, tmp_path: Path) -> None:
    changing = Repository(tmp_path / "changing")
    target = changing.blob(b"other.txt")
    changing.commit_tree(("120000", target, b"link.txt"))
    assert _read(catalog.add(str(changing.folder)).indexed) == {}
    changing.commit_tree(("100644", target, b"link.txt"))
    assert _read(catalog.add(str(changing.folder)).indexed) == {"link.txt": "other.txt"}


def test_files_have_roles(catalog: Catalog, repository: Repository) -> None:
    repository.commit({"vendor/lib.go": "package lib\n", "api_pb2.py": "# Generated by protoc. DO NOT EDIT!\n"})
    with Reader(catalog.add(str(repository.folder)).indexed) as reader:
        roles = {file.path: file.role for file in reader.files()}
    assert roles == {
        "README.md": FileRole.DOCUMENT,
        "src/app.py": FileRole.SOURCE,
        "tests/test_app.py": FileRole.TEST,
        "vendor/lib.go": FileRole.VENDORED,
        "api_pb2.py": FileRole.GENERATED,
    }


# Work that was done is not done again.


def test_a_second_add_does_nothing(catalog: Catalog, repository: Repository) -> None:
    first = catalog.add(str(repository.folder))
    before = _dump(first.indexed)
    second = catalog.add(str(repository.folder))
    assert (first.was_known, first.blobs_parsed) == (False, 3)
    assert (second.was_known, second.blobs_parsed) == (True, 0)
    assert _dump(second.indexed) == before


def test_one_changed_file_costs_one_file(catalog: Catalog, repository: Repository) -> None:
    catalog.add(str(repository.folder))
    repository.commit({"src/app.py": "class Django:\n    pass\n"})
    added = catalog.add(str(repository.folder))
    assert (added.was_known, added.blobs_parsed) == (False, 1)
    with Reader(added.indexed) as reader:
        assert [symbol.path for symbol in reader.symbols_named("Django")] == ["src/app.py"]
        assert reader.symbols_named("route") == []


def test_a_commit_that_is_made_of_the_one_before_has_the_files_that_it_has_alone(tmp_path: Path) -> None:
    moving, generator = Repository(tmp_path / "moving"), random.Random(20261125)
    blobs = [moving.blob(text) for text in (b"x = 1\n", b"\0", b"y = 2\n", b"z = 3\n" * 100, b"a\xff")]
    folders = [moving.git("mktree", stdin=f"100644 blob {blob}\tin.py\n".encode()) for blob in blobs]
    names = [b"%02d.py" % number for number in range(20)] + [b"\xe9%d" % number for number in range(3)]
    catalog = catalog_at(tmp_path, file_bytes=500)
    for number in range(12):
        entries = []
        for name in sorted(names):
            mode = generator.choice(["100644", "100644", "100755", "120000", "160000", "40000", ""])
            things = {"40000": folders, "160000": ["5" * 40]}.get(mode, blobs)
            entries += [(mode, generator.choice(things), name)] if mode else []
        moving.commit_tree(*sorted(entries, key=lambda entry: entry[2] + b"/" * (entry[0] == "40000")))
        alone = catalog_at(tmp_path / f"alone{number}", file_bytes=500, local_folders=(tmp_path,))
        assert _listed(catalog.add(str(moving.folder)).indexed) == _listed(alone.add(str(moving.folder)).indexed)


def _listed(indexed: IndexedCommit) -> list[tuple[object, ...]]:
    with Reader(indexed) as reader:
        return [
            (file.path, file.size_bytes, file.role, file.skip_reason, file.blob and reader.text(file.blob))
            for file in reader.files()
        ]


def test_a_commit_whose_files_are_all_gone_is_empty(catalog: Catalog, repository: Repository) -> None:
    before = catalog.add(str(repository.folder)).indexed
    repository.git("rm", "-q", "-r", ".")
    repository.commit()
    with pytest.raises(RepositoryEmpty):
        catalog.add(str(repository.folder))
    assert catalog.find(before.repository.name).commit == before.commit


def test_a_renamed_file_costs_nothing(catalog: Catalog, repository: Repository) -> None:
    catalog.add(str(repository.folder))
    repository.git("mv", "src/app.py", "src/application.py")
    repository.commit()
    added = catalog.add(str(repository.folder))
    assert added.blobs_parsed == 0
    with Reader(added.indexed) as reader:
        assert [symbol.path for symbol in reader.symbols_named("route")] == ["src/application.py"]


def test_a_text_at_two_paths_is_parsed_once(catalog: Catalog, tmp_path: Path) -> None:
    twice = Repository(tmp_path / "twice")
    twice.commit({"a.py": "def same(): pass\n", "b/c.py": "def same(): pass\n"})
    added = catalog.add(str(twice.folder))
    assert added.blobs_parsed == 1
    with Reader(added.indexed) as reader:
        assert [symbol.path for symbol in reader.symbols_named("same")] == ["a.py", "b/c.py"]


def test_texts_that_nobody_parses_do_not_gather_in_memory(catalog: Catalog, tmp_path: Path) -> None:
    made = Repository(tmp_path / "made")
    plain: Files = {f"{number}.txt": f"{number}\n" + ("-" * 9_999 + "\n") * 100 for number in range(50)}
    made.commit(plain | {"a.py": "x = 1\n"})
    tracemalloc.start()
    try:
        assert catalog.add(str(made.folder)).blobs_parsed == 51
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20  # of 50 MB


def test_a_text_in_two_languages_is_parsed_in_both(catalog: Catalog, tmp_path: Path) -> None:
    twice = Repository(tmp_path / "twice")
    twice.commit({"a.py": "# one\n", "a.rb": "# one\n", "a.md": "# one\n", "b.md": "# one\n"})
    added = catalog.add(str(twice.folder))
    assert added.blobs_parsed == 3
    with Reader(added.indexed) as reader:
        assert [symbol.path for symbol in reader.symbols_named("one")] == ["a.md", "b.md"]
        assert {file.path: file.language for file in reader.files()} == {
            "a.md": "markdown",
            "a.py": "python",
            "a.rb": "ruby",
            "b.md": "markdown",
        }


def test_branches_share_what_they_have_in_common(catalog: Catalog, repository: Repository) -> None:
    catalog.add(str(repository.folder))
    repository.git("checkout", "-q", "-b", "develop")
    repository.commit({"new.txt": "new\n"})
    repository.git("checkout", "-q", "main")
    assert catalog.add(str(repository.folder), "develop").blobs_parsed == 1
    assert len(_read(catalog.find("flask@develop"))) == 4
    assert len(_read(catalog.find("flask"))) == 3


def test_commits_beyond_the_limit_are_forgotten(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path, commits=2)
    moving = Repository(tmp_path / "moving")
    oids = []
    for words in ("first", "second", "third"):
        oids.append(moving.commit(_texts(3, words)))
        catalog.add(str(moving.folder))
    with pytest.raises(NotFound):
        catalog.find(f"moving@{oids[0]}")
    assert _read(catalog.find(f"moving@{oids[1]}"))["000.txt"].startswith("second")
    with Reader(catalog.find("moving")) as reader:
        assert reader.blobs_with("first") == set()
        assert len(reader.blobs_with("second") or ()) == 3


def test_facts_of_an_older_parser_are_made_anew(
    catalog: Catalog, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.add(str(repository.folder))
    monkeypatch.setattr(parsing, "VERSION", parsing.VERSION + 1)
    assert catalog.add(str(repository.folder)).blobs_parsed == 3


def test_a_repository_with_sha256_names_is_indexed(catalog: Catalog, tmp_path: Path) -> None:
    modern = Repository(tmp_path / "modern", "--object-format=sha256")
    modern.commit({"a.txt": "hello\n"})
    assert _read(catalog.add(str(modern.folder)).indexed) == {"a.txt": "hello\n"}


# Limits that are raised.


def test_a_file_that_was_too_large_is_indexed_once_it_may_be(tmp_path: Path) -> None:
    made = Repository(tmp_path / "large")
    made.commit({"a.txt": "hello\n" * 500, "b.txt": "small\n"})
    known = [catalog_at(tmp_path, file_bytes=most).add(str(made.folder)).was_known for most in (1_000, 2_000, 3_000)]
    assert known == [False, True, False]
    assert _reasons(catalog_at(tmp_path).find("large")) == {"a.txt": None, "b.txt": None}
    assert catalog_at(tmp_path, file_bytes=3_000).add(str(made.folder)).was_known


def test_a_commit_that_was_too_large_is_indexed_once_it_may_be(tmp_path: Path) -> None:
    made = Repository(tmp_path / "large")
    made.commit({"a.txt": "hello\n" * 500})
    with pytest.raises(RepositoryTooLarge):
        catalog_at(tmp_path, total_bytes=1_000).add(str(made.folder))
    assert _read(catalog_at(tmp_path, total_bytes=9_000).add(str(made.folder)).indexed)


def test_a_file_that_took_too_long_is_tried_again_once_it_may_take_longer(tmp_path: Path) -> None:
    made = Repository(tmp_path / "slow")
    made.commit({"a.py": "def a(): return [a, a(), a]\n" * 30_000, "b.txt": "b\n"})  # takes many times as long
    hasty = catalog_at(tmp_path, parse_seconds=0.01)
    assert _reasons(hasty.add(str(made.folder)).indexed) == {"a.py": SkipReason.PARSE_TIMEOUT, "b.txt": None}
    assert hasty.add(str(made.folder)).was_known
    again = catalog_at(tmp_path).add(str(made.folder))
    assert (again.was_known, again.blobs_parsed, _reasons(again.indexed)) == (False, 1, {"a.py": None, "b.txt": None})
    assert hasty.add(str(made.folder)).was_known


# What cannot be indexed.


def test_a_commit_with_more_text_than_allowed_is_too_large(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path, total_bytes=2_000_000)
    growing = Repository(tmp_path / "growing")
    growing.commit({"a.txt": "small\n"})
    catalog.add(str(growing.folder))
    growing.commit({f"{number}.txt": f"{number}\n" * 400_000 for number in range(3)})
    with pytest.raises(RepositoryTooLarge, match="CODE_INSIGHT_TOTAL_BYTES_MAX"):
        catalog.add(str(growing.folder))
    assert _read(catalog.find("growing")) == {"a.txt": "small\n"}


def test_a_repository_that_is_too_large_from_the_start_is_not_held(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path, total_bytes=10)
    Repository(tmp_path / "large").commit(_texts(3))
    with pytest.raises(RepositoryTooLarge):
        catalog.add(str(tmp_path / "large"))
    assert catalog.repositories() == []


def test_a_commit_without_files_is_empty(catalog: Catalog, tmp_path: Path) -> None:
    Repository(tmp_path / "bare").commit({})
    with pytest.raises(RepositoryEmpty):
        catalog.add(str(tmp_path / "bare"))


def test_a_cancelled_run_leaves_the_old_index_and_shortens_the_next(catalog: Catalog, tmp_path: Path) -> None:
    moving = Repository(tmp_path / "moving")
    first = moving.commit(_texts(3, "old"))
    catalog.add(str(moving.folder))
    moving.commit(_texts(1_300, "new"))
    last: list[int] = [0]
    call = Call(cancelled=lambda: last[-1] > 80, progress=lambda phase, done: last.append(done))
    with pytest.raises(Cancelled):
        catalog.add(str(moving.folder), call=call)
    assert catalog.find("moving").commit.oid == first
    assert catalog.add(str(moving.folder)).blobs_parsed == 300, "1,000 were written before"
    assert len(_read(catalog.find("moving"))) == 1_300


# Damage.


@pytest.mark.parametrize("wrong", [b"sourcf", b"\xffource"])
def test_a_flipped_bit_is_healed_by_the_next_commit(catalog: Catalog, repository: Repository, wrong: bytes) -> None:
    """SQLite cannot see it: the structure is sound, a word in a row is not."""
    index = catalog.add(str(repository.folder)).indexed.index
    data = index.read_bytes()
    assert b"source" in data
    index.write_bytes(data.replace(b"source", wrong))
    repository.commit({"more.txt": "more\n"})
    added = catalog.add(str(repository.folder))
    assert len(_read(added.indexed)) == 4


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "pages"])
def test_a_damaged_index_is_made_anew_and_hides_no_other(catalog: Catalog, tmp_path: Path, damage: str) -> None:
    Repository(tmp_path / "other").commit(_texts(1))
    catalog.add(str(tmp_path / "other"))
    moving = Repository(tmp_path / "moving")
    moving.commit(_texts(100))
    index = catalog.add(str(moving.folder)).indexed.index
    whole = index.read_bytes()
    index.write_bytes(
        {
            "empty": b"",
            "garbage": b"garbage" * 1000,
            "cut": whole[: len(whole) // 4096 // 2 * 4096],
            "pages": whole[:8192] + b"\xa5" * (len(whole) - 8192),
        }[damage]
    )
    for ask in (lambda: catalog.find("moving"), catalog.newest):
        try:
            ask()
        except InsightError:
            assert ask != catalog.newest
    assert "local/other" in [indexed.repository.name for indexed in catalog.newest()]
    moving.commit({"more.txt": "more\n"})
    assert len(_read(catalog.add(str(moving.folder)).indexed)) == 101


@pytest.mark.parametrize("found_by", ["find", "newest"])
def test_a_flipped_bit_is_never_answered_and_the_index_is_made_anew_by_itself(
    catalog: Catalog, tmp_path: Path, found_by: str
) -> None:
    moving = Repository(tmp_path / "moving")
    moving.commit(_texts(100))
    indexed = catalog.add(str(moving.folder)).indexed
    before, data = _read(indexed), bytearray(indexed.index.read_bytes())
    data[len(data) // 2] ^= 1
    indexed.index.write_bytes(data)
    if found_by == "newest":
        assert catalog.newest() == []
    else:
        with pytest.raises(IndexDamaged):
            catalog.find("moving")
    deadline = time.monotonic() + 30
    while not catalog.newest() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _read(catalog.find("moving")) == before
    assert indexed.index.with_name("index.db.damaged").read_bytes() == bytes(data)


def test_a_damaged_index_that_cannot_be_made_anew_is_not_answered_either(catalog: Catalog, tmp_path: Path) -> None:
    moving = Repository(tmp_path / "moving")
    moving.commit(_texts(10))
    index = catalog.add(str(moving.folder)).indexed.index
    moving.folder.rename(tmp_path / "gone")
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 1
    index.write_bytes(data)
    for _ in range(3):
        with pytest.raises(IndexDamaged):
            catalog.find("moving")


def test_an_index_of_a_host_that_is_damaged_is_made_anew(cloning: Catalog, hosted: Repository, host: GitHost) -> None:
    url = host.url(hosted.folder.name)
    index = cloning.add(url).indexed.index
    index.write_bytes(index.read_bytes()[:8192])
    assert _read(cloning.add(url).indexed) == {"README.txt": "hello\n"}


# Disks.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of 3 MB at most."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _noise(count: int, seed: int) -> Files:
    """Texts that do not compress, 20 kB each."""
    generator = random.Random(seed)
    return {f"{number}.txt": generator.randbytes(10_000).hex("\n", 40) for number in range(count)}


def test_a_full_disk_is_an_error_and_leaves_the_old_index(tmp_path: Path, small_disk: Path) -> None:
    catalog = catalog_at(tmp_path)
    catalog.folder.symlink_to(small_disk)
    growing = Repository(tmp_path / "growing")
    first = growing.commit(_noise(3, 1))
    catalog.add(str(growing.folder))
    growing.commit(_noise(300, 2))
    for _ in range(3):
        with pytest.raises(StorageFailed, match="Free some space"):
            catalog.add(str(growing.folder))
        indexed = catalog.find("growing")
        assert indexed.commit.oid == first
        assert len(_read(indexed)) == 3
        assert not store.is_damaged(indexed.index)
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert len(_read(catalog.add(str(growing.folder)).indexed)) == 300


def test_a_first_add_on_a_full_disk_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    catalog = catalog_at(tmp_path)
    catalog.folder.symlink_to(small_disk)
    growing = Repository(tmp_path / "growing")
    growing.commit(_noise(300, 2))
    with pytest.raises(StorageFailed):
        catalog.add(str(growing.folder))
    assert catalog.repositories() == []
    (small_disk / "fill").write_bytes(b"x" * 2_500_000)
    (small_disk / "fill").unlink()


def test_a_full_disk_stops_a_clone(cloning: Catalog, hosted: Repository, host: GitHost, small_disk: Path) -> None:
    cloning.folder.symlink_to(small_disk)
    hosted.commit({"noise.bin": os.urandom(4_000_000)})
    with pytest.raises(StorageFailed, match="disk is full"):
        cloning.add(host.url(hosted.folder.name))
    assert cloning.repositories() == []


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    growing = Repository(tmp_path / "growing")
    growing.commit(_noise(100, 3))

    ran = _index(tmp_path, growing.folder)
    resource.prlimit(ran.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))  # long before it has imported itself
    _, errors = ran.communicate(timeout=60)
    assert ran.returncode == 1
    assert "Free some space" in errors
    ran = _index(tmp_path, growing.folder)
    output, _ = ran.communicate(timeout=60)
    assert "100 files read" in output


def test_a_read_only_folder_still_answers(tmp_path: Path, small_disk: Path) -> None:
    catalog = catalog_at(tmp_path)
    catalog.folder.symlink_to(small_disk)
    Repository(tmp_path / "moving").commit(_texts(3))
    catalog.add(str(tmp_path / "moving"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert len(_read(catalog.find("moving"))) == 3
    assert len(catalog.newest()) == 1
    with pytest.raises(StorageFailed, match=r"cannot be written.*CODE_INSIGHT_DATA_DIR"):
        catalog.add(str(tmp_path / "moving"))


async def test_a_server_outlives_its_volume(tmp_path: Path, small_disk: Path) -> None:
    """It cannot be written, then can be again, then what was on it is gone."""
    moving = Repository(tmp_path / "moving")
    moving.commit(_texts(3))
    (tmp_path / "data").symlink_to(small_disk)
    with serving(tmp_path, LOCAL_FOLDERS=str(tmp_path)) as server:
        server.wait_until_ready()
        async with Client(f"http://127.0.0.1:{server.port}/mcp", mode="2026-07-28") as client:

            async def ask(tool: str, **arguments: str) -> str:
                answer = await client.call_tool(tool, arguments, raise_on_error=False)
                return str(answer.content[0].text)

            assert "is indexed" in await ask("add_repository", url=str(moving.folder))
            _read_only_once_nobody_reads(small_disk)
            assert "text 1" in await ask("read", repository="moving", path="001.txt")
            assert "cannot be written" in await ask("add_repository", url=str(moving.folder))
            subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
            assert "was indexed already" in await ask("add_repository", url=str(moving.folder))
            for path in small_disk.iterdir():
                shutil.rmtree(path)
            assert "No repository 'moving'" in await ask("read", repository="moving", path="001.txt")
            assert "is indexed" in await ask("add_repository", url=str(moving.folder))
            assert "text 1" in await ask("read", repository="moving", path="001.txt")
    assert "Traceback" not in server.log.read_text()


def _read_only_once_nobody_reads(disk: Path) -> None:
    """The connection of the last answer stays open for some seconds."""
    deadline = time.monotonic() + 30
    while subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True).returncode:
        assert time.monotonic() < deadline, "the disk is busy"
        time.sleep(0.1)


# Processes.


def _index(folder: Path, repository: Path) -> subprocess.Popen[str]:
    """A process of its own that indexes a repository into `folder`/data."""
    environment = {**os.environ, "CODE_INSIGHT_DATA_DIR": str(folder / "data"), "CODE_INSIGHT_WORKERS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "code_insight", "index", str(repository)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_indexer_that_is_killed_leaves_the_old_index_and_no_process(tmp_path: Path) -> None:
    catalog = catalog_at(tmp_path)
    moving = Repository(tmp_path / "moving")
    whole = {moving.commit({**_texts(250, "old"), "a.py": "def old(): pass\n"})}
    began = time.monotonic()
    _index(tmp_path, moving.folder).communicate(timeout=60)
    usual_seconds = time.monotonic() - began
    generator = random.Random(20261123)
    for number in range(50):
        whole.add(moving.commit({**_texts(250, f"new{number}"), "a.py": f"def new{number}(): pass\n"}))
        ran = _index(tmp_path, moving.folder)
        time.sleep(usual_seconds * generator.uniform(0.3, 1.0))
        ran.send_signal(signal.SIGKILL)
        ran.communicate(timeout=60)
        indexed = catalog.find("moving")
        assert indexed.commit.oid in whole
        texts = _read(indexed)
        assert len(texts) == 251
        assert len({text.split()[0] for path, text in texts.items() if path.endswith(".txt")}) == 1, "of one commit"
        assert not store.is_damaged(indexed.index)
    assert catalog.add(str(moving.folder)).indexed.commit.oid == moving.git("rev-parse", "HEAD")
    deadline = time.monotonic() + 20
    while _processes_with(str(tmp_path / "data")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _processes_with(str(tmp_path / "data"))


def _processes_with(words: str) -> list[str]:
    """The commands of the processes in whose environment the words stand."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if words.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


# Adds the folder that each line of its input names; says how that ended.
ADDING = """
import sys
from pathlib import Path
from code_insight.errors import InsightError
from tests.server.places import catalog_at

catalog = catalog_at(Path(sys.argv[1]))
for line in sys.stdin:
    try:
        catalog.add(line.strip())
        print("added", flush=True)
    except InsightError as error:
        print(error.code, flush=True)
"""


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("kind", Kind)
def test_any_step_on_the_disk_may_fail_once(tmp_path: Path, kind: Kind, error: int) -> None:
    """Step n fails, for n = 1, 2, 3, … until none is left: what answers is the old commit or the new one, whole.

    Of the writes, which are many, every ninth.
    """
    catalog, moving, faults = catalog_at(tmp_path), Repository(tmp_path / "moving"), Faults(tmp_path)
    whole = {moving.commit(_texts(5, "old"))}
    catalog.add(str(moving.folder))
    with _adding(tmp_path, faults) as add:
        for number in itertools.count(1 + error % 9, 9) if kind is Kind.WRITE else itertools.count(1):
            newest = moving.commit(_texts(5, f"new{number}"))
            whole.add(newest)
            faults.fail(kind, number, error)
            said = add(moving.folder)
            taken = faults.calls
            faults.fail(kind, 0, 0)
            assert said in ("added", "storage_failed")
            indexed = catalog.find("moving")
            texts = _read(indexed)
            assert indexed.commit.oid in ({newest} if said == "added" else whole)
            assert len({text.split()[0] for text in texts.values()}) == 1, "of one commit"
            assert add(moving.folder) == "added"
            assert catalog.find("moving").commit.oid == newest
            if taken < number:
                assert number > 3
                return


@contextlib.contextmanager
def _adding(folder: Path, faults: Faults) -> Iterator[Callable[[Path], str]]:
    """Adds repositories in a process of its own that has these faults."""
    environment = {**os.environ, **faults.environment, "PYTHONPATH": str(HOUSE)}
    command = [sys.executable, "-c", ADDING, str(folder)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        given, said = running.stdin, running.stdout

        def add(repository: Path) -> str:
            print(repository, file=given, flush=True)
            return said.readline().strip()

        yield add
        given.close()
    assert running.returncode == 0


async def test_two_calls_that_add_one_repository_do_its_work_once(tmp_path: Path) -> None:
    moving = Repository(tmp_path / "moving")
    moving.commit(_texts(300))
    with serving(tmp_path, LOCAL_FOLDERS=str(tmp_path)) as server:
        server.wait_until_ready()
        async with Client(f"http://127.0.0.1:{server.port}/mcp", mode="2026-07-28") as client:
            calls = [client.call_tool("add_repository", {"url": str(moving.folder)}) for _ in range(2)]
            said = [answer.content[0].text for answer in await asyncio.gather(*calls)]
    assert sorted("was indexed already" in text for text in said) == [False, True], said


def test_two_processes_that_add_one_repository_do_its_work_once(tmp_path: Path) -> None:
    moving = Repository(tmp_path / "moving")
    moving.commit({**_texts(300), "a.py": "def one(): pass\n"})
    running = [_index(tmp_path, moving.folder) for _ in range(2)]
    outputs = sorted(ran.communicate(timeout=60)[0] for ran in running)
    assert [ran.returncode for ran in running] == [0, 0]
    assert "301 files read" in outputs[0]
    assert "was indexed already" in outputs[1]

"""The ledger holds what happened, in order; it shows tampering, survives a crash, and no token gets into it."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from code_insight_deploy.errors import LedgerBroken
from code_insight_deploy.ledger import Kind, Ledger, state_folder
from code_insight_deploy.proofs import Evidence
from code_insight_deploy.targets import Secret

from tests.deploy.standin import CANARY, Service


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, "local", "a")


def three(ledger: Ledger) -> list[bytes]:
    """The lines of a ledger of three entries."""
    for kind in (Kind.BEGUN, Kind.BUILT, Kind.VERIFIED):
        ledger.append(kind, "r1", digest=f"sha256:{kind}")
    return ledger.path.read_bytes().splitlines(keepends=True)


def test_entries_are_kept_in_order_each_with_the_hash_of_the_one_before(ledger: Ledger) -> None:
    three(ledger)
    entries = Ledger(ledger.path.parent.parent, "local", "a").entries()
    assert [(entry.number, entry.kind, entry.release) for entry in entries] == [
        (1, Kind.BEGUN, "r1"),
        (2, Kind.BUILT, "r1"),
        (3, Kind.VERIFIED, "r1"),
    ]
    assert [entry.previous for entry in entries] == ["0" * 64, entries[0].digest, entries[1].digest]
    assert entries[1].data == {"digest": "sha256:built"}


def test_a_ledger_that_was_never_written_is_empty_and_reading_makes_none(ledger: Ledger) -> None:
    assert ledger.entries() == ()
    assert ledger.last_verified() is None
    assert ledger.unfinished() == ()
    assert not ledger.path.exists()


def changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"sha256:built", b"sha256:BUILT"), lines[2]]


def rehashed(lines: list[bytes]) -> list[bytes]:
    """Somebody who knows how it is made: the second entry is replaced by a new one with a fitting hash of its own."""
    other = Ledger(Path(json.loads(lines[0])["data"]["folder"]), "local", "other")
    other.append(Kind.BEGUN, "r1")
    other.append(Kind.BUILT, "r1", digest="sha256:other")
    return [lines[0], other.path.read_bytes().splitlines(keepends=True)[1], lines[2]]


@pytest.mark.parametrize(
    ("tamper", "at"),
    [
        (changed, 2),
        (rehashed, 2),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[2]], 1),
        (lambda lines: [lines[0], lines[2], lines[1]], 2),
        (lambda lines: [lines[0], b"{}\n", lines[2]], 2),
        (lambda lines: [lines[0], b"\xff\xfe\n", lines[2]], 2),
        (lambda lines: [lines[0], b"\n", lines[1], lines[2]], 2),
    ],
)
def test_tampering_is_named_with_its_entry_and_nothing_is_added_to_it(
    ledger: Ledger, tamper: Callable[[list[bytes]], list[bytes]], at: int
) -> None:
    ledger.append(Kind.BEGUN, "r1", folder=ledger.path.parent.parent)
    ledger.append(Kind.BUILT, "r1", digest="sha256:built")
    ledger.append(Kind.VERIFIED, "r1")
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(tamper(lines)))
    with pytest.raises(LedgerBroken, match=f"entry {at}:") as broken:
        ledger.entries()
    assert broken.value.next_step
    with pytest.raises(LedgerBroken):
        ledger.append(Kind.BEGUN, "r2")


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_that_a_crash_has_torn_is_cut_off_and_that_is_said(ledger: Ledger, kept: int) -> None:
    lines = three(ledger)
    ledger.path.write_bytes(b"".join(lines[:2]) + lines[2][:kept])
    said: list[str] = []
    again = Ledger(ledger.path.parent.parent, "local", "a", said.append)
    assert [entry.number for entry in again.entries()] == [1, 2]
    assert "cut off" in said[0]
    assert again.append(Kind.FAILED, "r1").number == 3
    assert [entry.kind for entry in again.entries()] == [Kind.BEGUN, Kind.BUILT, Kind.FAILED]


def test_the_last_verified_state_is_that_of_a_release_or_of_a_way_back(ledger: Ledger) -> None:
    ledger.append(Kind.VERIFIED, "r1", digest="one")
    ledger.append(Kind.BEGUN, "r2")
    ledger.append(Kind.FAILED, "r2")
    found = ledger.last_verified()
    assert found is not None
    assert (found.release, found.data["digest"]) == ("r1", "one")
    ledger.append(Kind.ROLLED_BACK, "r3", digest="zero")
    found = ledger.last_verified()
    assert found is not None
    assert found.data["digest"] == "zero"


@pytest.mark.parametrize("end", [Kind.VERIFIED, Kind.ROLLED_BACK, Kind.FAILED])
def test_a_release_that_began_and_did_not_end_is_unfinished(ledger: Ledger, end: Kind) -> None:
    ledger.append(Kind.BEGUN, "r1")
    ledger.append(Kind.CHANGING, "r1", machine="m1")
    assert [entry.kind for entry in ledger.unfinished()] == [Kind.BEGUN, Kind.CHANGING]
    ledger.append(end, "r1")
    assert ledger.unfinished() == ()


def test_values_become_plain_and_tokens_stay_out(ledger: Ledger) -> None:
    ledger.append(
        Kind.FAILED,
        "r1",
        evidence=(Evidence(claim="c", seen="s", seconds=1.0),),
        target=dataclasses.replace(Service(host="h").target(), url_of=None),  # type: ignore[arg-type]
        token=Secret(CANARY),
        error=f"401 for Bearer {CANARY}",
        **{CANARY: ["fm2_abc,fm2_def"]},
    )
    entry = ledger.entries()[0]
    assert entry.data["evidence"] == [{"claim": "c", "seen": "s", "seconds": 1.0}]
    assert entry.data["error"] == "401 for Bearer [redacted]"
    written = ledger.path.read_text()
    assert CANARY not in written
    assert "fm2_" not in written


def test_what_has_no_plain_form_is_a_defect_and_nothing_is_written(ledger: Ledger) -> None:
    with pytest.raises(TypeError, match="does not go into a ledger"):
        ledger.append(Kind.FAILED, "r1", value=object())
    assert ledger.entries() == ()


def test_nobody_else_may_read_it(ledger: Ledger) -> None:
    three(ledger)
    assert ledger.path.stat().st_mode & 0o077 == 0
    assert ledger.path.parent.stat().st_mode & 0o077 == 0


def test_no_link_is_followed_to_it(ledger: Ledger, tmp_path: Path) -> None:
    ledger.path.parent.mkdir()
    (tmp_path / "elsewhere").touch()
    ledger.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerBroken, match="cannot be written"):
        ledger.append(Kind.BEGUN, "r1")


def test_two_who_write_at_once_make_one_chain(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ledger.append(Kind.CHANGED, "r1", number=number), range(40)))
    entries = ledger.entries()
    assert [entry.number for entry in entries] == list(range(1, 41))
    assert {entry.data["number"] for entry in entries} == set(range(40))


def test_an_entry_is_on_the_disk_when_append_returns_and_the_process_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\nfrom code_insight_deploy.ledger import Kind, Ledger\n"
        "Ledger(pathlib.Path(sys.argv[1]), 'local', 'a').append(Kind.CHANGING, 'r1')\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert [entry.kind for entry in Ledger(tmp_path, "local", "a").entries()] == [Kind.CHANGING]


def test_the_state_is_where_the_environment_says() -> None:
    assert state_folder({"CODE_INSIGHT_STATE_DIR": "/s", "HOME": "/h"}) == Path("/s")
    assert state_folder({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/code-insight-deploy")
    assert state_folder({"HOME": "/h"}) == Path("/h/.local/state/code-insight-deploy")

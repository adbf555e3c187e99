"""Whatever goes wrong: the end is the old state, the new one, or a report of what is so; and the next release works."""

import base64
import contextlib
import gc
import json
import re
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from code_insight_deploy import calls, locks, registry, reporting
from code_insight_deploy.errors import DeployError
from code_insight_deploy.flysim import Sim
from code_insight_deploy.ledger import Entry
from code_insight_deploy.proofs import BuiltImage
from code_insight_deploy.release import Outcome
from code_insight_deploy.verifying import Patience

from tests.deploy.places import Repository
from tests.deploy.release import canary, truth
from tests.deploy.release.faults import ROWS, End, Row
from tests.deploy.release.places import COLOURS, Operator, Told
from tests.deploy.release.truth import Truth
from tests.places import HOUSE

SETTLE_SECONDS = 15.0
MOST_SLOWNESS = 4.0
DEPLOY_SECONDS = 1.5
"""What the first deploy of an app takes on a machine that has nothing else to do."""
ENDS = {
    0: End.VERIFIED,
    10: End.REFUSED,
    20: End.UNTOUCHED,
    30: End.ROLLED_BACK,
    31: End.REPORTED,
    40: End.REPORTED,
}
CASES = [pytest.param(row, engine, id=f"{row.name}-{engine}") for row in ROWS for engine in row.ends]


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Whatever is left behind for a moment, and what Docker's command keeps, is in a folder of this test."""
    docker, temporary = tmp_path / "docker", tmp_path / "temporary"
    docker.mkdir()
    temporary.mkdir()
    (docker / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(docker))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    canary.ARGUMENTS.clear()
    yield tmp_path
    gc.collect()  # while this test's filter of warnings holds


@contextlib.contextmanager
def short_patience() -> Iterator[None]:
    """Nobody waits for long for what does not come."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "TIMEOUTS", httpx2.Timeout(5, connect=5))
        patch.setattr(locks, "PATIENCE_SECONDS", 5.0)
        patch.setattr(registry, "STALLED_SECONDS", 6.0)
        yield


class Company:
    """Operators with apps that are verified. Who comes out of a row well goes into the next one, from what runs to the
    other colour.
    """

    def __init__(self, sim: Sim, clone: Repository, base: str, folder: Path) -> None:
        self.sim = sim
        self.clone = clone
        self.base = base
        self.folder = folder
        self.ready: dict[str, Operator] = {}
        self.busy: Operator | None = None
        self.slowness = 1.0
        """By how much this machine is slower now than one that has nothing else to do."""

    def operator(self, engine: str, *, fresh: bool) -> Operator:
        """Somebody whose app runs the first colour verified, with the second one checked out; nothing when `fresh`."""
        if self.busy:  # somebody has come out of the last row unwell
            self.busy.close()
        if fresh or engine not in self.ready:
            self.busy = somebody = self._new(engine)
            if fresh:
                return somebody
            took = somebody.release().seconds["deploy"]
            self.slowness = min(max(1.0, took / DEPLOY_SECONDS), MOST_SLOWNESS)
        else:
            self.busy = somebody = self.ready.pop(engine)
        take_the_other_colour(somebody)
        return somebody

    def _new(self, engine: str) -> Operator:
        name = f"app-{uuid.uuid4().hex[:8]}"
        repository = Repository(self.folder / name / "repository")
        repository.git("fetch", "--quiet", str(self.clone.folder), *(f"{colour}:{colour}" for colour in COLOURS))
        repository.git("checkout", "--quiet", COLOURS[0])
        return Operator(self.sim, repository, self.folder / name / "state", self.base, name, self.sim.token(), engine)

    def done(self, operator: Operator, *, fresh: bool) -> None:
        """The operator's app is well."""
        self.busy = None
        if fresh:
            operator.close()
        else:
            self.ready[operator.engine] = operator

    def close(self) -> None:
        for somebody in self.ready.values():
            somebody.close()


@pytest.fixture(scope="module")
def company(
    platform: Sim, clone: Repository, image: BuiltImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    platform.faults.clear()
    made = Company(platform, clone, image.reference, tmp_path_factory.mktemp("company"))
    yield made
    made.close()


# docker/transport/unixconn.py leaves a socket to the garbage collector when the engine is not there, or hangs up.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize(("row", "by"), CASES)
def test_a_release_ends_as_it_may_and_as_it_is(row: Row, by: str, company: Company, own_folders: Path) -> None:
    operator = company.operator(by, fresh=row.fresh)
    operator.order = {"patience": Patience(row.settle_seconds * company.slowness, row.window_seconds)}
    operator.told = Told()
    before, so_far = truth.look(operator), operator.calls_so_far()
    with short_patience(), row.given(operator):
        ended = operator.attempt()
        changes = operator.changes(after=so_far)
        assert_it_happened(operator)
    after = truth.look(operator)
    assert_end(row.ends[by], row.says, ended, operator)
    assert_true(ENDS[_code(ended)], ended, before, after, operator)
    if ENDS[_code(ended)] is End.REFUSED:
        assert changes == []
    assert_kept_secret(operator, ended, own_folders)
    if ENDS[_code(ended)] is End.REPORTED:
        take_what_does_not_run(operator, after)  # the machines may not be well with what does
    elif ENDS[_code(ended)] is not End.VERIFIED:
        take_the_other_colour(operator)  # which runs, so that nothing has to be changed now
    assert_mended(operator)
    company.done(operator, fresh=row.fresh)


def take_the_other_colour(operator: Operator) -> None:
    now = operator.repository.git("rev-parse", "--abbrev-ref", "HEAD")
    operator.repository.git("checkout", "--quiet", COLOURS[1 - COLOURS.index(now)])


def take_what_does_not_run(operator: Operator, now: Truth) -> None:
    if truth.digest(operator) in now.digests:
        take_the_other_colour(operator)


def _code(ended: Outcome | DeployError) -> int:
    return ended.exit_code if isinstance(ended, DeployError) else 0


def assert_it_happened(operator: Operator) -> None:
    """All that was to go wrong did, and goes wrong no more."""
    assert operator.told.waiting == {}, str(operator.told)
    assert 0 not in operator.sim.faults.happened(), str(operator.told)
    operator.sim.faults.clear()


def assert_end(end: End, says: str, ended: Outcome | DeployError, operator: Operator) -> None:
    """It ended so, and an error says the way on."""
    assert ENDS[_code(ended)] is end, f"{ended}\n\n{operator.told}"
    if isinstance(ended, DeployError):
        assert ended.happened.strip()
        assert ended.next_step.strip()
        assert re.search(says, str(ended), re.DOTALL), str(ended)


def assert_true(end: End, ended: Outcome | DeployError, before: Truth, after: Truth, operator: Operator) -> None:
    """What the platform and the public say is what the release said."""
    if end is End.VERIFIED:
        assert_runs_what_is_checked_out(operator, after)
    elif end is End.REPORTED:
        told = [re.search(rf"{id_}.*{machine.digest[:19]}", str(ended)) for id_, machine in after.machines.items()]
        assert all(told) or "What runs now cannot be told" in str(ended), f"{after} is not told of in\n{ended}"
    else:
        assert after.digests == before.digests
        assert set(after.public) == set(before.public)
        if end is not End.ROLLED_BACK:
            assert after.versions == before.versions


def assert_runs_what_is_checked_out(operator: Operator, now: Truth) -> None:
    assert now.digests == {truth.digest(operator)}
    assert set(now.public) == {truth.tree(operator)}
    assert {machine.state for machine in now.machines.values()} == {"started"}


def assert_kept_secret(operator: Operator, ended: object, folder: Path) -> None:
    """The token is nowhere but where it was sent, and nothing is left behind."""
    assert canary.found(operator, ended, folder) == []
    assert canary.ARGUMENTS
    assert list((folder / "temporary").iterdir()) == []
    assert (folder / "docker" / "config.json").read_text("utf-8") == "{}"


def assert_mended(operator: Operator) -> None:
    """Nothing is in the way of the next release, which nobody is impatient with."""
    operator.order = {"patience": Patience(SETTLE_SECONDS * MOST_SLOWNESS, 0.1)}
    again = operator.attempt()
    assert isinstance(again, Outcome), again
    assert_runs_what_is_checked_out(operator, truth.look(operator))


def test_a_token_is_found_wherever_it_is(company: Company, tmp_path: Path) -> None:
    operator = Operator(company.sim, company.clone, tmp_path / "state", "base", "app", "fo1_canary")
    assert canary.found(operator, None) == []
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "file").write_bytes(b"\xff" + base64.b64encode(b"x:fo1_canary"))
    operator.told("with fo1_canary")
    subprocess.run(["true", "fo1_canary"], check=True)
    error = DeployError("no", "fo1_canary")
    error.__cause__ = OSError("fo1_canary")
    assert set(canary.found(operator, error)) == {
        "what was told",
        "an argument of a program",
        "error 0",
        "error 1",
        str(tmp_path / "state" / "file"),
    }


# Our own process is killed


def die(operator: Operator, points: int) -> int:
    """The exit code of a release in a process that is killed after its ledger has been written so many times."""
    asked = {
        "points": points,
        "folder": str(operator.sim.folder),
        "host": operator.sim.host,
        "secret": operator.sim.secret,
        "repository": str(operator.repository.folder),
        "state": str(operator.state),
        "base": operator.base,
        "app": operator.app,
        "token": operator.token,
        "engine": operator.engine,
        "settle_seconds": SETTLE_SECONDS * MOST_SLOWNESS,
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tests.deploy.release.killed"],
        cwd=HOUSE,
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode in {0, -signal.SIGKILL}, ran.stderr
    return ran.returncode


def assert_whole(operator: Operator) -> None:
    """The ledger holds, and what runs is its last verified release."""
    with operator.run() as run:
        assert reporting.audit(run).tree == truth.tree(operator)


@pytest.mark.parametrize("by", ["machines", "flyctl"])
def test_whenever_it_is_killed_the_next_release_takes_it_up(by: str, company: Company, own_folders: Path) -> None:
    operator = company.operator(by, fresh=False)
    points = 1
    while die(operator, points):
        assert truth.look(operator).digests  # old or new: whichever, the next release says so and goes on
        assert_mended(operator)
        assert_whole(operator)
        take_the_other_colour(operator)
        points += 1
    kinds = {entry.kind for entry in ledger_of(operator)}
    assert points > len({"begun", "planned", "changing", "applied", "verified"})
    assert {"begun", "planned", "changing", "applied", "verified"} <= kinds
    assert_kept_secret(operator, None, own_folders)
    company.done(operator, fresh=False)


def test_whenever_its_first_release_is_killed_the_next_one_takes_it_up(company: Company) -> None:
    points = 1
    while True:
        operator = company.operator("machines", fresh=True)
        code = die(operator, points)
        assert_mended(operator)
        assert_whole(operator)
        operator.close()
        if code == 0:
            break
        points += 1
    assert points > len({"begun", "planned", "create app", "add address", "create machine", "applied", "verified"})


def ledger_of(operator: Operator) -> tuple[Entry, ...]:
    with operator.run() as run:
        return run.ledger.entries()

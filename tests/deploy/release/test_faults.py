"""Whatever goes wrong: the end is the old state, the new one, or a report of what is so; and the next release works."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from code_insight_deploy import calls, locks
from code_insight_deploy.errors import DeployError
from code_insight_deploy.flysim import Sim
from code_insight_deploy.proofs import BuiltImage
from code_insight_deploy.release import Outcome
from code_insight_deploy.verifying import Patience

from tests.deploy.places import Repository
from tests.deploy.release import truth
from tests.deploy.release.faults import ROWS, End, Row
from tests.deploy.release.places import COLOURS, Operator, Told
from tests.deploy.release.truth import Truth

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
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long for what does not come."""
    monkeypatch.setattr(calls, "TIMEOUTS", httpx2.Timeout(3, connect=3))
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 3.0)


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

    def operator(self, engine: str, *, fresh: bool) -> Operator:
        """Somebody whose app runs the first colour verified, with the second one checked out; nothing when `fresh`."""
        if fresh or engine not in self.ready:
            somebody = self._new(engine)
            if fresh:
                return somebody
            somebody.release()
        else:
            somebody = self.ready.pop(engine)
        now = somebody.repository.git("rev-parse", "--abbrev-ref", "HEAD")
        somebody.repository.git("checkout", "--quiet", COLOURS[1 - COLOURS.index(now)])
        return somebody

    def _new(self, engine: str) -> Operator:
        name = f"app-{uuid.uuid4().hex[:8]}"
        repository = Repository(self.folder / name / "repository")
        repository.git("fetch", "--quiet", str(self.clone.folder), *(f"{colour}:{colour}" for colour in COLOURS))
        repository.git("checkout", "--quiet", COLOURS[0])
        return Operator(self.sim, repository, self.folder / name / "state", self.base, name, self.sim.token(), engine)

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


@pytest.mark.parametrize(("row", "by"), CASES)
def test_a_release_ends_as_it_may_and_as_it_is(row: Row, by: str, company: Company) -> None:
    operator = company.operator(by, fresh=row.fresh)
    operator.order = {"patience": Patience(row.settle_seconds, row.window_seconds)}
    operator.told = Told()
    before, so_far = truth.look(operator), operator.calls_so_far()
    with row.given(operator):
        ended = operator.attempt()
    after = truth.look(operator)
    assert_end(row.ends[by], row.says, ended, operator)
    assert_true(ENDS[_code(ended)], ended, before, after, operator)
    if ENDS[_code(ended)] is End.REFUSED:
        assert operator.changes(after=so_far) == []
    assert_mended(operator)
    company.ready[by] = operator


def _code(ended: Outcome | DeployError) -> int:
    return ended.exit_code if isinstance(ended, DeployError) else 0


def assert_end(end: End, says: str, ended: Outcome | DeployError, operator: Operator) -> None:
    """It ended so, and an error says the way on."""
    assert ENDS[_code(ended)] is end, f"{ended}\n\n{operator.told}"
    if isinstance(ended, DeployError):
        assert ended.happened.strip()
        assert ended.next_step.strip()
        assert re.search(says, str(ended)), str(ended)


def assert_true(end: End, ended: Outcome | DeployError, before: Truth, after: Truth, operator: Operator) -> None:
    """What the platform and the public say is what the release said."""
    if end is End.VERIFIED:
        assert_runs_what_is_checked_out(operator, after)
    elif end is End.REPORTED:
        for id_, machine in after.machines.items():
            assert re.search(rf"{id_}.*{machine.digest[:19]}", str(ended)), f"{machine} is not told of in\n{ended}"
    else:
        assert after.digests == before.digests
        assert set(after.public) == set(before.public)
        if end is not End.ROLLED_BACK:
            assert after.versions == before.versions


def assert_runs_what_is_checked_out(operator: Operator, now: Truth) -> None:
    assert now.digests == {truth.digest(operator)}
    assert set(now.public) == {truth.tree(operator)}
    assert {machine.state for machine in now.machines.values()} == {"started"}


def assert_mended(operator: Operator) -> None:
    """What went wrong goes wrong no more: the same release is verified."""
    again = operator.attempt()
    assert isinstance(again, Outcome), again
    assert_runs_what_is_checked_out(operator, truth.look(operator))

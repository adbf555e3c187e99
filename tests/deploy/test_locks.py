"""One release of an app at a time: the second is told who the first is, and one who died blocks nobody."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from code_insight_deploy import locks
from code_insight_deploy.errors import Locked
from code_insight_deploy.flysim import Fault, Sim, When
from code_insight_deploy.locks import KEY, held, holder
from code_insight_deploy.machines import Machines
from code_insight_deploy.targets import Secret, Target

from tests.deploy.flysim.places import build, config, push

WAIT_SECONDS = 20


def target(sim: Sim) -> Target:
    return Target("local", sim.flaps_url, sim.api_url, sim.registry_host, "flyctl", Secret(sim.token()), sim.app_url)


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, base: str, sim: Sim) -> Iterator[str]:
    """A reference that machines may have."""
    sim.create_app("locks-images")
    name = build(engine, base, "locks")
    yield push(engine, sim, name, "locks-images", "v1", sim.token()).by_digest
    engine.images.remove(name, force=True)


@dataclass
class Place:
    """An app with one machine that does not run, and operators each with a folder of their own."""

    machines: Machines
    app: str
    machine: str
    folder: Path
    sim: Sim

    def operator(self, name: str) -> Path:
        return self.folder / name

    def word(self) -> str:
        return self.machines.metadata(self.app, self.machine).get(KEY, "")


@pytest.fixture
def place(sim: Sim, image: str, tmp_path: Path) -> Iterator[Place]:
    app = f"locks-{uuid.uuid4().hex[:8]}"
    sim.create_app(app)
    with Machines(target(sim)) as machines:
        machine = machines.create(app, config(image), "fra", skip_launch=True)
        yield Place(machines, app, machine.id, tmp_path, sim)
        sim.faults.clear()


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


HOLD = """
import pathlib, sys
from code_insight_deploy import locks
with locks._local(pathlib.Path(sys.argv[1]), locks.Holder("eve", "here", 4711, "r1", "2026")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_here_is_refused_and_goes_on_when_the_first_was_killed(sim: Sim, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "local" / "nobody.lock")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first,
        Machines(target(sim)) as machines,
    ):
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(Locked, match=r"eve on here \(process 4711, release r1, since 2026\)") as refused:
            held("local", machines, "nobody", tmp_path, print).__enter__()
        assert refused.value.exit_code == 10
        assert str(holder("local", machines, "nobody", tmp_path)).startswith("eve on here")
        first.kill()
        first.wait(WAIT_SECONDS)
        with held("local", machines, "nobody", tmp_path, print):
            pass
        assert holder("local", machines, "nobody", tmp_path) is None


def test_another_operator_is_refused_while_it_is_held_and_not_afterwards(place: Place) -> None:
    with held("local", place.machines, place.app, place.operator("a"), print, release="r7") as lock:
        lock.check()
        with pytest.raises(Locked, match="release r7") as refused:
            held("local", place.machines, place.app, place.operator("b"), print).__enter__()
        assert "ends by itself at" in refused.value.next_step
        assert "r7" in str(holder("local", place.machines, place.app, place.operator("c")))
    assert place.word() == ""
    with held("local", place.machines, place.app, place.operator("b"), print):
        assert place.word()


def test_of_two_operators_at_once_one_goes_on(place: Place) -> None:
    barrier, done = threading.Barrier(2), threading.Event()

    def operate(name: str) -> str:
        barrier.wait(WAIT_SECONDS)
        try:
            with held("local", place.machines, place.app, place.operator(name), print, release=name):
                done.wait(WAIT_SECONDS)
                return "released"
        except Locked:
            done.set()
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(operate, ["a", "b"])) == ["refused", "released"]


def test_the_word_of_one_who_died_is_taken_over_and_that_is_said(place: Place) -> None:
    dead = locks.Holder("eve", "there", 1, "r1", "2026").written(until=time.time() - locks.SKEW_SECONDS - 1)
    place.machines.set_metadata(place.app, place.machine, KEY, dead)
    lines: list[str] = []
    assert holder("local", place.machines, place.app, place.folder) is None
    with held("local", place.machines, place.app, place.folder, lines.append):
        assert "eve" not in place.word()
    assert lines == ["taking over the lock of eve on there (process 1, release r1, since 2026), who has not renewed it"]


@pytest.mark.parametrize("word", ["", "{", "[]", '{"user": "eve"}', "x" * 1000])
def test_a_word_that_names_nobody_is_in_nobodys_way(place: Place, word: str) -> None:
    place.machines.set_metadata(place.app, place.machine, KEY, word)
    with held("local", place.machines, place.app, place.folder, print):
        assert locks.read_holder(place.word())


def test_the_word_is_renewed_while_the_release_lasts(place: Place) -> None:
    with held("local", place.machines, place.app, place.folder, print, seconds=3):
        first = json.loads(place.word())["until"]
        until(lambda: json.loads(place.word())["until"] > first)


def test_one_who_has_lost_the_lock_is_told_before_the_next_change(place: Place) -> None:
    def lost() -> bool:
        try:
            lock.check()
        except Locked:
            return True
        return False

    with held("local", place.machines, place.app, place.folder, print, seconds=3) as lock:
        other = locks.Holder("eve", "there", 1, "r2", "2026").written(until=time.time() + 100)
        place.machines.set_metadata(place.app, place.machine, KEY, other)
        until(lost)
    assert json.loads(place.word())["user"] == "eve"


def test_a_lease_of_somebody_else_is_waited_for_and_then_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    order = When(operation="take_lease", app=place.app)
    place.sim.faults.add(Fault(when=order, effect="lease_held", seconds=1, holder="flyctl@example.com"))
    with held("local", place.machines, place.app, place.folder, print):
        pass
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.1)
    place.sim.faults.add(Fault(when=order, effect="lease_held", seconds=60, holder="flyctl@example.com"))
    with pytest.raises(Locked, match=r"flyctl@example\.com"):
        held("local", place.machines, place.app, place.folder, print).__enter__()


def test_a_word_whose_answer_was_lost_is_read_back(place: Place) -> None:
    place.sim.faults.add(Fault(when=When(operation="set_metadata_key", app=place.app), effect="cut_after"))
    with held("local", place.machines, place.app, place.folder, print):
        assert place.word()
    assert place.word() == ""


def leave_a_word_behind(place: Place, name: str) -> None:
    """As one does who is killed, or whose token has expired at the end."""
    with held("local", place.machines, place.app, place.operator(name), print, release="r1"):
        place.sim.faults.add(Fault(when=When(app=place.app, times=0), effect="answer", status=401))
    place.sim.faults.clear()
    assert "r1" in place.word()


def test_a_word_that_was_left_behind_blocks_nobody_with_the_same_file(place: Place) -> None:
    lines: list[str] = []
    leave_a_word_behind(place, "ann")
    with held("local", place.machines, place.app, place.operator("ann"), lines.append, release="r2"):
        assert "r2" in place.word()
    assert "who has ended" in lines[0]
    assert place.word() == ""


def test_a_word_that_was_left_behind_blocks_others_until_it_ends(place: Place) -> None:
    leave_a_word_behind(place, "ann")
    with pytest.raises(Locked), held("local", place.machines, place.app, place.operator("bob"), print):
        pass

"""What happens to machines: asked for by the API, done by the engine, watched over, restarted, stopped when idle.

Everything here runs on the sim's event loop; what blocks (the engine) runs in threads. One thing at a time happens to a
machine (`_busy`); a state changes when what it says is true.
"""

import asyncio
import contextlib
import dataclasses
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from code_insight_deploy.flysim.checks import Checks
from code_insight_deploy.flysim.containers import Containers, Exit, NotRun, Seen, seconds_of
from code_insight_deploy.flysim.faults import ON_MACHINES, Fault
from code_insight_deploy.flysim.world import REGION, App, Json, Machine, World, now_text, ulid

TICK_SECONDS = 0.2
DEFAULT_RETRIES = 10
FIRST_BACKOFF_SECONDS = 0.1
MOST_BACKOFF_SECONDS = 2.0
DEFAULT_SIGNAL = "SIGINT"
DEFAULT_STOP_SECONDS = 5.0
SETTLED = frozenset({"started", "stopped", "suspended", "failed", "destroyed"})

Pull = Callable[[str], Awaitable[str]]
"""A reference by digest → the ID of the image, which the engine has from then on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """What a machine was before an update."""

    version: str
    config: Json
    image_ref: Json
    state: str


class Lifecycle:
    """The machines of a sim."""

    def __init__(self, world: World, containers: Containers, pull: Pull, idle_seconds: float) -> None:
        self._world = world
        self._containers = containers
        self._pull = pull
        self._idle_seconds = idle_seconds
        self._busy: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._retry_at: dict[str, float] = {}
        self.seen: dict[str, Seen] = {}
        """Machine id → the container that is its process now."""
        self.used_at: dict[str, float] = {}
        """Machine id → when the edge last had to do with it (monotonic)."""
        self.in_flight: dict[str, int] = {}
        self.checks = Checks()

    # -- what the API asks for ---------------------------------------------------------------------------------------

    def create(self, app: App, asked: Json, image_ref: Json, faults: list[Fault]) -> Machine:
        """A new machine; it is started in the background unless `skip_launch` is asked for."""
        number = f"{random.getrandbits(56):014x}"
        machine = Machine(
            id=number,
            name=asked.get("name") or f"machine-{number[:6]}",
            app=app.name,
            region=asked.get("region") or REGION,
            config=asked["config"],
            image_ref=image_ref,
            version=ulid(),
            private_ip=f"fdaa:0:1:a7b:{number[:4]}:{number[4:8]}:{number[8:12]}:2",
            cordoned=bool(asked.get("skip_service_registration")),
        )
        machine.versions.insert(0, {"version": machine.version, "user_config": machine.config})
        machine.troubles = _troubles(faults)
        app.machines[machine.id] = machine
        self._attach(app, machine)
        machine.happened("launch", "created", "user")
        self.changed()
        if not asked.get("skip_launch"):
            self._in_background(machine, self._launch_new(app, machine))
        return machine

    def update(self, app: App, machine: Machine, asked: Json, image_ref: Json, faults: list[Fault]) -> None:
        """Give the machine a new version; what runs follows in the background."""
        before = Before(machine.version, machine.config, machine.image_ref, machine.state)
        machine.version = ulid()
        machine.config = asked["config"]
        machine.image_ref = image_ref
        machine.name = asked.get("name") or machine.name
        machine.versions.insert(0, {"version": machine.version, "user_config": machine.config})
        machine.troubles = _troubles(faults)
        self._attach(app, machine)
        machine.happened("update", "replacing", "user")
        if not asked.get("skip_launch"):
            machine.state = "replacing"
            self._in_background(machine, self._replace(app, machine, before, machine.version))
        elif before.state not in {"created", "stopped", "failed"}:
            machine.state = "stopping"
            self._in_background(machine, self._stop(machine, DEFAULT_SIGNAL, 0, "stopped"))
        self.changed()

    def start(self, app: App, machine: Machine) -> None:
        """Have it run, in the background; a suspended one goes on where it was."""
        if machine.state in {"started", "starting"}:
            return
        machine.happened("start", "starting", "user")
        resumed = machine.state == "suspended" and machine.id in self.seen
        machine.state = "starting"
        machine.restart_count = 0
        self._in_background(machine, self._resume(machine) if resumed else self._launch(app, machine))
        self.changed()

    def stop(self, machine: Machine, signal: str, seconds: float | None, source: str = "user") -> None:
        """Have it end, in the background."""
        if machine.state in {"stopped", "stopping", "created"}:
            return
        config = machine.config.get("stop_config") or {}
        given = seconds_of(config.get("timeout"), DEFAULT_STOP_SECONDS) if seconds is None else seconds
        machine.happened("stop", "stopping", source)
        machine.state = "stopping"
        asked = signal or config.get("signal") or DEFAULT_SIGNAL
        self._in_background(machine, self._stop(machine, asked, given, "stopped"))
        self.changed()

    def restart(self, app: App, machine: Machine, signal: str, seconds: float | None) -> None:
        """Have it end and run again, in the same version."""
        given = DEFAULT_STOP_SECONDS if seconds is None else seconds
        machine.happened("restart", "restarting", "user")
        machine.state = "restarting"

        async def again() -> None:
            await self._stop(machine, signal or DEFAULT_SIGNAL, given, "restarting")
            await self._launch(app, machine)

        self._in_background(machine, again())
        self.changed()

    def suspend(self, machine: Machine, source: str = "user") -> None:
        """Have it stand still with its memory kept."""
        machine.happened("suspend", "suspending", source)
        machine.state = "suspending"
        self._in_background(machine, self._suspend(machine))
        self.changed()

    def destroy(self, app: App, machine: Machine, source: str = "user") -> None:
        """It is gone at once; its container follows in the background."""
        machine.state = "destroyed"
        machine.lease = None
        machine.happened("destroy", "destroyed", source)
        for volume in app.volumes.values():
            if volume["attached_machine_id"] == machine.id:
                volume["attached_machine_id"] = None
        self.checks.forget(machine.id)
        self._in_background(machine, self._remove_containers(machine))
        self.changed()

    def replace_by_somebody(self, app: App, machine: Machine) -> None:
        """What another operator's update does: the same configuration, another version."""
        self.update(app, machine, {"config": machine.config}, machine.image_ref, [])

    def trouble(self, machine: Machine, fault: Fault) -> None:
        """Let a fault stay with the machine as it is now."""
        machine.troubles.update(_troubles([fault]))

    def _attach(self, app: App, machine: Machine) -> None:
        for mount in machine.config.get("mounts") or []:
            if volume := app.volumes.get(mount.get("volume", "")):
                volume["attached_machine_id"] = machine.id

    # -- waiting -----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Keep what has changed, and wake whoever waits for a change."""
        self._world.save()
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Whether it has come to be so in time."""
        deadline = time.monotonic() + seconds
        while not is_so():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return True

    # -- what is done ------------------------------------------------------------------------------------------------

    def _in_background(self, machine: Machine, work: Coroutine[Any, Any, None]) -> None:
        async def one_at_a_time() -> None:
            async with self._busy.setdefault(machine.id, asyncio.Lock()):
                await work
                self.changed()

        task = asyncio.create_task(one_at_a_time())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _launch_new(self, app: App, machine: Machine) -> None:
        machine.state = "starting"
        if "pull_fails" in machine.troubles:
            self._fail(machine, "failed to pull image")
            return
        await self._launch(app, machine)
        await self._maybe_revert(app, machine, None)

    async def _launch(self, app: App, machine: Machine) -> None:
        """A new container; the state says what came of it, unless the machine is given another version meanwhile."""
        if machine.state == "destroyed" or "never_starts" in machine.troubles:
            return
        version = machine.version
        try:
            image = await self._pull(_by_digest(machine.image_ref))
            await self._remove_containers(machine)
            await asyncio.to_thread(self._containers.run, app, machine, image)
        except NotRun as error:
            if machine.version == version:
                self._fail(machine, str(error))
            return
        if machine.state == "destroyed":
            await self._remove_containers(machine)
            return
        await self._see()
        if machine.version != version:
            return
        machine.state, machine.started_at, machine.runs = "started", time.time(), version
        self.used_at[machine.id] = time.monotonic()
        self.checks.begin(machine)
        machine.happened("start", "started")

    def _fail(self, machine: Machine, why: str) -> None:
        machine.state = "failed"
        machine.happened("start", "failed", request={"error": why})

    async def _replace(self, app: App, machine: Machine, before: Before, version: str) -> None:
        """The new version instead of the old one; the old one goes on when the image cannot be pulled.

        When the machine is given yet another version meanwhile, the rest is left to whoever brings that.
        """
        if machine.version != version:
            return
        if "keeps_old_process" in machine.troubles and machine.id in self.seen:
            machine.state = "started"
            machine.happened("start", "started")
            return
        try:
            if "pull_fails" in machine.troubles:
                raise NotRun("failed to pull image")  # noqa: TRY301
            await self._pull(_by_digest(machine.image_ref))
        except NotRun as error:
            if machine.version == version:
                self._revert(machine, before, str(error))
            return
        if machine.id in self.seen and before.state != "stopped":
            config = before.config.get("stop_config") or {}
            seconds = seconds_of(config.get("timeout"), DEFAULT_STOP_SECONDS)
            await self._stop(machine, config.get("signal") or DEFAULT_SIGNAL, seconds, "replacing")
        if machine.version != version:
            return
        machine.restart_count = 0
        machine.state = "starting"
        await self._launch(app, machine)
        await self._maybe_revert(app, machine, before)

    def _revert(self, machine: Machine, before: Before, why: str) -> None:
        machine.happened("update", "failed", request={"error": why, "reverted_to": before.version})
        machine.version, machine.config, machine.image_ref = before.version, before.config, before.image_ref
        machine.state = before.state if before.state in SETTLED else "stopped"
        machine.troubles = {}

    async def _maybe_revert(self, app: App, machine: Machine, before: Before | None) -> None:
        fault = machine.troubles.get("revert")
        if not fault or not before:
            return
        self.changed()
        version = machine.version
        await asyncio.sleep(min(fault["seconds"], 5.0))
        if machine.version != version:
            return
        self._revert(machine, before, "reverted by the platform")
        if machine.state == "started":
            await self._launch(app, machine)
        else:
            await self._remove_containers(machine)

    async def _stop(self, machine: Machine, signal: str, seconds: float, then: str) -> None:
        if seen := self.seen.get(machine.id):
            ended = await asyncio.to_thread(self._containers.stop, seen.id, signal, seconds)
            self._exited(machine, ended, requested=True, restarting=False)
            await self._remove_containers(machine)
        if machine.state != "destroyed":
            machine.state = then

    async def _suspend(self, machine: Machine) -> None:
        if seen := self.seen.get(machine.id):
            await asyncio.to_thread(self._containers.pause, seen.id)
        machine.state = "suspended"

    async def _resume(self, machine: Machine) -> None:
        await asyncio.to_thread(self._containers.unpause, self.seen[machine.id].id)
        await self._see()
        machine.state, machine.started_at = "started", time.time()
        self.used_at[machine.id] = time.monotonic()
        machine.happened("start", "started")

    async def _remove_containers(self, machine: Machine) -> None:
        for seen in await asyncio.to_thread(self._containers.seen):
            if seen.machine == machine.id:
                await asyncio.to_thread(self._containers.remove, seen.id)
        self.seen.pop(machine.id, None)

    def _exited(self, machine: Machine, ended: Exit, *, requested: bool, restarting: bool) -> None:
        for check in machine.checks.values():
            check.update(status="critical", output="the machine is not running", updated_at=now_text())
        exit_event = {
            "exit_code": ended.code,
            "guest_exit_code": 0,
            "guest_signal": -1,
            "oom_killed": ended.oom_killed,
            "requested_stop": requested,
            "restarting": restarting,
            "exited_at": ended.at,
        }
        request = {"exit_event": exit_event, "restart_count": machine.restart_count}
        machine.happened("exit", "stopped", request=request)

    # -- watching over them ------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Until cancelled: restart what has died, run checks, stop what nobody uses."""
        await self._take_over()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._see()
            for app in list(self._world.apps.values()):
                for machine in app.alive:
                    self._look_after(app, machine)
                self._stop_idle(app)

    async def close(self) -> None:
        """End what is being done in the background."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.checks.close()

    async def _take_over(self) -> None:
        """Find the containers of a sim that ran before, and finish what it had begun."""
        await self._see()
        alive = {machine.id for app in self._world.apps.values() for machine in app.alive}
        for left in [seen for seen in self.seen.values() if seen.machine not in alive]:
            await asyncio.to_thread(self._containers.remove, left.id)
        for app in self._world.apps.values():
            for machine in app.alive:
                if machine.state == "started" and machine.id in self.seen:
                    self.checks.begin(machine, keep=True)
                elif machine.state == "stopping":
                    self._in_background(machine, self._stop(machine, DEFAULT_SIGNAL, DEFAULT_STOP_SECONDS, "stopped"))
                elif machine.state == "suspending":
                    self._in_background(machine, self._suspend(machine))
                elif machine.state not in SETTLED and machine.state != "created":
                    self._in_background(machine, self._launch(app, machine))

    async def _see(self) -> None:
        listed = await asyncio.to_thread(self._containers.seen)
        self.seen = {seen.machine: seen for seen in reversed(listed)}

    def _look_after(self, app: App, machine: Machine) -> None:
        lock = self._busy.get(machine.id)
        if machine.state != "started" or (lock and lock.locked()):
            return
        seen = self.seen.get(machine.id)
        if "crash_loop" in machine.troubles and seen and seen.state == "running":
            self._in_background(machine, asyncio.to_thread(self._containers.kill, seen.id))
        elif not seen or seen.state in {"exited", "dead"}:
            self._in_background(machine, self._restart_or_not(app, machine, seen))
        elif self.checks.run_due(machine, seen, self.changed):
            pass

    async def _restart_or_not(self, app: App, machine: Machine, seen: Seen | None) -> None:
        """What the restart policy says when a process has ended by itself."""
        ended = await asyncio.to_thread(self._containers.exit_of, seen.id if seen else "gone")
        if machine.state != "started":  # something else is asked of it meanwhile
            return
        policy = machine.config.get("restart") or {}
        wanted = policy.get("policy") or "on-failure"
        most = policy.get("max_retries") or DEFAULT_RETRIES
        again = wanted == "always" or (wanted == "on-failure" and ended.code != 0 and machine.restart_count < most)
        machine.restart_count += again
        self._exited(machine, ended, requested=False, restarting=again)
        await self._remove_containers(machine)
        machine.state = "starting" if again else "stopped"
        self.changed()
        if again:
            await asyncio.sleep(min(FIRST_BACKOFF_SECONDS * 2 ** (machine.restart_count - 1), MOST_BACKOFF_SECONDS))
            if machine.state == "starting":
                await self._launch(app, machine)

    def _stop_idle(self, app: App) -> None:
        """One machine less when there are more than are asked for and one of them had nothing to do for a while."""
        running = [machine for machine in app.alive if machine.state == "started" and not machine.cordoned]
        for machine in running:
            service: Json = next(iter(machine.config.get("services") or []), {})
            wanted = service.get("autostop")
            idle = time.monotonic() - self.used_at.setdefault(machine.id, time.monotonic())
            spare = len(running) > int(service.get("min_machines_running") or 0)
            if wanted in {None, False, "off"} or not spare or machine.live_lease():
                continue
            if idle >= self._idle_seconds and not self.in_flight.get(machine.id):
                if wanted == "suspend":
                    self.suspend(machine, "proxy")
                else:
                    self.stop(machine, "", None, "proxy")
                return


def _troubles(faults: list[Fault]) -> dict[str, Json]:
    return {fault.effect: {"seconds": fault.seconds} for fault in faults if fault.effect in ON_MACHINES}


def _by_digest(image_ref: Json) -> str:
    return f"{image_ref['registry']}/{image_ref['repository']}@{image_ref['digest']}"

"""Health checks: as often as a machine's configuration says, and at least once a second so that nobody need wait."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2

from code_insight_deploy.flysim.containers import Seen, seconds_of
from code_insight_deploy.flysim.world import Json, Machine, now_text

MOST_INTERVAL_SECONDS = 1.0
EAGER_SECONDS = 0.2
"""Until a check passes: whoever waits for that is not to wait for the interval."""
DEFAULT_TIMEOUT_SECONDS = 2.0
MOST_OUTPUT = 400
HANG_UP_SECONDS = 0.2
OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a machine's configuration."""

    name: str
    port: int
    said: Json
    of_service: bool


def checks_of(config: Json) -> Iterator[Check]:
    """The checks of a configuration: those of its services, named as flyctl names them, and those with a name."""
    for number, service in enumerate(config.get("services") or []):
        for said in service.get("checks") or []:
            port = int(said.get("port") or service["internal_port"])
            yield Check(f"servicecheck-{number:02}-{said.get('type', 'tcp')}-{port}", port, said, of_service=True)
    for name, said in (config.get("checks") or {}).items():
        yield Check(name, int(said.get("port") or 0), said, of_service=False)


def is_routable(machine: Machine) -> bool:
    """Whether all checks of its services pass; those that have none are taken to be well."""
    names = [check.name for check in checks_of(machine.config) if check.of_service]
    return all(machine.checks.get(name, {}).get("status") == "passing" for name in names)


class Checks:
    """The checks of all machines."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(trust_env=False)
        self._due: dict[tuple[str, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, machine: Machine, *, keep: bool = False) -> None:
        """The machine has been started: nothing is known of it yet, unless it is to be kept."""
        self.forget(machine.id)
        if not keep:
            unknown = {"status": "warning", "output": "waiting for status update"}
            machine.checks = {check.name: {**unknown, "updated_at": now_text()} for check in checks_of(machine.config)}

    def forget(self, machine: str) -> None:
        """The machine is gone, or not what it was."""
        self._due = {key: at for key, at in self._due.items() if key[0] != machine}

    def run_due(self, machine: Machine, seen: Seen, changed: Callable[[], None]) -> int:
        """Begin the checks whose time has come; returns how many. `changed` is called for each new result."""
        begun = 0
        for check in checks_of(machine.config):
            now, key = time.monotonic(), (machine.id, check.name)
            if now < self._due.get(key, 0):
                continue
            interval = min(seconds_of(check.said.get("interval"), MOST_INTERVAL_SECONDS), MOST_INTERVAL_SECONDS)
            passing = machine.checks.get(check.name, {}).get("status") == "passing"
            self._due[key] = now + (interval if passing else min(interval, EAGER_SECONDS))
            task = asyncio.create_task(self._run(machine, machine.version, check, seen, changed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            begun += 1
        return begun

    async def close(self) -> None:
        """No more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _run(self, machine: Machine, version: str, check: Check, seen: Seen, changed: Callable[[], None]) -> None:
        passed, output = await self._look(check, seen)
        if machine.version != version or machine.state != "started":
            return
        if "check_never_passes" in machine.troubles or _is_down(machine):
            passed, output = False, "flysim: ordered to fail"
        in_grace = time.time() - machine.started_at < seconds_of(check.said.get("grace_period"), 0)
        status = "passing" if passed else "warning" if in_grace else "critical"
        before = machine.checks.get(check.name, {}).get("status")
        machine.checks[check.name] = {"status": status, "output": output[:MOST_OUTPUT], "updated_at": now_text()}
        if status != before:
            changed()

    async def _look(self, check: Check, seen: Seen) -> tuple[bool, str]:
        port = seen.ports.get(check.port)
        timeout = seconds_of(check.said.get("timeout"), DEFAULT_TIMEOUT_SECONDS)
        if not port:
            return False, f"nothing is published at port {check.port}"
        try:
            if check.said.get("type") == "http":
                return await self._ask(check, port, timeout)
            return await _connect(port, timeout)
        except (OSError, httpx2.HTTPError, TimeoutError) as error:
            return False, f"{type(error).__name__}: {error}"

    async def _ask(self, check: Check, port: int, timeout: float) -> tuple[bool, str]:
        headers = [(given["name"], value) for given in check.said.get("headers") or [] for value in given["values"]]
        url = f"http://127.0.0.1:{port}{check.said.get('path') or '/'}"
        answer = await self._client.request(
            check.said.get("method") or "GET", url, headers=headers, timeout=timeout, follow_redirects=False
        )
        return answer.status_code in OK, f"{answer.status_code}: {answer.text}"


def _is_down(machine: Machine) -> bool:
    """Whether a machine that is well and unwell by turns is unwell now; it begins with the former."""
    flaps = machine.troubles.get("check_flaps")
    return bool(flaps and (time.time() - machine.started_at) // flaps["seconds"] % 2)


async def _connect(port: int, timeout: float) -> tuple[bool, str]:
    """Whether something listens. The engine accepts for the container, and hangs up when nobody is there."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), timeout)
    try:
        hung_up = await asyncio.wait_for(reader.read(1), HANG_UP_SECONDS) == b""
    except TimeoutError:
        hung_up = False
    finally:
        writer.close()
    return not hung_up, "connect: connection refused" if hung_up else "Success"

"""The Docker engine as the host of machines: every container and volume of a sim carries its label, and is found by it.

These functions block; the sim calls them in threads.
"""

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import requests
from docker.types import LogConfig

from code_insight_deploy.flysim.world import App, Json, Machine, now_text

LABEL = "flysim"
MACHINE_LABEL = "flysim.machine"
VERSION_LABEL = "flysim.version"
DEFAULT_MEMORY_MB = 256
DEFAULT_STOP_SECONDS = 5
MOST_PROCESSES = 512
DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class NotRun(Exception):
    """The engine could not pull the image, or could not start a container of it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container of a machine, as the engine sees it."""

    id: str
    machine: str
    version: str
    state: str
    """created, running, paused, exited or dead"""
    ports: dict[int, int]
    """Port in the container → port on 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container's process ended."""

    code: int
    oom_killed: bool
    at: str


class Containers:
    """The containers and volumes of one sim."""

    def __init__(self, engine: docker.DockerClient, sim: str) -> None:
        self._engine = engine
        self._sim = sim
        self._cpus = int(engine.info()["NCPU"])

    def pull(self, reference: str, password: str) -> str:
        """Have the image here; returns its ID. Raises NotRun when it cannot be had."""
        try:
            self._engine.api.pull(reference, auth_config={"username": "x", "password": password})
            return str(self._engine.images.get(reference).id)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise NotRun(f"failed to pull image {reference}: {error}") from error

    def run(self, app: App, machine: Machine, image: str) -> None:
        """Start a container for the machine's newest version. Raises NotRun when it does not start."""
        config = machine.config
        guest = config.get("guest") or {}
        memory = int(guest.get("memory_mb") or DEFAULT_MEMORY_MB) * 2**20
        init = config.get("init") or {}
        stop = config.get("stop_config") or {}
        try:
            container = self._engine.containers.create(
                image,
                command=init.get("exec") or init.get("cmd") or None,
                entrypoint=[] if init.get("exec") else init.get("entrypoint") or None,
                name=f"flysim-{self._sim}-{machine.id}-{machine.version[-8:].lower()}-{machine.restart_count}",
                environment=environment(app, machine),
                labels={LABEL: self._sim, MACHINE_LABEL: machine.id, VERSION_LABEL: machine.version},
                mem_limit=memory,
                memswap_limit=memory + int(init.get("swap_size_mb") or 0) * 2**20,
                nano_cpus=min(int(guest.get("cpus") or 1), self._cpus) * 10**9,
                pids_limit=MOST_PROCESSES,
                init=True,
                stop_signal=stop.get("signal") or "SIGINT",
                ports={f"{port}/tcp": ("127.0.0.1", 0) for port in ports_of(config)},
                volumes=self._volumes(config),
                log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
            )
            container.start()
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise NotRun(f"failed to start: {error}") from error

    def _volumes(self, config: Json) -> dict[str, dict[str, str]]:
        mounts = config.get("mounts") or []
        return {self.volume_name(mount["volume"]): {"bind": mount["path"], "mode": "rw"} for mount in mounts}

    def volume_name(self, volume: str) -> str:
        """The Docker volume that is Fly's volume `volume`."""
        return f"flysim-{self._sim}-{volume}"

    def make_volume(self, volume: str) -> None:
        """An empty one."""
        self._engine.volumes.create(self.volume_name(volume), labels={LABEL: self._sim})

    def drop_volume(self, volume: str) -> None:
        """Gone, with what was in it."""
        with contextlib.suppress(docker.errors.APIError):
            self._engine.volumes.get(self.volume_name(volume)).remove(force=True)

    def seen(self) -> list[Seen]:
        """All containers of this sim, the newest first."""
        listed = self._engine.api.containers(all=True, filters={"label": f"{LABEL}={self._sim}"})
        return [_seen(said) for said in listed if MACHINE_LABEL in said["Labels"]]

    def exit_of(self, container: str) -> Exit:
        """How the process ended; code 137 when the container is not even there."""
        try:
            state = self._engine.api.inspect_container(container)["State"]
        except docker.errors.NotFound:
            return Exit(code=137, oom_killed=False, at=now_text())
        return Exit(code=int(state["ExitCode"]), oom_killed=bool(state["OOMKilled"]), at=str(state["FinishedAt"]))

    def kill(self, container: str) -> None:
        """Its process dies at once, from outside."""
        with contextlib.suppress(docker.errors.APIError):
            self._engine.api.kill(container, "SIGKILL")

    def stop(self, container: str, signal: str, seconds: float) -> Exit:
        """Ask its process to end, and kill it when it has not ended in time."""
        with contextlib.suppress(docker.errors.APIError):
            self._engine.api.unpause(container)
        with contextlib.suppress(docker.errors.APIError):
            self._engine.api.kill(container, signal)
        with contextlib.suppress(requests.RequestException, docker.errors.APIError):
            self._engine.api.wait(container, timeout=math.ceil(max(seconds, 1)))
        self.kill(container)
        with contextlib.suppress(requests.RequestException, docker.errors.APIError):
            self._engine.api.wait(container, timeout=DEFAULT_STOP_SECONDS)
        return self.exit_of(container)

    def pause(self, container: str) -> None:
        """Stand still, memory kept."""
        with contextlib.suppress(docker.errors.APIError):  # it stands still already
            self._engine.api.pause(container)

    def unpause(self, container: str) -> None:
        """Go on."""
        self._engine.api.unpause(container)

    def remove(self, container: str) -> None:
        """Gone, whatever it did."""
        with contextlib.suppress(docker.errors.APIError):
            self._engine.api.remove_container(container, force=True)

    def processes(self, container: str) -> list[list[str]]:
        """What `ps` says of the container: a row for each process, in the columns pid, rss, args."""
        try:
            return list(self._engine.api.top(container, "-eo pid,rss,args")["Processes"] or [])
        except docker.errors.APIError:
            return []

    def log(self, container: str) -> str:
        """The last lines that the process has printed."""
        try:
            return bytes(self._engine.api.logs(container, tail=100)).decode("utf-8", "replace")
        except docker.errors.APIError:
            return ""

    def remove_all(self, registry_host: str) -> None:
        """Remove every container and volume of this sim, and the images that were pulled from its registry."""
        for container in self._engine.containers.list(all=True, filters={"label": f"{LABEL}={self._sim}"}):
            self.remove(str(container.id))
        for volume in self._engine.volumes.list(filters={"label": f"{LABEL}={self._sim}"}):
            with contextlib.suppress(docker.errors.APIError):
                volume.remove(force=True)
        for reference in self._references(f"{registry_host}/"):
            with contextlib.suppress(docker.errors.APIError):
                self._engine.images.remove(reference)

    def _references(self, prefix: str) -> Iterator[str]:
        for image in self._engine.api.images():
            for reference in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
                if reference.startswith(prefix):
                    yield reference


def _seen(said: dict[str, Any]) -> Seen:
    published = {int(port["PrivatePort"]): int(port["PublicPort"]) for port in said["Ports"] if "PublicPort" in port}
    labels = said["Labels"]
    return Seen(str(said["Id"]), labels[MACHINE_LABEL], labels[VERSION_LABEL], str(said["State"]), published)


def environment(app: App, machine: Machine) -> dict[str, str]:
    """What a process finds in its environment: the app's secrets, the machine's own, and what Fly adds."""
    given = {key: str(value) for key, value in (machine.config.get("env") or {}).items()}
    metadata = machine.config.get("metadata") or {}
    memory = (machine.config.get("guest") or {}).get("memory_mb") or DEFAULT_MEMORY_MB
    return {
        **app.secrets,
        "PRIMARY_REGION": machine.region,
        "FLY_PROCESS_GROUP": metadata.get("fly_process_group", ""),
        **given,
        "FLY_APP_NAME": app.name,
        "FLY_MACHINE_ID": machine.id,
        "FLY_ALLOC_ID": machine.id,
        "FLY_MACHINE_VERSION": machine.version,
        "FLY_IMAGE_REF": machine.config["image"],
        "FLY_REGION": machine.region,
        "FLY_PRIVATE_IP": machine.private_ip,
        "FLY_VM_MEMORY_MB": str(memory),
    }


def ports_of(config: Json) -> list[int]:
    """Every port on which something in the machine is to listen."""
    services = config.get("services") or []
    asked = [service.get("internal_port") for service in services]
    asked += [check.get("port") for service in services for check in service.get("checks") or []]
    asked += [check.get("port") for check in (config.get("checks") or {}).values()]
    return sorted({int(port) for port in asked if port})


def seconds_of(duration: Any, default: float) -> float:
    """A duration as Fly writes it (10s, 1m30s, 500ms; a number is seconds); the default when there is none."""
    if isinstance(duration, int | float):
        return float(duration)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(duration or ""))
    return sum(float(number) * DURATION_UNITS[unit] for number, unit in parts) if parts else default

"""A fly*.toml as an App, as the configuration of a machine, and written back with the image that is to run.

What flyctl makes of the same file is made of it here (superfly/flyctl, internal/appconfig), for the sections that are
understood; any other is refused, since a machine made without it would not be the one that the file describes.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions
from tomlkit.items import Table

from code_insight_deploy.errors import BadConfig

Json = dict[str, Any]

MEGABYTE = 1024 * 1024
UNITS = {"": 1, "mb": 1, "gb": 1024}
DEFAULT_GRACE_SECONDS = 5
"""Fly's own default of kill_timeout."""
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
SIZE = re.compile(r"(shared|performance)-(?:cpu-)?(\d+)x")
PROCESS_GROUP = "app"
SET_BY_FLY = re.compile(r"FLY_.*|PRIMARY_REGION")
ONLY_FOR_FLYCTL = {"app", "primary_region", "kill_signal", "kill_timeout", "build", "deploy", "console_command"}
UNDERSTOOD = ONLY_FOR_FLYCTL | {"env", "mounts", "http_service", "vm", "restart", "checks", "swap_size_mb"}
UNDERSTOOD_OF_DEPLOY = frozenset({"strategy", "wait_timeout", "max_unavailable"})
UNDERSTOOD_OF_SERVICE = frozenset(
    {
        "internal_port",
        "force_https",
        "auto_stop_machines",
        "auto_start_machines",
        "min_machines_running",
        "concurrency",
        "checks",
        "processes",
        "http_options",
        "tls_options",
    }
)
UNDERSTOOD_OF_MOUNT = frozenset({"source", "destination", "initial_size", "snapshot_retention", "scheduled_snapshots"})
UNDERSTOOD_OF_CHECK = frozenset(
    {
        "type",
        "port",
        "method",
        "path",
        "interval",
        "timeout",
        "grace_period",
        "protocol",
        "tls_server_name",
        "tls_skip_verify",
        "headers",
    }
)
STRATEGIES = ("rolling", "bluegreen")
DURATIONS = frozenset({"interval", "timeout", "grace_period"})
MEND = "Mend the file; fly.toml of this repository is an example."


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume that a machine of the app has."""

    name: str
    path: str
    size_gb: int
    """With which the volume is created."""


@dataclass(frozen=True, slots=True)
class App:
    """One app on Fly, as its file describes it."""

    name: str
    port: int
    """On which the server listens inside the machine."""
    memory_bytes: int
    cpus: int
    probe: str
    """The path that answers 200 when the machine is well."""
    grace_seconds: int
    """How long a machine may take to end after it was asked to."""
    region: str = ""
    """Where machines and volumes are created; "" leaves it to Fly."""
    config: Path = Path()
    """The file."""
    strategy: str = "rolling"
    """How machines are changed: rolling or bluegreen."""
    mounts: tuple[Mount, ...] = ()
    text: str = field(default="", repr=False, compare=False)
    """The file's own."""
    said: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """All that the file says."""


def read_app(path: Path, *, name: str = "") -> App:
    """The app that the file at `path` describes. Raises BadConfig with what is missing in it, or when it is not of the
    app `name`, if one is given.
    """
    try:
        text = path.read_text(encoding="utf-8")
        said = tomlkit.parse(text).unwrap()
        _refuse_without_checks(path, said)
        return _app(path, text, said, name)
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}", "Name the app's file with --config.") from error
    except (tomlkit.exceptions.ParseError, ValueError, TypeError, AttributeError) as error:
        raise BadConfig(f"{path}: {error}", MEND) from error
    except (KeyError, IndexError) as error:
        missing = "app, http_service.internal_port, http_service.checks[].path, vm[].memory"
        raise BadConfig(f"{path} does not say {error}", f"It needs {missing}; see fly.toml.") from error


def file_of(folder: Path, name: str) -> Path:
    """The fly*.toml in `folder` that is of the app `name`. Raises BadConfig when none is, or one cannot be read."""
    for path in sorted(folder.glob("fly*.toml")):
        if read_app(path).name == name:
            return path
    raise BadConfig(
        f"no fly*.toml in {folder} is of the app {name!r}",
        f'Copy one of them to fly-{name}.toml and write app = "{name}" there, or name its file with --config.',
    )


def _app(path: Path, text: str, said: Json, name: str) -> App:
    machine, service = said["vm"][0], said["http_service"]
    if not NAME.fullmatch(str(said["app"])):
        raise ValueError(f"app = {said['app']!r}: a name has lower-case letters, digits and dashes only")
    if name and said["app"] != name:
        raise ValueError(f"app = {said['app']!r}, and the app {name!r} was asked for")
    return App(
        name=said["app"],
        port=int(service["internal_port"]),
        memory_bytes=_megabytes(str(machine["memory"])) * MEGABYTE,
        cpus=int(machine.get("cpus", 1)),
        probe=service["checks"][0]["path"],
        grace_seconds=int(_seconds(said.get("kill_timeout", DEFAULT_GRACE_SECONDS))),
        region=str(said.get("primary_region", "")),
        config=path,
        strategy=_strategy(said),
        mounts=tuple(_mount(mount) for mount in _listed(said.get("mounts"))),
        text=text,
        said=said,
    )


def _strategy(said: Json) -> str:
    strategy = str(said.get("deploy", {}).get("strategy", "rolling"))
    if strategy not in STRATEGIES:
        raise ValueError(f"deploy.strategy = {strategy!r}: {' or '.join(STRATEGIES)} is expected")
    return strategy


def _refuse_without_checks(path: Path, said: Json) -> None:
    service = said["http_service"]
    if not service.get("checks"):
        raise BadConfig(
            f"{path} has no [[http_service.checks]]: a release would be called good while the machine answers nothing",
            'Add a check of path = "/info"; see fly.toml.',
        )


def _mount(said: Json) -> Mount:
    size = -(-_megabytes(str(said.get("initial_size", "1gb"))) // 1024)
    return Mount(name=said["source"], path=said["destination"], size_gb=size)


def warnings(app: App) -> tuple[str, ...]:
    """What in the file makes a release harder to trust, in sentences; empty when nothing does."""
    service = app.said.get("http_service", {})
    sleeps = _autostop(service.get("auto_stop_machines", False)) is not False
    if not sleeps or service.get("min_machines_running"):
        return ()
    what = "auto_stop_machines with min_machines_running = 0: all machines may be stopped, and a deploy by flyctl "
    return (f"{what}updates stopped machines without starting them; they are woken to be verified.",)


def check_port(app: App, exposed: Collection[int]) -> None:
    """Raises BadConfig when the image exposes ports, and the one that the file names is none of them."""
    if exposed and app.port not in exposed:
        ports = ", ".join(map(str, sorted(exposed)))
        raise BadConfig(
            f"{app.config}: http_service.internal_port = {app.port}, and the image listens on {ports}",
            f"Write internal_port = {min(exposed)}, or EXPOSE {app.port} in the Dockerfile if that is right.",
        )


# As the configuration of a machine


def machine_config(app: App, reference: str) -> Json:
    """Fly's MachineConfig for a machine of `app` that runs the image `reference`; mounts name their volumes.

    Raises BadConfig for a section of the file that is not understood here.
    """
    try:
        _refuse_unknown("", app.said, UNDERSTOOD)
        return _machine_config(app, reference)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadConfig(f"{app.config}: {error}", MEND) from error


def _machine_config(app: App, reference: str) -> Json:
    said = app.said
    env = {key: str(value) for key, value in said.get("env", {}).items()}
    config: Json = {
        "image": reference,
        "env": {**env, "FLY_PROCESS_GROUP": PROCESS_GROUP, **({"PRIMARY_REGION": app.region} if app.region else {})},
        "guest": _guest(said["vm"][0]),
        "services": [_service(said["http_service"])],
        "metadata": {"fly_platform_version": "v2", "fly_process_group": PROCESS_GROUP},
        "stop_config": {"timeout": f"{app.grace_seconds}s"},
    }
    config["stop_config"] |= {"signal": said["kill_signal"]} if "kill_signal" in said else {}
    _refuse_unknown("deploy.", said.get("deploy", {}), UNDERSTOOD_OF_DEPLOY)
    for mount in _listed(said.get("mounts")):
        _refuse_unknown("mounts.", mount, UNDERSTOOD_OF_MOUNT)
    config |= {"mounts": [{"name": mount.name, "path": mount.path} for mount in app.mounts]} if app.mounts else {}
    config |= {"checks": {key: _check(one) for key, one in said["checks"].items()}} if said.get("checks") else {}
    config |= {"restart": _restart(_listed(said["restart"])[0])} if said.get("restart") else {}
    config |= {"init": {"swap_size_mb": said["swap_size_mb"]}} if said.get("swap_size_mb") else {}
    return config


def _guest(said: Json) -> Json:
    size = SIZE.fullmatch(str(said.get("size", "shared-cpu-1x")))
    if not size:
        raise ValueError(f"vm.size = {said['size']!r} is not understood; write cpu_kind, cpus and memory")
    return {
        "cpu_kind": said.get("cpu_kind", size[1]),
        "cpus": int(said.get("cpus") or size[2]),
        "memory_mb": _megabytes(str(said["memory"])),
    }


def _service(said: Json) -> Json:
    _refuse_unknown("http_service.", said, UNDERSTOOD_OF_SERVICE)
    if said.get("processes", [PROCESS_GROUP]) != [PROCESS_GROUP]:
        raise ValueError("http_service.processes: only the process group `app` is understood")
    http = {"http_options": said["http_options"]} if "http_options" in said else {}
    tls = {"tls_options": said["tls_options"]} if "tls_options" in said else {}
    forced = {"force_https": True} if said.get("force_https") else {}
    service: Json = {
        "protocol": "tcp",
        "internal_port": int(said["internal_port"]),
        "autostop": _autostop(said.get("auto_stop_machines", False)),
        "autostart": bool(said.get("auto_start_machines", True)),
        "ports": [
            {"port": 80, "handlers": ["http"], **forced, **http},
            {"port": 443, "handlers": ["http", "tls"], **http, **tls},
        ],
        "checks": [_check({"type": "http", **check}) for check in said["checks"]],
    }
    service |= {key: said[key] for key in ("min_machines_running", "concurrency") if key in said}
    return service


def _check(said: Json) -> Json:
    _refuse_unknown("checks.", said, UNDERSTOOD_OF_CHECK)
    check = {key: _written(_seconds(value)) if key in DURATIONS else value for key, value in said.items()}
    if headers := said.get("headers"):
        check["headers"] = [{"name": name, "values": _listed(value)} for name, value in headers.items()]
    return check


def _restart(said: Json) -> Json:
    policy = {"never": "no"}.get(said["policy"], said["policy"])
    return {"policy": policy, **({"max_retries": said["retries"]} if "retries" in said else {})}


def _autostop(said: object) -> bool | str:
    return {"off": False, "stop": True}.get(str(said), "suspend" if said == "suspend" else bool(said))


def _refuse_unknown(where: str, said: Mapping[str, Any], understood: Collection[str]) -> None:
    if unknown := sorted(set(said) - set(understood)):
        raise ValueError(f"{where}{unknown[0]} is not understood here, and would be lost")


def _listed(said: Any) -> list[Any]:
    if said is None:
        return []
    return list(said) if isinstance(said, list) else [said]


def for_machine(wanted: Mapping[str, Any], current: Mapping[str, Any]) -> Json:
    """`wanted` for a machine that has the configuration `current`: it keeps its volumes, and what nobody mentions."""
    volumes = {mount.get("path"): mount for mount in current.get("mounts") or ()}
    mounts = [{**volumes.get(mount.get("path"), {}), **mount} for mount in wanted.get("mounts") or ()]
    metadata = {**(current.get("metadata") or {}), **(wanted.get("metadata") or {})}
    return {**current, **wanted, "metadata": metadata, **({"mounts": mounts} if mounts else {})}


# What is not as it is wanted


def differences(wanted: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[str, ...]:
    """What of `wanted` a machine with the configuration `current` does not have, each in words: "guest.memory_mb 256 →
    512". Metadata and what only the platform sets are left out; so is the way in which a value is written.
    """
    own = {key: value for key, value in wanted.items() if key != "metadata"}
    there = {**current, "env": _ours(current.get("env") or {}, own.get("env") or {})}
    return tuple(_differing("", own, there))


def _ours(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    return {key: value for key, value in current.items() if key in wanted or not SET_BY_FLY.fullmatch(key)}


def _differing(where: str, wanted: Any, current: Any) -> Iterator[str]:
    key = where.rpartition(".")[2]
    if isinstance(wanted, Mapping) and isinstance(current, Mapping | None):
        there = current or {}
        complete = key in {"env", "checks"}  # what is there too much counts as well
        for name in [*wanted, *(name for name in there if complete and name not in wanted)]:
            yield from _differing(f"{where}.{name}".lstrip("."), wanted.get(name), there.get(name))
    elif isinstance(wanted, list) and isinstance(current, list) and len(wanted) == len(current):
        for number, (one, other) in enumerate(zip(_sorted(wanted), _sorted(current), strict=True)):
            yield from _differing(f"{where}[{number}]", one, other)
    elif _canonical(key, wanted) != _canonical(key, current):
        yield f"{where} {_shown(key, current)} → {_shown(key, wanted)}"


def _sorted(values: list[Any]) -> list[Any]:
    """In an order that does not depend on who wrote them down."""
    return sorted(
        values, key=lambda one: str([one.get(key, "") for key in ("port", "path", "name")] if _is_map(one) else one)
    )


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _canonical(key: str, value: Any) -> Any:
    if key == "autostop":
        return _autostop(value)
    if key in DURATIONS and value is not None:
        return _seconds(value / 1e9 if isinstance(value, int) else value)
    if key == "method":
        return str(value or "GET").upper()
    return value or None if isinstance(value, bool | dict | list) else value


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "(none)"
    digest = re.search(r"sha256:[0-9a-f]{12}", str(value)) if key == "image" else None
    return digest[0] if digest else str(value)


# Written back


def with_image(text: str, reference: str) -> str:
    """The file's text with [build] image = `reference` in place of whatever built one; all else stays as it is.

    Raises BadConfig when the text cannot be read.
    """
    try:
        document = tomlkit.parse(text)
    except tomlkit.exceptions.ParseError as error:
        raise BadConfig(f"the app's file: {error}", MEND) from error
    build = document.setdefault("build", tomlkit.table())
    if not isinstance(build, Table):
        raise BadConfig(f"the app's file: build = {build!r} is no section", MEND)
    for key in [key for key in build if key != "image"]:
        build.remove(key)
    build["image"] = reference
    return tomlkit.dumps(document)


def _megabytes(text: str) -> int:
    """512, "512mb" or "1gb", as Fly reads them."""
    found = re.fullmatch(r"(\d+) ?([a-z]*)", text.strip().lower())
    if not found or found[2] not in UNITS:
        raise ValueError(f"memory of {text!r}: say it as 512mb or 1gb")
    return int(found[1]) * UNITS[found[2]]


def _seconds(said: Any) -> float:
    """10, "10s", "1m30s" or "500ms", as Go reads them; a number is of seconds."""
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    found = DURATION.fullmatch(str(said).strip())
    if not found or not any(found.groups()):
        raise ValueError(f"time of {said!r}: say it as 10s or 1m30s")
    hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _written(seconds: float) -> str:
    return f"{seconds:g}s"

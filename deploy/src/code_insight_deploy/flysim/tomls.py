"""What flyctl makes of a fly.toml: a machine's configuration. On purpose not the release's own reading of it."""

import re
import tomllib
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SIZES = {"shared-cpu-1x": ("shared", 1, 256), "shared-cpu-2x": ("shared", 2, 512), "shared-cpu-4x": ("shared", 4, 1024)}
SIZES |= {"performance-1x": ("performance", 1, 2048), "performance-2x": ("performance", 2, 4096)}
AUTOSTOP = {"off": False, "stop": True, "suspend": "suspend", True: True, False: False}
CHECK_KEYS = ("method", "path", "protocol", "tls_skip_verify", "tls_server_name", "interval", "timeout", "grace_period")


class BadTomlError(Exception):
    """The file cannot be read, or says what flyctl would not take."""


def load(path: Path) -> Json:
    """The file's content, validated. Raises BadTomlError."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadTomlError(f"failed loading app config from {path}: {error}") from error
    if problems := problems_of(said):
        raise BadTomlError("\n".join(["Validation failed:", *problems]))
    return said


def problems_of(said: Json) -> list[str]:
    """What `flyctl config validate` complains of; empty when nothing."""
    problems = []
    service = said.get("http_service")
    if service is not None and not isinstance(service.get("internal_port"), int):
        problems.append("http_service: internal_port must be set")
    strategy = (said.get("deploy") or {}).get("strategy", "rolling")
    if strategy not in {"rolling", "canary", "bluegreen", "immediate"}:
        problems.append(f"deploy.strategy: unsupported deployment strategy '{strategy}'")
    sizes = [machine["size"] for machine in _list(said.get("vm")) if machine.get("size")]
    return problems + [f"vm: invalid machine size requested, '{size}'" for size in sizes if size not in SIZES]


def machine_config(said: Json, image: str, mounts: list[Json], metadata: dict[str, str]) -> Json:
    """The configuration of a machine in the only process group, `app`."""
    region = str(said.get("primary_region") or "")
    environment = {key: str(value) for key, value in (said.get("env") or {}).items()}
    config: Json = {
        "image": image,
        "env": {**environment, "FLY_PROCESS_GROUP": "app", **({"PRIMARY_REGION": region} if region else {})},
        "guest": _guest(said),
        "metadata": metadata,
        "init": {},
        "restart": {"policy": "on-failure", "max_retries": 10},
        "services": services_of(said),
        "checks": {name: _check(check) for name, check in (said.get("checks") or {}).items()},
        "mounts": mounts,
    }
    stop = {"signal": said.get("kill_signal"), "timeout": _duration(said.get("kill_timeout"))}
    if any(stop.values()):
        config["stop_config"] = {key: value for key, value in stop.items() if value}
    return {key: value for key, value in config.items() if value not in ([], {}) or key in {"env", "init"}}


def services_of(said: Json) -> list[Json]:
    """The services: that of [http_service] at ports 80 and 443, and those of [[services]]."""
    services = []
    if http := said.get("http_service"):
        ports = [
            {"port": 80, "handlers": ["http"], "force_https": bool(http.get("force_https"))},
            {"port": 443, "handlers": ["http", "tls"]},
        ]
        checks = [_check({"type": "http", **check}) for check in _list(http.get("checks"))]
        services.append(_service(http, "tcp", ports, checks))
    for service in _list(said.get("services")):
        checks = [_check({"type": "http", **check}) for check in _list(service.get("http_checks"))]
        checks += [_check({"type": "tcp", **check}) for check in _list(service.get("tcp_checks"))]
        services.append(_service(service, service.get("protocol", "tcp"), _list(service.get("ports")), checks))
    return services


def _service(said: Json, protocol: str, ports: list[Json], checks: list[Json]) -> Json:
    service = {
        "protocol": protocol,
        "internal_port": said["internal_port"],
        "autostop": AUTOSTOP.get(said.get("auto_stop_machines", False), False),
        "autostart": bool(said.get("auto_start_machines", True)),
        "min_machines_running": int(said.get("min_machines_running", 0)),
        "ports": ports,
        "checks": checks,
    }
    return {**service, **({"concurrency": said["concurrency"]} if said.get("concurrency") else {})}


def _check(said: Json) -> Json:
    check = {key: said[key] for key in CHECK_KEYS if key in said}
    for key in ("interval", "timeout", "grace_period"):
        if key in check:
            check[key] = _duration(check[key])
    if "port" in said:
        check["port"] = said["port"]
    return {"type": said.get("type", "tcp"), **check}


def _guest(said: Json) -> Json:
    machine = next(iter(_list(said.get("vm"))), {})
    kind, cpus, memory = SIZES[machine.get("size", "shared-cpu-1x")]
    return {
        "cpu_kind": machine.get("cpu_kind", kind),
        "cpus": int(machine.get("cpus", cpus)),
        "memory_mb": megabytes(machine["memory"]) if "memory" in machine else int(machine.get("memory_mb", memory)),
    }


def megabytes(said: Any) -> int:
    """512, "512mb" and "1gb"."""
    found = re.fullmatch(r"(\d+)\s*([a-z]*)", str(said).strip().lower())
    if not found or found[2] not in {"", "mb", "gb", "mib", "gib"}:
        raise BadTomlError(f"invalid size '{said}'")
    return int(found[1]) * (1024 if found[2].startswith("g") else 1)


def mounts_of(said: Json) -> list[Json]:
    """source, destination and initial_size of each mount."""
    return _list(said.get("mounts"))


def _duration(said: Any) -> str:
    return f"{said}s" if isinstance(said, int) and not isinstance(said, bool) else str(said or "")


def _list(said: Any) -> list[Json]:
    """A table or a list of tables, as a list."""
    return said if isinstance(said, list) else [said] if isinstance(said, dict) else []

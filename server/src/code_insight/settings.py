"""Every environment variable that the server reads: meaning, unit, default. Read once, checked at once."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PREFIX = "CODE_INSIGHT_"
_OID = re.compile(r"[0-9a-f]{40}")
_HOST = re.compile(r"[a-z0-9.-]+(:\d{1,5})?")
_ENDPOINT = re.compile(r"https?://[^\s/@]+(/[^\s?#]*)?")
_HEADER = re.compile(r"\s*[\w-]+\s*=\s*\S*\s*")


class SettingsError(Exception):
    """One line for each setting that is wrong."""


class SecretError(ValueError):
    """A value that is wrong, and that may hold a secret: it is not shown."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs; the same names, in capitals and with CODE_INSIGHT_ in front, are environment variables."""

    host: str = "127.0.0.1"  # address to listen at
    port: int = 8080
    data_dir: Path = Path(".code-insight")  # where indexes are kept
    repositories: tuple[str, ...] = ()  # URLs and folders that are indexed at start; space-separated
    clone_hosts: tuple[str, ...] = ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org", "git.sr.ht")
    clone_private_addresses: bool = False  # whether those hosts may have addresses that are not public
    ca_file: str = ""  # certificates to trust for https, instead of the system's
    local_folders: tuple[Path, ...] = ()  # below which folders may be indexed; colon-separated
    allowed_hosts: tuple[str, ...] = ()  # names under which /mcp may be asked, beside localhost and the Fly app's own
    repositories_max: int = 100
    store_bytes_max: int = 16 << 30  # that they take on disk; the least recently used go, configured ones last
    jobs: int = 2  # repositories that are indexed at the same time
    job_seconds_max: int = 900
    clone_seconds_max: int = 300
    clone_bytes_max: int = 1 << 30  # of a fetched pack
    git_memory_bytes_max: int = 1 << 30
    files_max: int = 100_000  # of a commit
    file_bytes_max: int = 1 << 20  # a larger file is listed and not indexed
    total_bytes_max: int = 1 << 29  # of all files of a commit that are indexed
    commits_max: int = 3  # kept per repository
    history_commits_max: int = 20_000  # of the history of one commit
    workers: int = 2  # processes that parse, per job
    parse_seconds_max: int = 10  # of one file; its symbols are missing if they take longer
    redact_secrets: bool = False  # whether what has the form of a credential is written over before it is indexed
    connections_max: int = 256
    receive_seconds_max: int = 10  # for a request to arrive whole
    body_bytes_max: int = 1 << 18  # of a request
    requests_at_once: int = 128  # that are being answered
    client_requests_at_once: int = 16
    client_requests_per_minute: int = 600  # and as many at once after a quiet minute; 0 for any number
    access_file: str = ""  # who may ask without a token, and which tokens there are (docs/operating.md)
    metrics_port: int = 0  # where Prometheus asks; 0 for nowhere
    log_format: str = "text"  # or "json"
    traces: bool = False  # sent to a collector; OpenTelemetry's own variables say so, and where, without prefix
    source_tree: str = ""  # git tree of the source that runs, baked into the image
    fly_app_name: str = ""  # without prefix, set by Fly: FLY_APP_NAME, …
    fly_machine_id: str = ""
    fly_machine_version: str = ""
    fly_image_ref: str = ""
    fly_region: str = ""

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """Names under which /mcp may be asked, beside localhost."""
        return (*self.allowed_hosts, *((f"{self.fly_app_name}.fly.dev",) if self.fly_app_name else ()))


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of an environment (this process's by default); raises SettingsError with all that is wrong."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    problems = []
    for name, parse in _PARSERS.items():
        variable = _variable(name)
        if text := environment.get(variable, "").strip():
            try:
                values[name] = parse(text)
            except SecretError as error:
                problems.append(f"{variable}: {error}")
            except ValueError as error:
                problems.append(f"{variable}={text[:80]!r}: {error}")
    try:
        values["traces"] = _wants_traces(environment)
    except ValueError as error:
        problems.append(str(error))
    known = set(map(_variable, _PARSERS))
    unknown = sorted(name for name in environment if name.startswith(_PREFIX) and name not in known)
    problems += [f"{name} is not a setting; docs/operating.md lists them" for name in unknown]
    if problems:
        raise SettingsError("\n".join(problems))
    return Settings(**values)


def _variable(name: str) -> str:
    if name == "traces":
        return "OTEL_TRACES_EXPORTER"
    return name.upper() if name.startswith("fly_") else _PREFIX + name.upper()


def _wants_traces(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for traces; those that are read here are only those that decide it, and
    those of which the SDK would say in its own log what is wrong, headers included."""

    def told(*names: str) -> str:
        return next((text for name in names if (text := environment.get(f"OTEL_{name}", "").strip())), "")

    endpoint = told("EXPORTER_OTLP_TRACES_ENDPOINT", "EXPORTER_OTLP_ENDPOINT")
    exporter = told("TRACES_EXPORTER") or ("otlp" if endpoint else "none")
    if exporter == "none" or told("SDK_DISABLED").lower() == "true":
        return False
    if exporter != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={exporter[:80]!r}: otlp or none is expected")
    if (protocol := told("EXPORTER_OTLP_TRACES_PROTOCOL", "EXPORTER_OTLP_PROTOCOL")) not in ("", "http/protobuf"):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol[:80]!r}: http/protobuf is expected")
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        raise ValueError("OTEL_EXPORTER_OTLP_ENDPOINT: a URL such as http://localhost:4318 is expected, without a user")
    headers = told("EXPORTER_OTLP_TRACES_HEADERS", "EXPORTER_OTLP_HEADERS")
    if headers and not all(map(_HEADER.fullmatch, headers.rstrip(",").split(","))):
        raise ValueError("OTEL_EXPORTER_OTLP_HEADERS: name=value,name=value is expected, with %20 for a space")
    if not _is_installed("opentelemetry.sdk.trace") or not _is_installed("opentelemetry.exporter.otlp.proto.http"):
        raise ValueError("OTEL_… asks for traces: install code-insight[otel], or set OTEL_TRACES_EXPORTER=none")
    return True


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,} is expected")
        return int(text)

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{' or '.join(names)} is expected")
        return text

    return parse


def _urls(text: str) -> tuple[str, ...]:
    if any("://" in url and "@" in url for url in text.split()):  # it would stand in /info and in the log
        raise SecretError("a URL without a user, password or token is expected")
    return tuple(text.split())


def _truth(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true", "no", "yes"):
        raise ValueError("true or false is expected")
    return text.lower() in ("1", "true", "yes")


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("there is no such user") from None


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return text


def _folders(text: str) -> tuple[Path, ...]:
    folders = [_path(part) for part in text.split(os.pathsep) if part]
    if missing := [folder for folder in folders if not folder.is_absolute()]:
        raise ValueError(f"absolute folders are expected, not {missing[0]}")
    return tuple(folder.resolve() for folder in folders)


def _hosts(text: str) -> tuple[str, ...]:
    hosts = text.replace(",", " ").split()
    if wrong := [host for host in hosts if not _HOST.fullmatch(host)]:
        raise ValueError(f"lower-case host names are expected, not {wrong[0]!r}")
    return tuple(hosts)


def _oid(text: str) -> str:
    if text == "unknown":  # an image that was built by hand
        return ""
    if not _OID.fullmatch(text):
        raise ValueError("40 hexadecimal digits are expected")
    return text


_PARSERS: dict[str, Callable[[str], Any]] = {
    "host": str,
    "port": _whole(0, 65_535),
    "data_dir": _path,
    "repositories": _urls,
    "clone_hosts": _hosts,
    "clone_private_addresses": _truth,
    "ca_file": _file,
    "local_folders": _folders,
    "allowed_hosts": _hosts,
    "repositories_max": _whole(1, 100_000),
    "store_bytes_max": _whole(1 << 20, 1 << 50),
    "jobs": _whole(1, 64),
    "job_seconds_max": _whole(1, 86_400),
    "clone_seconds_max": _whole(1, 86_400),
    "clone_bytes_max": _whole(1 << 16, 1 << 40),
    "git_memory_bytes_max": _whole(1 << 26, 1 << 40),
    "files_max": _whole(1, 10_000_000),
    "file_bytes_max": _whole(1, 1 << 26),
    "total_bytes_max": _whole(1, 1 << 40),
    "commits_max": _whole(1, 1_000),
    "history_commits_max": _whole(1, 1_000_000),
    "workers": _whole(1, 64),
    "parse_seconds_max": _whole(1, 3_600),
    "redact_secrets": _truth,
    "connections_max": _whole(8, 100_000),
    "receive_seconds_max": _whole(1, 3_600),
    "body_bytes_max": _whole(1 << 10, 1 << 22),  # the MCP library reads no more
    "requests_at_once": _whole(1, 100_000),
    "client_requests_at_once": _whole(1, 100_000),
    "client_requests_per_minute": _whole(0, 10_000_000),
    "access_file": _file,
    "metrics_port": _whole(0, 65_535),
    "log_format": _one_of("text", "json"),
    "source_tree": _oid,
    "fly_app_name": str,
    "fly_machine_id": str,
    "fly_machine_version": str,
    "fly_image_ref": str,
    "fly_region": str,
}

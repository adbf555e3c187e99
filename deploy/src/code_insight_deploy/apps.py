"""A fly*.toml as an App: the few things in it that a release has to know."""

import re
from dataclasses import dataclass
from pathlib import Path

import tomlkit
import tomlkit.exceptions

from code_insight_deploy.errors import BadConfig

MEGABYTE = 1024 * 1024
UNITS = {"": 1, "mb": 1, "gb": 1024}
DEFAULT_GRACE_SECONDS = 5
"""Fly's own default of kill_timeout."""


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


def read_app(path: Path) -> App:
    """The app that the file at `path` describes. Raises BadConfig with what is missing in it."""
    try:
        said = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
        machine = said["vm"][0]
        service = said["http_service"]
        return App(
            name=said["app"],
            port=int(service["internal_port"]),
            memory_bytes=_megabytes(str(machine["memory"])) * MEGABYTE,
            cpus=int(machine.get("cpus", 1)),
            probe=service["checks"][0]["path"],
            grace_seconds=int(said.get("kill_timeout", DEFAULT_GRACE_SECONDS)),
        )
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}", "Name the app's file with --config.") from error
    except (tomlkit.exceptions.ParseError, ValueError, TypeError) as error:
        raise BadConfig(f"{path}: {error}", "Mend the file; fly.toml of this repository is an example.") from error
    except (KeyError, IndexError) as error:
        missing = "app, http_service.internal_port, http_service.checks[].path, vm[].memory"
        raise BadConfig(f"{path} does not say {error}", f"It needs {missing}; see fly.toml.") from error


def _megabytes(text: str) -> int:
    """512, "512mb" or "1gb", as Fly reads them."""
    found = re.fullmatch(r"(\d+) ?([a-z]*)", text.strip().lower())
    if not found or found[2] not in UNITS:
        raise ValueError(f"memory of {text!r}: say it as 512mb or 1gb")
    return int(found[1]) * UNITS[found[2]]

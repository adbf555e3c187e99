"""What a server with these settings would find: what is wrong, and what to do about it. Nothing is changed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from code_insight import access
from code_insight.access import Access, Issuer
from code_insight.settings import Settings
from code_insight.web.resource import metadata_url


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    seen: str
    next_step: str = ""  # when it is not well

    @property
    def is_well(self) -> bool:
        return not self.next_step


def look(found: Settings) -> Iterator[Finding]:
    """One thing after the other; keys of tokens are asked for, which takes seconds at most."""
    git = shutil.which("git")
    yield Finding("git", git or "none", "" if git else "Install it: without it no repository can be indexed.")
    yield _data(found.data_dir.absolute())
    yield from _access(found)
    if found.traces:
        yield _traces()


def _data(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    is_well = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    next_step = "" if is_well else f"Make {there} writable, or name another folder: CODE_INSIGHT_DATA_DIR."
    return Finding("data", str(folder), next_step)


def _traces() -> Finding:
    from code_insight import telemetry  # OpenTelemetry: only where traces are asked for

    problem = telemetry.problem()
    next_step = "Look at the collector, and at the variables that begin with OTEL_EXPORTER_OTLP_." if problem else ""
    return Finding("traces", problem or "taken by the collector", next_step)


def _access(found: Settings) -> Iterator[Finding]:
    variable = "CODE_INSIGHT_ACCESS_FILE"
    try:
        everybody = access.read(found.access_file)
    except (OSError, ValueError, TypeError) as error:
        yield Finding("access", f"{found.access_file}: {error}", f"Mend the file, or name another one: {variable}.")
        return
    yield _who_may_ask(found, everybody)
    if everybody.issuer:
        yield _keys(everybody.issuer, found.ca_file)
        yield _audience(everybody.issuer, found)


def _who_may_ask(found: Settings, everybody: Access) -> Finding:
    may = "adds" if everybody.anonymous.may_add else "reads" if everybody.anonymous.may_ask else "nothing"
    issuer = f" and those of {everybody.issuer.name}" if everybody.issuer else ""
    seen = f"without a token: {may}; tokens: {len(everybody.tokens)}{issuer}"
    is_closed = may == "nothing" and not everybody.tokens and not everybody.issuer
    return Finding("access", seen, f"Nobody may ask: add a token to {found.access_file}." if is_closed else "")


def _keys(issuer: Issuer, ca_file: str) -> Finding:
    from code_insight.web.guard.keys import Keys  # cryptography: only where tokens are of an issuer

    try:
        keys = Keys(issuer.keys, ca_file)
    except ValueError as error:
        return Finding("keys", str(error), "Mend jwt.keys in the access file.")
    asyncio.run(keys.renew())
    if not keys.are_known:
        return Finding("keys", keys.problem, "Tokens are refused until jwt.keys of the access file answers from here.")
    return Finding("keys", f"{len(keys)} of {issuer.keys}")


def _audience(issuer: Issuer, found: Settings) -> Finding:
    if not metadata_url(issuer):
        return Finding("audience", f"{issuer.audience}: no https URL, so clients do not learn where tokens are issued")
    host = urlsplit(issuer.audience).hostname or ""
    is_known = host in {"localhost"} | {own.partition(":")[0] for own in found.own_hosts}
    next_step = "" if is_known else f"/mcp is not answered under {host}: add it to CODE_INSIGHT_ALLOWED_HOSTS."
    return Finding("audience", issuer.audience, next_step)

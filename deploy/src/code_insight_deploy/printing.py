"""What people see: steps as they happen, tables, and a last screen that a tired operator reads right; or JSON."""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

from rich.console import Console, Group
from rich.panel import Panel
from rich.status import Status as Spinner
from rich.table import Table
from rich.text import Text

from code_insight_deploy import planning
from code_insight_deploy.doctor import Finding
from code_insight_deploy.errors import DeployError, FailedAndRolledBack, Inconclusive, NotRestored, NotVerified
from code_insight_deploy.machines import Release
from code_insight_deploy.planning import short
from code_insight_deploy.proofs import BuiltImage, Evidence, PublishedImage, RolledBack, Smoked, Verified
from code_insight_deploy.release import Outcome
from code_insight_deploy.reporting import History, Planned, Released, Status

WIDTH_OF_FILES = 140

_TITLES = {
    FailedAndRolledBack: ("rolled back", "yellow"),
    NotRestored: ("NOT restored", "red"),
    NotVerified: ("not verified", "red"),
    Inconclusive: ("changed, and not verified yet", "yellow"),
}


class Paper:
    """Where a command writes. A context manager: the spinner that says what is going on ends with it."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._progress = Console(stderr=True, highlight=False, soft_wrap=True)
        wide = None if sys.stdout.isatty() else WIDTH_OF_FILES
        self._results = Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=wide)
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._spinner:
            self._spinner.stop()

    def step(self, name: str) -> None:
        """A step begins."""
        self._progress.print(f"● {name}", style="bold", markup=False)
        if self._progress.is_terminal and not self._spinner:
            self._spinner = self._progress.status("")
            self._spinner.start()
        if self._spinner:
            self._spinner.update(Text(name))

    def __call__(self, line: str) -> None:
        """Something happened within a step."""
        for part in line.splitlines():
            self._progress.print(f"  {part}", style="dim", markup=False)

    def error(self, error: DeployError) -> None:
        """What happened and what to do next; on stdout too when a script reads it."""
        kind = type(error)
        if self._as_json:
            said = {"error": kind.__name__, "exit_code": error.exit_code}
            print(json.dumps({**said, "happened": error.happened, "next_step": error.next_step}, indent=2))
            return
        title, colour = _TITLES.get(
            kind, ("failed", "red") if error.exit_code != 10 else ("refused: nothing was changed", "yellow")
        )
        text = Text(error.happened.strip() + "\n\n").append(error.next_step, style="bold")
        self._progress.print(Panel(text, title=title, border_style=colour, title_align="left"))

    def result(self, found: object) -> None:
        """What a command found, in the form that its reader wants."""
        if self._as_json:
            print(json.dumps(_plain(found), indent=2))
            return
        self._results.print(_shown(found))


def _plain(found: object) -> Any:
    """As JSON has it: dataclasses as objects, tuples as lists."""
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {f.name: _plain(getattr(found, f.name)) for f in dataclasses.fields(found)}
    if isinstance(found, Mapping):
        return {str(key): _plain(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(each) for each in found]
    return found if isinstance(found, str | int | float | bool | None) else str(found)


def _shown(found: object) -> Any:
    shows: Mapping[type, Callable[[Any], Any]] = {
        BuiltImage: lambda it: Text(_built(it)),
        Smoked: lambda it: Group(_evidence(f"smoke run of {it.image.reference}", it.evidence), Text(_built(it.image))),
        PublishedImage: lambda it: Text(f"{it.reference}  tag {it.tag}  tree {it.tree}"),
        Planned: _planned,
        Outcome: _outcome,
        Verified: lambda it: Group(_evidence(f"{it.app} is verified", it.evidence), Text(f"{it.url}  {it.digest}")),
        RolledBack: _rolled_back,
        Status: _status,
        History: _history,
    }
    if isinstance(found, tuple):
        return _findings(found)
    show = shows.get(type(found))
    return show(found) if show else Text(json.dumps(_plain(found), indent=2))


def _built(it: BuiltImage) -> str:
    return f"{it.reference}  {it.image_id}  {it.size_bytes / 1e6:.1f} MB  tree {it.tree}"


def _evidence(title: str, evidence: tuple[Evidence, ...]) -> Table:
    table = Table("what was looked at", "what was seen", "seconds", title=title, title_justify="left")
    for found in evidence:
        table.add_row(Text(found.claim), Text(found.seen), f"{found.seconds:.2f}")
    return table


def _planned(it: Planned) -> Any:
    image = it.image or "not published yet: it will be built, tried and pushed"
    if not it.actions:
        return Text(f"{it.app}: nothing to do, it is as the tree {it.tree[:12]} wants it")
    table = Table("change", "of", "because", title=f"{it.app}: {len(it.actions)} changes", title_justify="left")
    for action in it.actions:
        table.add_row(action.verb, Text(action.subject), Text("\n".join(action.differences)))
    return Group(Text(f"image: {image}\nway back: {it.way_back or 'nothing runs now'}"), table)


def _outcome(it: Outcome) -> Any:
    done = f"{len(it.actions)} changes" if it.actions else "nothing to do"
    commit = it.source.commit[:12] + (" with uncommitted changes" if it.source.dirty else "")
    lines = [
        f"{it.verified.url} is commit {commit}, on {planning.machines(it.verified.versions)}",
        f"image {it.image.reference}",
        *(f"machine {id_} version {version}" for id_, version in it.verified.versions.items()),
        *(f"changed: {action}" for action in it.actions),
        "time: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in it.seconds.items()),
        f"ledger: release {it.release_id}",
    ]
    title = f"{it.verified.app}: {done}: verified"
    return Panel(Text("\n".join(lines)), title=title, border_style="green", title_align="left")


def _rolled_back(it: RolledBack) -> Any:
    if it.to is None:
        return Panel(
            Text("No machine runs now, as before."), title="rolled back", border_style="green", title_align="left"
        )
    text = Text(f"{it.to.url} is {it.to.digest} again, on {planning.machines(it.to.versions)}\n{it.because}")
    return Panel(text, title=f"{it.to.app}: rolled back: verified", border_style="green", title_align="left")


def _status(it: Status) -> Any:
    if not it.organization:
        return Text(f"There is no app {it.app}; `make release` creates it.")
    table = Table("machine", "state", "region", "version", "image", "commit", "checks", "its process says")
    for each in it.machines:
        machine = each.machine
        checks = ", ".join(f"{check.name} {check.status}" for check in machine.checks if check.status != "passing")
        state = f"{machine.state}, cordoned" if machine.is_cordoned else machine.state
        cells = [
            machine.id,
            state,
            machine.region,
            machine.version,
            short(machine.digest),
            each.commit[:12],
            checks or f"{len(machine.checks)} pass",
            each.says,
        ]
        table.add_row(*map(Text, cells))
    last = it.last_verified
    lines = [
        f"{it.app} of {it.organization} at {it.url}: {it.public or 'nobody answers'}",
        f"last verified: {last['commit'][:12]} on {last['time']} (release {last['release']})"
        if last
        else "no release is verified in this ledger",
        *([f"release {it.unfinished} began and did not end; the next one takes it up"] if it.unfinished else []),
    ]
    return Group(Text("\n".join(lines)), table)


def _history(it: History) -> Any:
    platform = Text(f"What the platform was asked for is not known: {it.platform_failed}")
    return Group(_released(it.releases), platform if it.platform_failed else _asked_for(it.platform))


def _asked_for(releases: tuple[Release, ...]) -> Any:
    """The platform's rows: that one is "complete" is no proof of anything."""
    if not releases:
        return Text("The platform keeps no row of a deploy: only flyctl writes them.")
    table = Table(
        "version", "at", "by", "image", "status", title="deploys that the platform kept", title_justify="left"
    )
    for it in releases:
        table.add_row(*map(Text, [f"v{it.version}", it.at, it.who, it.reference, it.status]))
    return table


def _released(releases: tuple[Released, ...]) -> Any:
    if not releases:
        return Text("The ledger holds no release of this app.")
    columns = ("release", "began", "by", "commit", "image", "changes", "result")
    table = Table(*columns, title="releases of the ledger", title_justify="left")
    for it in releases:
        style = {"verified": "green", "rolled_back": "yellow", "failed": "red"}.get(it.result, "")
        cells = [it.id, it.time, it.who, it.commit[:12], short(it.digest) if it.digest else "", str(it.changes)]
        table.add_row(*map(Text, cells), Text(it.result, style=style))
    return table


def _findings(findings: tuple[Finding, ...]) -> Any:
    table = Table("", "what", "seen", "what to do")
    for it in findings:
        mark = Text("ok", style="green") if it.ok else Text("missing", style="red")
        table.add_row(mark, Text(it.name), Text(it.seen), Text(it.next_step))
    return table

"""The tools of the surface: what is known, what a repository is, what stands in a file."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import anyio
import anyio.from_thread
import anyio.to_thread
from fastmcp import Context
from pydantic import Field

from code_insight import git
from code_insight.catalog import Added, Catalog
from code_insight.errors import InvalidArgument
from code_insight.model import HistoryEnd
from code_insight.queries import files, overview
from code_insight.store import IndexedCommit, Reader
from code_insight.tools.answers import Answer, Section, about, answer, cut, day, head, shorten
from code_insight.tools.arguments import Budget, Path, Repository

_SECONDS_BETWEEN_PROGRESS = 0.2


@dataclass(frozen=True, slots=True)
class Surface:
    """What is there."""

    catalog: Catalog

    def list_repositories(self, budget_tokens: Budget = 2_000) -> Answer:
        """Which repositories can be asked about, at which commit, how fresh, in which languages."""
        newest = self.catalog.newest()
        items = [_repository_line(indexed) for indexed in newest]
        title = f"{len(newest)} {'repository' if len(newest) == 1 else 'repositories'}"
        step = "" if newest else "None yet: add one with add_repository."
        return answer(
            f"{title} on this server. {step}".rstrip(),
            [Section("", items, lambda _: "Raise budget_tokens.")],
            budget_tokens,
            repositories=[about(indexed) for indexed in newest],
        )

    async def add_repository(
        self,
        url: Annotated[str, Field(description="https URL, or a folder where the operator allows it", max_length=512)],
        ref: Annotated[str, Field(description="branch, tag or commit; default branch when empty", max_length=200)] = "",
        ctx: Context | None = None,
    ) -> Answer:
        """Index a repository, or fetch what is new in it; free when nothing is.

        Reports progress; takes seconds to minutes. Afterwards ask overview.
        """
        added = await _in_thread_with_progress(lambda call: self.catalog.add(url, ref, call), ctx)
        indexed = added.indexed
        if not added.was_known or added.history in (HistoryEnd.PENDING, HistoryEnd.SHALLOW):
            self.catalog.deepen_later(added)
        with Reader(indexed) as reader:
            total, with_text, symbols = reader.totals()
        done = "It was indexed already: nothing to do." if added.was_known else _what_was_done(added)
        return answer(
            f"{indexed.repository.name} @ {indexed.commit.oid[:12]} ({day(indexed.commit.time)}) is indexed. {done}\n"
            f"{total:,} files, {with_text:,} with text, {symbols:,} symbols. Next: overview.",
            [],
            2_000,
            **about(indexed),
            was_known=added.was_known,
            files=total,
            symbols=symbols,
        )

    def overview(self, repository: Repository, path: Path = "", budget_tokens: Budget = 2_000) -> Answer:
        """What a repository or a folder of it is: summary, layout, entry points, how to build and test, what matters.

        Ask this first about any repository.
        """
        indexed = self.catalog.find(repository)
        found = overview.overview(indexed, path)
        main = found.main_language or next((language.name for language in found.languages if language.name), "")
        sections = [
            Section("", [_title(found)]),
            Section("Languages", [_languages(found)]),
            Section(f"Layout: folder, files, lines, language unless {main}", _layout(found, main), _ask_folders, 5),
            Section("Starts at", _entry_points(found), keep=3),
            Section("Build and test", _commands(found), keep=2),
            Section("Most used: about how many files use it, its definition", _central(found), _ask_symbol, 5),
            Section("Read first", _documents(found)),
            Section("Not indexed", [f"  {count:,} {reason}, such as {path}" for reason, count, path in found.skipped]),
        ]
        return answer(
            head(indexed), sections, budget_tokens, **about(indexed), files=found.files, symbols=found.symbols
        )

    def read(
        self,
        repository: Repository,
        path: Annotated[str, Field(description="file in the repository", max_length=1024)],
        lines: Annotated[str, Field(description='such as "120-180" or "120-"; all when empty', max_length=20)] = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """The lines of a file, numbered, with the symbol that the first one stands in."""
        indexed = self.catalog.find(repository)
        first, last = _range(lines)
        found = files.excerpt(indexed, path, first, last)
        numbered = [f"{number:>5}  {cut(line, 2_000)}" for number, line in enumerate(found.lines, start=first)]
        around = " > ".join(symbol.signature or symbol.name for symbol in found.enclosing)
        title = f"{found.file.path} · {found.file.language or 'text'} · lines {first}-{first + len(numbered) - 1}"
        title += f" of {found.file.lines}" + (f" · in {around}" if around else "")
        if found.error_lines:
            title += f" · does not follow its grammar at line {', '.join(map(str, found.error_lines[:5]))}"
        rest = f"-{last}" if last else "-"
        section = Section(title, numbered or ["  (no lines)"], lambda shown: f'Ask with lines="{first + shown}{rest}".')
        place = {"path": found.file.path, "first": first, "lines": found.file.lines}
        return answer(head(indexed), [section], budget_tokens, **about(indexed), **place)


def _range(lines: str) -> tuple[int, int | None]:
    match = re.fullmatch(r"\s*(\d{1,9})?\s*(-)?\s*(\d{1,9})?\s*", lines)
    if match is None:
        raise InvalidArgument(f"'{lines}' are not lines.", 'Give lines such as "120-180", "120-" or "120".')
    first = int(match[1] or 1)
    return first, int(match[3]) if match[3] else (first if match[1] and not match[2] else None)


def _repository_line(indexed: IndexedCommit) -> str:
    with Reader(indexed) as reader:
        languages = [f"{name} {lines:,}" for name, _, lines in reader.languages() if name][:4]
        total, _, symbols = reader.totals()
    fresh = datetime_of(indexed.checked_at)
    ref = f" ({indexed.refs[0]})" if indexed.refs and indexed.refs[0] else ""
    return (
        f"{indexed.repository.name} @ {indexed.commit.oid[:12]}{ref} of {day(indexed.commit.time)}, checked {fresh}"
        f" · {total:,} files, {symbols:,} symbols · lines: {', '.join(languages) or 'none in a known language'}"
    )


def datetime_of(seconds: int) -> str:
    """A time in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _what_was_done(added: Added) -> str:
    return f"{added.blobs_parsed:,} new files were read in {added.seconds:.1f} s."


def _title(found: overview.Overview) -> str:
    return f"{found.title} — {found.summary}" if found.summary else f"{found.title} — it does not say what it is."


def _languages(found: overview.Overview) -> str:
    total = sum(language.lines for language in found.languages) or 1
    large = [language for language in found.languages[:8] if language.lines * 100 >= total]
    known = [f"{entry.name or 'other text'} {entry.lines:,} lines in {entry.files:,} files" for entry in large]
    small = len(found.languages) - len(large)
    return "  " + (" · ".join([*known, *([f"{small} more"] if small else [])]) or "no text")


def _layout(found: overview.Overview, main: str) -> list[str]:
    rows = []
    for folder, purpose in found.folders:
        language = f" {folder.language}" if folder.language not in (main, "") else ""
        role = "" if folder.role == "source" else f" {folder.role}"
        smaller = f" (+{folder.smaller} smaller folders)" if folder.smaller else ""
        says = f" — {shorten(purpose, 120)}" if purpose else ""
        rows.append(
            f"{'  ' * (folder.depth + 1)}{folder.name}/ {folder.files:,} {folder.lines:,}"
            f"{language}{role}{smaller}{says}"
        )
    names = [path.rpartition("/")[2] for path in found.top_files]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return [*rows, *([f"  and the files {', '.join(names[:20])}{more}"] if names else [])]


def _ask_folders(_shown: int) -> str:
    return "Ask overview with path=."


def _entry_points(found: overview.Overview) -> list[str]:
    rows: dict[str, list[str]] = {}
    for entry in found.entry_points:
        rows.setdefault(entry.what, []).append(f"  {entry.what}: {entry.name} → {entry.target}")
    return [row for group in rows.values() for row in _first(group, 10)]


def _first(rows: list[str], most: int) -> list[str]:
    return rows if len(rows) <= most else [*rows[:most], f"  and {len(rows) - most} more of these"]


def _commands(found: overview.Overview) -> list[str]:
    rows = [f"  {command.what}: {command.line}  ({command.because})" for command in found.commands[:8]]
    return rows or ([f"  see {' '.join(found.manifests[:8])}"] if found.manifests else [])


def _central(found: overview.Overview) -> list[str]:
    rows = []
    for symbol, users in found.central[:25]:
        signature = shorten(symbol.signature, 90) or symbol.name
        inside = f"  [{symbol.container}]" if symbol.container and symbol.container not in signature else ""
        rows.append(f"  {users:>3} {signature}{inside}  {symbol.path}:{symbol.start_line}")
    return rows


def _ask_symbol(_shown: int) -> str:
    return "Ask outline for a folder, symbol for one of them."


def _documents(found: overview.Overview) -> list[str]:
    if not found.document_count:
        return []
    shown = " ".join(found.documents[:12])
    return [f"  {shown}  (of {found.document_count:,} documents: search them with path=)".replace("    ", "  ")]


async def _in_thread_with_progress(work: Callable[[git.Call], Added], ctx: Context | None) -> Added:
    """The result of long work that runs beside the event loop, tells how far it is, and ends when its caller goes."""
    gone = threading.Event()
    last = ("", -1, 0.0)

    def progress(phase: str, percent: int) -> None:
        nonlocal last
        now = time.monotonic()
        if (
            ctx is None
            or last[:2] == (phase, percent)
            or (last[0] == phase and now - last[2] < _SECONDS_BETWEEN_PROGRESS)
        ):
            return
        last = (phase, percent, now)
        anyio.from_thread.run(ctx.report_progress, _overall(phase, percent), 100, f"{phase}: {percent} %")

    try:
        return await anyio.to_thread.run_sync(lambda: work(git.Call(gone.is_set, progress)), abandon_on_cancel=True)
    finally:
        gone.set()


_PHASES = {
    "Receiving objects": (5, 40),
    "Resolving deltas": (40, 50),
    "Indexing": (50, 95),
    "Reading history": (95, 99),
}


def _overall(phase: str, percent: int) -> float:
    low, high = _PHASES.get(phase, (0, 5))
    return low + (high - low) * percent / 100

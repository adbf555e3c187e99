"""The tools of context: what matters for a task, what shaped this, what a change can break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from code_insight.catalog import Catalog
from code_insight.model import HistoryEnd, ReferenceKind
from code_insight.queries import context, history, impact, place_order, reaching
from code_insight.queries.gone import Gone, Known, unread_before
from code_insight.queries.graph import Certainty
from code_insight.queries.together import Together
from code_insight.store import IndexedCommit
from code_insight.tools.answers import Answer, Section, about, answer, counted, day, head, shorten
from code_insight.tools.arguments import Budget, Path, Repository
from code_insight.tools.packing import packed

Symbol = Annotated[str, Field(description="name; path: where it is defined", max_length=400)]


@dataclass(frozen=True, slots=True)
class Context:
    """What belongs to it."""

    catalog: Catalog

    def context(
        self,
        repository: Repository,
        task: Annotated[
            str, Field(description="an issue's text, a stack trace, a question", min_length=1, max_length=100_000)
        ],
        budget_tokens: Budget = 4_000,
    ) -> Answer:
        """The code, tests, documents and commits that matter for a task in words; each says why it is there.

        The best definitions are whole, the others one line. Ask this first when you are to change something.
        """
        indexed = self.catalog.find(repository)
        return packed(indexed, context.context(indexed, task), budget_tokens)

    def history(
        self, repository: Repository, path: Path = "", symbol: Symbol = "", budget_tokens: Budget = 2_000
    ) -> Answer:
        """Which commits shaped a file, folder or symbol (by its lines, through renames), and who knows it.

        Also how often it changes, with what, and how far back all this is seen.
        """
        indexed = self.catalog.find(repository)
        found = history.history(indexed, path, symbol)
        together = "Changes most: commits" if found.is_folder else "Changes with it: commits of both, part of its own"
        sections = [
            Section(
                "Commits, newest first: lines added, removed", _touches(found), lambda _: "Raise budget_tokens.", 5
            ),
            Section("Who knows it: share of the changes, halved for each year of age", _authors(found), keep=3),
            Section(together, [_together(one, found) for one in found.together], keep=3),
            Section("By year", _years(found)),
        ]
        top = "\n".join([head(indexed), *_summary(found)])
        data = {"path": found.path, "commits": len(found.touches), "authors": len(found.authors), "end": found.end}
        return answer(top, sections, budget_tokens, **about(indexed), **data)

    def impact(
        self,
        repository: Repository,
        symbol: Symbol = "",
        path: Path = "",
        commits: Annotated[str, Field(description="base..head, or one commit", max_length=400)] = "",
        budget_tokens: Budget = 2_000,
    ) -> Answer:
        """What a change of a symbol, file, folder or commits can break: users, direct or not, the nearest first.

        Also uses of what is gone, tests that reach it, files that change with it, what was not seen.
        """
        indexed = self.catalog.find(repository)
        found = impact.impact(indexed, symbol, path, commits, self._before(indexed, commits) if commits else {})
        several = len(found.seeds) > 1
        direct = sum(user.distance == 1 for user in found.users)
        tests = _test_files(found.tests)
        sections = [
            Section("Changed", _changed(found), _more_changed, 3),
            Section("Gone, and still used: likely broken", _broken(found), _more_changed, 8),
            Section(
                f"Users: {direct:,} direct, {len(found.users) - direct:,} through others; steps away, first use",
                [f"  {step(user, several=several)}" for user in found.users],
                lambda _: "Raise budget_tokens.",
                4,
            ),
            Section(
                f"Tests that reach it: {counted(len(tests), 'file')}; steps away",
                tests,
                lambda _: "Raise budget_tokens.",
                4,
            ),
            Section(
                "Changes with it: commits of both, part of its own", [_often_together(one) for one in found.together]
            ),
        ]
        top = "\n".join([head(indexed), _what_changes(found, symbol, path), _not_seen(found)])
        data = {"users": len(found.users), "tests": len(found.tests), "symbols": len(found.seeds)}
        data["broken"] = len(found.gone.users)
        return answer(top, sections, budget_tokens, **about(indexed), **data)

    def _before(self, indexed: IndexedCommit, commits: str) -> Known:
        """What was defined where commits have changed something, as far as only the repository itself can tell."""
        unread = unread_before(indexed, commits)
        return self.catalog.symbols_at(indexed, unread.commit, unread.blobs) if unread.commit and unread.blobs else {}


def _summary(found: history.History) -> Iterator[str]:
    """What was looked at, how much happened to it, and how far back that is known."""
    symbol = found.symbol
    what = (
        f"{symbol.kind} {symbol.qualified_name} {symbol.path}:{symbol.start_line}-{symbol.end_line}" if symbol else ""
    )
    what = what or found.path or "The repository"
    if found.is_gone:
        what += f" (now {found.moved_to})" if found.moved_to else " (deleted)"
    if not found.touches:
        yield f"{what}: no commit is known that changed it."
    else:
        days = [day(touch.commit.authored) for touch in found.touches]
        added = sum(touch.added or 0 for touch in found.touches)
        removed = sum(touch.removed or 0 for touch in found.touches)
        span = " to ".join(sorted({min(days), max(days)}))
        commits = f"{counted(len(days), 'commit')} by {counted(len(found.authors), 'author')}"
        yield f"{what}: {commits}, {span}, +{added:,} −{removed:,} lines."
    if found.earlier_paths:
        yield f"Before: {', '.join(found.earlier_paths[:5])}."
    if found.lost_at:
        yield f"Not followed beyond {found.lost_at.oid[:12]}, of which the lines are not known."
    yield _seen(found)


_ENDS = {
    HistoryEnd.ROOT: "back to the first",
    HistoryEnd.PENDING: "older ones are still being read",
    HistoryEnd.SHALLOW: "the clone is shallow; older ones are fetched after add_repository",
    HistoryEnd.BOUND: "this server keeps no older ones (CODE_INSIGHT_HISTORY_COMMITS_MAX)",
}


def _seen(found: history.History) -> str:
    if found.oldest is None:
        return f"History: no commit before this one, {_ENDS[found.end]}."
    oldest = f"{found.oldest.oid[:12]} of {day(found.oldest.authored)}"
    if found.end is HistoryEnd.ROOT:
        return f"History: {counted(found.commits, 'commit')}, back to the first, {oldest}."
    cut = " What shaped it before is not seen." if found.is_edge else ""
    return f"History begins at {oldest}, {counted(found.commits, 'commit')} back: {_ENDS[found.end]}.{cut}"


def _touches(found: history.History) -> list[str]:
    return [_touch(touch, found.path) for touch in found.touches]


def _touch(touch: history.Touch, path: str) -> str:
    commit = touch.commit
    lines = "lines not known" if touch.added is None else f"+{touch.added:,} −{touch.removed or 0:,}"
    where = f"  [{touch.path}]" if touch.path not in ("", path) else ""
    who = shorten(commit.author, 30) or "(no name)"
    return f"  {day(commit.authored)} {commit.oid[:10]} {who}: {shorten(commit.subject, 100)}  {lines}{where}"


def _authors(found: history.History) -> list[str]:
    return [
        f"  {one.share:.0%} {shorten(one.name, 40)} · {counted(one.commits, 'commit')}, last {day(one.last)}"
        for one in found.authors
    ]


def _together(one: Together, found: history.History) -> str:
    return f"  {one.support:,}{'' if found.is_folder else f' {one.confidence:.0%}'} {one.path}"


def _years(found: history.History) -> list[str]:
    return [f"  {y.year}: {counted(y.commits, 'commit')}, +{y.added:,} −{y.removed:,}" for y in found.years]


def _what_changes(found: impact.Impact, symbol: str, path: str) -> str:
    if found.changed:
        newest, *_, oldest = (*found.changed.commits, found.changed.commits[-1])
        gone = f", {counted(len(found.changed.gone), 'file')} gone" if found.changed.gone else ""
        names = f"{oldest.oid[:10]} to {newest.oid[:10]}" if len(found.changed.commits) > 1 else newest.oid[:10]
        commits = f"{counted(len(found.changed.commits), 'commit')} ({names}: {shorten(newest.subject, 80)})"
        symbols = counted(len(found.changed.symbols), "symbol")
        return f"{commits} changed {symbols} in {counted(len(found.paths), 'file')}{gone}.{_taken_away(found.gone)}"
    if symbol:
        seed = found.seeds[0]
        members = f" with {counted(len(found.seeds) - 1, 'method')}" if len(found.seeds) > 1 else ""
        return f"{seed.kind} {seed.qualified_name} {seed.path}:{seed.start_line}-{seed.end_line}{members}"
    files = "" if len(found.paths) == 1 else f"{counted(len(found.paths), 'file')}, "
    return f"{path}: {files}{counted(len(found.seeds), 'symbol')}"


def _taken_away(gone: Gone) -> str:
    if not gone.symbols:
        return ""
    names = ", ".join(f"{symbol.qualified_name} {symbol.path}" for symbol in gone.symbols)
    unused = "" if gone.users else ", nothing is seen to use it" if len(gone.symbols) == 1 else ", none seen in use"
    return f" Gone: {counted(len(gone.symbols), 'symbol')} ({shorten(names, 300)}){unused}."


def _changed(found: impact.Impact) -> list[str]:
    if not found.changed:
        return []
    by_path: dict[str, dict[str, None]] = {}
    for symbol in sorted(found.changed.symbols, key=lambda symbol: place_order(symbol.role, symbol.path)):
        by_path.setdefault(symbol.path, {})[symbol.qualified_name] = None
    rows = [f"  {path}: {shorten(', '.join(names), 300)}" for path, names in by_path.items()]
    rest = [path for path in found.paths if path not in by_path]
    return [*rows, *([f"  beside: {shorten(', '.join(rest), 300)}"] if rest else [])]


def _broken(found: impact.Impact) -> list[str]:
    return [f"  {step(user, several=True).partition(' ')[2]}" for user in found.gone.users]


def _more_changed(_shown: int) -> str:
    return "Raise budget_tokens."


def step(user: reaching.Reached, *, several: bool = False) -> str:
    """How far away something is, where, and how it is used; of `several` symbols by which."""
    name = user.symbol.qualified_name if user.symbol else "(top of the file)"
    kind = "overrides" if user.kind is None else "mention" if user.kind is ReferenceKind.NAME else user.kind
    sure = "" if user.certainty is Certainty.EXACT else "likely "
    through = f" of {user.through.qualified_name}" if user.through and (several or user.distance > 1) else ""
    return f"{user.distance} {name} {user.path}:{user.line} [{sure}{kind}{through}]"


def _test_files(tests: tuple[reaching.Reached, ...]) -> list[str]:
    """A row for each file, the nearest first: how near, how many of its symbols, and which."""
    by_path: dict[str, list[reaching.Reached]] = {}
    for user in tests:
        by_path.setdefault(user.path, []).append(user)
    rows = []
    for path, users in by_path.items():
        names = [user.symbol.qualified_name for user in users if user.symbol]
        count = f" {len(names):,}: {shorten(', '.join(names), 120)}" if names else ""
        rows.append(f"  {users[0].distance} {path}{count}")
    return rows


def _often_together(one: Together) -> str:
    return f"  {one.support:,} {one.confidence:.0%} {one.path}"


def _not_seen(found: impact.Impact) -> str:
    """One sentence on what the answer leaves out, as far as that is known."""
    unseen = found.unseen
    parts = ["calls that only run time decides"]
    if unseen.by_name:
        parts.append(f"{counted(unseen.by_name, 'line')} that match by name alone (ask references)")
    if unseen.not_followed:
        parts.append(f"who uses {counted(unseen.not_followed, 'symbol')} further on")
    if found.changed and found.changed.unread:
        parts.append(f"symbols of {counted(found.changed.unread, 'changed file')}")
    if found.gone.unknown:
        way = f" (add_repository with ref={found.gone.before} tells)" if found.gone.before else ""
        parts.append(f"what is gone from {counted(len(found.gone.unknown), 'changed file')}{way}")
    if unseen.without_symbols:
        parts.append(f"{counted(unseen.without_symbols, 'file')} too large or not parsed")
    if unseen.history is not HistoryEnd.ROOT:
        parts.append(f"older history ({_ENDS[unseen.history]})")
    none = "" if found.tests else "No test is seen to reach it. "
    return f"{none}Not seen: {'; '.join(parts)}."

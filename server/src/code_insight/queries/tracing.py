"""Which commits shaped some lines of a file: followed back from blob to blob, through renames and merges."""

from __future__ import annotations

from dataclasses import dataclass, field

from code_insight.model import Hunk
from code_insight.store import Past, PastChange

_MOST_STEPS = 5_000  # from one blob to the one before it


@dataclass(slots=True)
class Traced:
    """What is known of the past of some lines."""

    lines: dict[int, tuple[int, int] | None] = field(default_factory=dict)  # age of a commit → lines added, removed
    paths: list[str] = field(default_factory=list)  # where the lines were, the newest first
    lost_at: int | None = None  # age of the youngest commit before which nobody knows where they were
    is_edge: bool = False  # whether they are older than the history that is known


@dataclass(frozen=True, slots=True)
class _Lines:
    """Some lines of one blob that a commit of this age, or an older one, brought."""

    path: str
    blob: int
    first: int
    last: int
    age: int


Changes = dict[str, dict[int, list[PastChange]]]  # path → blob → the changes that made it, the newest first


def trace(
    past: Past,
    path: str,
    blob: int,
    first: int,
    last: int,
    *,
    oldest: int | None = None,
    changes: Changes | None = None,
) -> Traced:
    """The commits that changed these lines (from 1, both included) of the newest file at a path.

    Those older than the age `oldest` are left out; `changes` keeps what was read, for who traces again.
    """
    found = Traced()
    files = {} if changes is None else changes
    waiting = [_Lines(path, blob, first, last, 0)]
    seen = set(waiting)
    for _ in range(_MOST_STEPS):
        if not waiting:
            break
        lines = waiting.pop()
        if lines.path not in found.paths:
            found.paths.append(lines.path)
        if lines.path not in files:
            files[lines.path] = _by_blob(past.changes_at(lines.path))
        origin = _origin(files[lines.path], lines)
        if oldest is not None and (not origin or origin[0].age > oldest):
            continue
        for older in _before(found, lines, origin):
            if older not in seen:
                seen.add(older)
                waiting.append(older)
    return found


def _by_blob(changes: list[PastChange]) -> dict[int, list[PastChange]]:
    found: dict[int, list[PastChange]] = {}
    for change in changes:
        found.setdefault(change.new, []).append(change)
    return found


def _origin(changes: dict[int, list[PastChange]], lines: _Lines) -> list[PastChange]:
    """The change that made the blob, last before the lines were used; of a merge, one for each parent."""
    older = [change for change in changes.get(lines.blob, ()) if change.age >= lines.age]
    return [change for change in older if change.age == older[0].age]


def _before(found: Traced, lines: _Lines, origin: list[PastChange]) -> list[_Lines]:
    """Where the lines were before the change that is their origin; what it did to them is noted."""
    if not origin:
        found.is_edge = True
        return []
    age = origin[0].age
    if any(change.packed is None and change.old not in (0, change.new) for change in origin):
        found.lines[age] = None
        found.lost_at = age if found.lost_at is None else min(age, found.lost_at)
        return []
    steps = [(change, _step(change, lines)) for change in origin]
    same = [pair for pair in steps if not pair[1].is_touched]
    if not same:  # what is as in one parent, that parent's commits have made
        step = steps[0][1]
        found.lines[age] = step.added, step.removed
    return [
        _Lines(change.source, change.old, step.first, step.last, age + 1)
        for change, step in same[:1] or steps
        if change.old and step.first <= step.last
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """Some lines seen before a change: where they were, none when `last` is below `first`; what it did to them."""

    first: int
    last: int
    added: int
    removed: int

    @property
    def is_touched(self) -> bool:
        """Whether the change did anything to them."""
        return bool(self.added or self.removed)


def _step(change: PastChange, lines: _Lines) -> Step:
    if not change.old:
        return Step(1, 0, lines.last - lines.first + 1, 0)
    return step_back(change.hunks or (), lines.first, lines.last)


def step_back(hunks: tuple[Hunk, ...], first: int, last: int) -> Step:
    """Lines `first` to `last` of after a change, as they were before it.

    Of lines that a hunk put in the place of others, as many as there were count from the end that the range cuts off.
    """
    begin, end, added = first, last, 0
    removed: list[tuple[int, int]] = []
    for hunk in hunks:
        low, high = _range(hunk.new_start, hunk.new_count)
        old_low, old_high = _range(hunk.old_start, hunk.old_count)
        if low <= first:
            begin = old_low + min(first - low, hunk.old_count) if high >= first else first + old_high - high
        if low <= last:
            end = old_high - min(high - last, hunk.old_count) if high >= last else last + old_high - high
            removed.append((old_low, old_high))
            added += _overlap(low, high, first, last)
    return Step(begin, end, added, sum(_overlap(*lines, begin, end) for lines in removed))


def _range(start: int, count: int) -> tuple[int, int]:
    """The first and the last line of one side of a hunk; the last is below the first when there are none."""
    return (start, start + count - 1) if count else (start + 1, start)


def _overlap(low: int, high: int, first: int, last: int) -> int:
    return max(0, min(high, last) - max(low, first) + 1)

"""What matters for a task, packed into a budget: the best definitions whole, the others as one line, all with why."""

from __future__ import annotations

from collections.abc import Sequence

from code_insight.model import SymbolKind
from code_insight.queries.context import Context, Piece, Reason, ReasonKind
from code_insight.queries.readme import sentence
from code_insight.store import IndexedCommit
from code_insight.tools.answers import Answer, Section, about, answer, day, head, shorten, visible

_LISTED_SHARE = 0.5  # of the budget at most for what is only named; the rest is for whole definitions
_LONGEST_LINE = 400  # characters; a piece with a longer one is only named, since no line is cut
_REASONS = 2
_TITLES = ("Code, best first", "Tests", "Documents")


def packed(indexed: IndexedCommit, found: Context, budget_tokens: int) -> Answer:
    """The answer to a task: files, then pieces of code, tests and documents, then commits."""
    groups = [found.code, found.tests, found.documents]
    top = "\n".join([head(indexed), *_understood(found)])
    data = {
        **about(indexed),
        "files": [ranked.file.path for ranked in found.files[:3]],
        "pieces": sum(map(len, groups)),
    }
    rows = [[_row(piece) for piece in group] for group in groups]
    listed = answer(top, _sections(found, rows), int(budget_tokens * _LISTED_SHARE))
    shown = listed.data["shown"]
    rows = [group[:count] for group, count in zip(rows, shown[1:4], strict=True)]
    left = 4 * budget_tokens - len(answer(top, _sections(found, rows), budget_tokens).text.encode("utf-8", "replace"))
    whole = _unfold(groups, rows, left)
    return answer(top, _sections(found, rows), budget_tokens, **data, whole=whole)


def _unfold(groups: list[tuple[Piece, ...]], rows: list[list[str]], left: int) -> int:
    """How many pieces have all their lines in `rows` now: the best first, each where `left` bytes have room for it."""
    whole: list[Piece] = []
    for group, kept in zip(groups, rows, strict=True):
        for place, piece in enumerate(group[: len(kept)]):
            text = _whole(piece)
            cost = len(f"\n{visible(text)}".encode("utf-8", "replace"))
            if text and cost <= left and not any(_overlap(piece, other) for other in whole):
                kept[place] += f"\n{text}"
                whole.append(piece)
                left -= cost
    return len(whole)


def _sections(found: Context, rows: Sequence[list[str]]) -> list[Section]:
    """The files, three groups of pieces, and commits, with the counts of all that there is."""
    groups = (found.code, found.tests, found.documents)
    files = [_file(place, ranked.file.path, ranked.reasons) for place, ranked in enumerate(found.files[:10], start=1)]
    commits = [
        f"  {day(one.entry.authored)} {one.entry.oid[:10]} {shorten(one.entry.subject, 90)}"
        for one in found.commits[:5]
    ]
    together = [f"  {other.path}: in {other.support:,} commits with {path}" for path, other in found.together]
    return [
        Section("Files, the likeliest first", files, keep=3),
        *(
            Section(title, kept, lambda _: "Raise budget_tokens.", keep=2, total=len(group))
            for title, kept, group in zip(_TITLES, rows, groups, strict=True)
        ),
        Section("Commits that say the same", commits),
        Section("Often changed with these", together),
    ]


def _understood(found: Context) -> list[str]:
    """What was made of the task, and what to do when that was nothing."""
    if not found.files:
        return ["No word, name or path of the task occurs here. Try English words, names from the code, or overview."]
    words = shorten(", ".join(found.words), 200)
    return [f"Asked by the words: {words}." if words else "Asked by the names and paths in the task alone."]


def _file(place: int, path: str, reasons: tuple[Reason, ...]) -> str:
    return f"  {place}. {path}  — {_because(reasons)}"


def _row(piece: Piece) -> str:
    """One line for a piece: where, what, why."""
    symbol = piece.symbol
    if symbol is None:
        return f"  {piece.file.path}:{piece.first}-{piece.last}  — {_because(piece.reasons)}"
    place = f"  {piece.file.path}:{symbol.start_line}-{symbol.end_line}"
    name = symbol.name if symbol.kind is SymbolKind.HEADING else shorten(symbol.signature or symbol.name, 150)
    inside = f"  [{symbol.container}]" if symbol.container and symbol.container not in name else ""
    doc = sentence(" ".join(symbol.doc.partition("\n\n")[0].split()), 90)
    return f"{place} {name}{inside}  — {_because(piece.reasons)}{f' · {doc}' if doc else ''}"


def _whole(piece: Piece) -> str:
    """The lines of a piece with their numbers; "" when one is too long."""
    if any(len(line) > _LONGEST_LINE for line in piece.lines):
        return ""
    return "\n".join(f"{number:>6}  {line}" for number, line in enumerate(piece.lines, start=piece.first))


def _overlap(one: Piece, other: Piece) -> bool:
    return one.file.path == other.file.path and one.first <= other.last and other.first <= one.last


_SENTENCES = {
    ReasonKind.PLACE: "the task names it",
    ReasonKind.NAMED: "the task names {}",
    ReasonKind.WORDS: "has {}",
    ReasonKind.USED_BY: "used by {}",
    ReasonKind.USES: "uses {}",
    ReasonKind.COMMIT: "changed by {}",
}


def _because(reasons: Sequence[Reason]) -> str:
    return "; ".join(dict.fromkeys(_sentence(reason) for reason in reasons[:_REASONS]))


def _sentence(reason: Reason) -> str:
    if reason.kind is ReasonKind.PLACE and reason.what:
        return f"the task names line {reason.what}"
    return _SENTENCES[reason.kind].format(shorten(reason.what, 80))

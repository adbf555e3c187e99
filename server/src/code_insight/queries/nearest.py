"""What somebody may have meant who named a thing that is not there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable


def nearest(wanted: str, known: Iterable[str], most: int = 5) -> list[str]:
    """The known names that are most like the wanted one, best first; empty when none is at all like it.

    Pairs of letters in common choose the few that difflib then compares: it alone takes seconds for 50,000 names.
    """
    lowered = wanted.lower()[:200]
    pairs = _pairs(lowered)
    like = _has_a_piece_of(lowered)
    scored = ((_likeness(pairs, _pairs(name.lower())), name) for name in known if like(name))
    best = sorted((pair for pair in scored if pair[0] > 0.2), key=lambda pair: (-pair[0], pair[1]))[:50]
    ratios = [(difflib.SequenceMatcher(None, lowered, name.lower()).ratio(), name) for _, name in best]
    return [name for ratio, name in sorted(ratios, key=lambda pair: (-pair[0], pair[1])) if ratio >= 0.5][:most]


def _has_a_piece_of(text: str) -> Callable[[str], object]:
    """Whether a name has three letters in a row of the text, two of a short one: a quick look at each of many names."""
    size = 3 if len(text) >= 6 else 2
    pieces = {text[at : at + size] for at in range(len(text) - size + 1)} or {text}
    return re.compile("|".join(map(re.escape, sorted(pieces))), re.IGNORECASE).search


def _pairs(text: str) -> set[str]:
    padded = f"^{text}$"
    return {padded[at : at + 2] for at in range(len(padded) - 1)}


def _likeness(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))

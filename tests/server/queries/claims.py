"""Claims about meanings, each beside the name that it speaks of: `open();  // open: shop/Cart.java Cart.open`."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from code_insight.model import Occurrence
from code_insight.queries.resolving import Defined, Outside, Resolver
from code_insight.store import Reader

_CLAIM = re.compile(r"(?://|#) ([\w?!]+): (.+)$")


class Claim(NamedTuple):
    """What a name of one line means: "path qualified.name", "outside" or "unknown"."""

    path: str
    line: int
    name: str
    meaning: str


def claims_in(files: Mapping[str, str]) -> list[Claim]:
    """The claims at the ends of lines."""
    return [
        Claim(path, line, *match.groups())
        for path, text in files.items()
        for line, content in enumerate(text.splitlines(), start=1)
        if (match := _CLAIM.search(content))
    ]


def meanings(reader: Reader, claim: Claim) -> set[str]:
    """What the uses of a claim's name in its line mean."""
    resolver = Resolver(reader)
    uses = [use for use in reader.occurrences(claim.name) if (use.path, use.line) == (claim.path, claim.line)]
    return {_in_words(resolver, use) for use in uses}


def _in_words(resolver: Resolver, use: Occurrence) -> str:
    match resolver.meaning(use):
        case Defined(symbol):
            return f"{symbol.path} {symbol.qualified_name}"
        case Outside():
            return "outside"
    return "unknown"

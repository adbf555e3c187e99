"""The commit that a page speaks of, and where else it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from code_insight.errors import NotFound
from code_insight.queries.spots import Seen
from code_insight.store import IndexedCommit
from code_insight.web.pages.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL asks for, found."""

    indexed: IndexedCommit
    newest: IndexedCommit  # of the same repository; itself, mostly
    at: Addresses
    path: str  # in the repository, "" for the whole
    query: Mapping[str, str]
    seen: Seen  # of its history, which grows after the commit was indexed

    @property
    def values(self) -> dict[str, object]:
        """What every page of a repository says."""
        return {
            "repository": self.indexed.repository,
            "is_local": self.indexed.repository.name.startswith("local/"),
            "commit": self.indexed.commit,
            "refs": [ref for ref in self.indexed.refs if ref],
            "newest": self.newest.commit,
            "at": self.at,
            "path": self.path,
            "seen": self.seen,
        }

    def page_number(self, last: int) -> int:
        """The page of a long list that is asked for, from 1; raises NotFound behind the last one."""
        text = self.query.get("page", "1")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
        if not 1 <= number <= max(last, 1):
            raise NotFound(f"There is no page '{text[:20]}' of this.", f"It has pages 1 to {max(last, 1)}.")
        return number

"""The URLs of the pages: stable, to be shared, made here and taken apart here.

    /repositories/<name>[@<commit or ref>]                  the repository
    /repositories/<name>[@<commit or ref>]/-/<view>/<path>  a view of it: tree, file, symbol, dependencies, …

A name has slashes in it ("github.com/pallets/flask"), and so has a path; "/-/" stands between them, as on GitLab.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from code_insight.model import Symbol

LINES_PER_PAGE = 2_000  # of a file
_BETWEEN = "/-/"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the path of a URL asks for."""

    repository: str  # name, with the commit if one is named
    view: str  # "" for the repository's own page
    path: str  # "" for the whole


def parted(rest: str) -> Iterator[Asked]:
    """What a path below /repositories/ may mean, the shortest name first: a name and a path may have a "-" in them."""
    at = rest.find(_BETWEEN, 1)
    while at > 0:
        view, _, path = rest[at + len(_BETWEEN) :].partition("/")
        yield Asked(rest[:at], view, path)
        at = rest.find(_BETWEEN, at + 1)
    yield Asked(rest.rstrip("/"), "", "")


def revision_of(asked: str, name: str) -> str:
    """The commit or ref in "flask@1234567" or "pallets/flask@main", when that is the repository `name`; "" for none.

    A name and a ref may have an @ in them, too.
    """
    places = [len(asked), *(at for at in reversed(range(len(asked))) if asked[at] == "@")]
    end = next((at for at in places if f"/{name}".endswith(f"/{asked[:at].strip('/')}")), len(asked))
    return asked[end + 1 :]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The pages of one repository; of one commit, when the reader named it."""

    name: str
    revision: str = ""

    @property
    def repository(self) -> str:
        pinned = f"@{self.revision}" if self.revision else ""
        return f"/repositories/{quote(f'{self.name}{pinned}', safe='/@')}"

    def at(self, revision: str) -> Addresses:
        """The same of another commit; "" for the newest."""
        return Addresses(self.name, revision)

    def tree(self, path: str = "", colour: str = "") -> str:
        return self._view("tree", path, colour=colour)

    def file(self, path: str, line: int = 0) -> str:
        page = (line - 1) // LINES_PER_PAGE + 1
        return self._view("file", path, page=str(page) if page > 1 else "") + (f"#L{line}" if line else "")

    def page_of_file(self, path: str, page: int) -> str:
        return self._view("file", path, page=str(page) if page > 1 else "")

    def symbol(self, symbol: Symbol) -> str:
        return self._view("symbol", symbol.path, name=symbol.qualified_name, line=str(symbol.start_line))

    def named(self, name: str) -> str:
        return self._view("symbol", "", name=name)

    def dependencies(self, path: str = "") -> str:
        return self._view("dependencies", path)

    def commits(self, path: str = "", symbol: str = "") -> str:
        return self._view("commits", path, symbol=symbol)

    def search(self, query: str = "", kind: str = "") -> str:
        return self._view("search", "", q=query, kind=kind)

    @property
    def skipped(self) -> str:
        return self._view("skipped", "")

    def _view(self, view: str, path: str, **query: str) -> str:
        below = f"/{quote(path)}" if path else ""
        asked = urlencode({key: value for key, value in query.items() if value}, quote_via=quote)
        return f"{self.repository}{_BETWEEN}{view}{below}{f'?{asked}' if asked else ''}"

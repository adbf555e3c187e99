"""What templates do to values: numbers and days in words, names of CSS classes, text that hides nothing."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from markupsafe import Markup

from code_insight.tools.answers import day, shorten, visible

# Hues of these are in style.css; all others are grey.
_HUED = frozenset(
    """
    python javascript typescript tsx go rust java c cpp csharp ruby php bash markdown rst html css json yaml toml xml
    sql kotlin swift scala vue svelte make dockerfile cmake protobuf lua perl ini
    """.split()  # noqa: SIM905
)


_MINUTE = 60
_MONTH = 30 * 86_400
_UNITS = ((86_400, "day"), (3_600, "hour"), (_MINUTE, "minute"))


def seen(value: object) -> object:
    """A text with everything that a reader cannot see written out; all else as it is."""
    return visible(value) if type(value) is str else value


def number(value: int) -> str:
    """1234567 → 1,234,567."""
    return f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """ "1 file", "2,000 files"."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def moment(seconds: int) -> Markup:
    """A day that a program can read to the second."""
    exact = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        _exact(seconds), exact.strftime("%Y-%m-%d %H:%M UTC"), day(seconds)
    )


def _exact(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: int) -> Markup:
    """How long ago that was, in the largest unit that it fills; a day when that is more than a month, or to come.

    A time is to come when the clock has been set back since.
    """
    past = time.time() - seconds
    if not -_MINUTE < past <= _MONTH:
        return moment(seconds)
    unit, name = next(((unit, name) for unit, name in _UNITS if past >= unit), (0, ""))
    words = f"{counted(int(past // unit), name)} ago" if unit else "just now"
    return Markup('<time datetime="{}">{}</time>').format(_exact(seconds), words)


def size(size_bytes: int) -> str:
    """1500 → 1.5 kB."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    return f"{size_bytes / 1_000:,.1f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:,.1f} MB"


def hue(language: str) -> str:
    """The CSS class of a language's colour."""
    return f"l-{language}" if language in _HUED else "l-other"


def last(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


def parents(path: str) -> list[tuple[str, str]]:
    """(path, name) of each folder that a path is in, the outermost first."""
    parts = path.split("/")
    return [("/".join(parts[: at + 1]), part) for at, part in enumerate(parts[:-1])]


def ticked(text: str) -> Markup:
    """A sentence in which `backticks` mark what is typed."""
    code = Markup("<code>{}</code>")
    return Markup().join(code.format(part) if at % 2 else part for at, part in enumerate(text.split("`")))


def breakable(text: str) -> Markup:
    """A long name, in which a line may end after a separator."""
    escaped = str(Markup.escape(visible(text)))
    return Markup(re.sub(r"([/._])(?=\w)", r"\1<wbr>", escaped))  # noqa: S704 - escaped above


FILTERS = {
    "number": number,
    "counted": counted,
    "moment": moment,
    "ago": ago,
    "size": size,
    "hue": hue,
    "last": last,
    "parents": parents,
    "ticked": ticked,
    "breakable": breakable,
    "shorten": shorten,
}

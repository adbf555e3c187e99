"""How a page is answered: rendered from a template once, kept compressed, named by what it was made from."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from jinja2 import Environment

WEB = Path(__file__).parent.parent
_KEPT_BYTES = 8 << 20  # of compressed pages: about a thousand

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What a template is to be filled with."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """That a page is elsewhere."""

    location: str


@dataclass(slots=True)
class Renderer:
    """Makes HTML of pages, and keeps what it made of a commit: that never changes, and is asked for again."""

    version: str
    _kept: LRUCache[str, bytes] = field(default_factory=lambda: LRUCache(_KEPT_BYTES, len))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def html(self, request: Request, page: Page) -> bytes:
        """The page, compressed."""
        about = {
            "version": self.version,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "here": request.url.path,
            "static": static_url,
            "template": page.template,
        }
        html = templates().get_template(page.template).render(**about, **page.values)
        return gzip.compress(html.encode("utf-8", "replace"), 5, mtime=0)

    def kept(self, tag: str) -> bytes | None:
        """The page that was kept under this tag."""
        with self._lock:
            return self._kept.get(tag)

    def keep(self, tag: str, body: bytes) -> None:
        """The page is kept under this tag, as long as there is room: those not asked for longest go first."""
        with self._lock, contextlib.suppress(ValueError):  # one that is larger than all that may be kept
            self._kept[tag] = body


def tag_of(*parts: object) -> str:
    """The ETag of what is made of these; weak, since it is the same whether compressed or not."""
    return f'W/"{hashlib.sha256(repr((build(), *parts)).encode("utf-8", "replace")).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the browser says that it has this already."""
    return tag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]


def answer(request: Request, body: bytes, tag: str, *, status: int = 200, seconds: int = 0) -> Response:
    """A compressed page, plain for who cannot read that; a browser may use it for so many seconds without asking."""
    caching = f"max-age={seconds}" if seconds else "no-cache"
    headers = {**HEADERS, "etag": tag, "cache-control": caching, "vary": "Accept-Encoding, Host"}
    if status == 200 and is_known(request, tag):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, status, headers, media_type="text/html")


@cache
def templates() -> Environment:
    """The templates; whatever they print is made visible first, and then escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only browsers need it

    from code_insight.web.pages import filters

    found = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=filters.seen,
    )
    found.filters.update(filters.FILTERS)
    return found


@cache
def build() -> str:
    """What this server was made of: a page of another build is another page."""
    digest = hashlib.sha256()
    for path in sorted(WEB.parent.rglob("*")):
        if path.suffix in (".py", ".html", ".css", ".js", ".svg"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def static_url(name: str) -> str:
    """The URL of a static file, which changes with its content: a browser may keep it for ever."""
    return f"/static/{name}?v={hashlib.sha256((WEB / 'static' / name).read_bytes()).hexdigest()[:12]}"

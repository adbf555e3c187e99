"""HTTP calls to a platform, bounded in time and size; what has only been missed for a moment is asked again.

A call that changes something is repeated only when it cannot have been heard: the connection was refused, or the
service said that it turned the call away for its rate (429). What has become of any other is for the caller to read.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import stamina
import stamina.instrumentation

from code_insight_deploy import __version__
from code_insight_deploy.targets import redacted

MEGABYTE = 1024 * 1024
MOST_BYTES = 16 * MEGABYTE
MOST_SECONDS = 90.0
"""Of one call from its first byte to its last; an answer that drips is cut off."""
ATTEMPTS = 5
PATIENCE_SECONDS = 45.0
"""After which nothing is asked again."""
LONGEST_PAUSE_SECONDS = 20.0
"""A service may ask for a pause (Retry-After); for no longer than this."""
MOST_CHARACTERS_QUOTED = 300
TIMEOUTS = httpx2.Timeout(30, connect=10)
TOO_MANY = 429
TIMED_OUT = 408
SERVER_ERROR = 500
BUSY = frozenset({TOO_MANY, SERVER_ERROR, 502, 503, 504})

stamina.instrumentation.set_on_retry_hooks([])  # they would log each pause to the terminal


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        return json.loads(self.body or b"null")

    def quoted(self) -> str:
        """The status and what the service said for people, on one line, cut and without tokens."""
        return f"{self.status} {redacted(' '.join(self._sentence().split()))[:MOST_CHARACTERS_QUOTED]}".strip()

    def _sentence(self) -> str:
        try:
            said = self.json()
        except ValueError:
            return self.body.decode("utf-8", "replace")
        if isinstance(said, dict):
            return str(said.get("error") or said.get("message") or said.get("errors") or json.dumps(said))
        return str(said)


class NoAnswer(Exception):
    """No answer came, or not a whole one."""

    def __init__(self, error: Exception | str, *, heard: bool) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.heard = heard
        """Whether the service can have heard the call."""


class _Passing(Exception):
    """What is expected to be otherwise in a moment."""

    def __init__(self, found: Answer | NoAnswer) -> None:
        super().__init__()
        self.found = found


def ask(client: httpx2.Client, request: httpx2.Request, *, most_bytes: int = MOST_BYTES) -> Answer:
    """Send it once. Raises NoAnswer when none came in time, or it was longer than `most_bytes`."""
    until = time.monotonic() + MOST_SECONDS
    try:
        answer = client.send(request, stream=True)
        try:
            return Answer(answer.status_code, answer.headers, _body(answer, most_bytes, until))
        finally:
            answer.close()
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise NoAnswer(error, heard=False) from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise NoAnswer(error, heard=True) from error


def _body(answer: httpx2.Response, most_bytes: int, until: float) -> bytes:
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > most_bytes:
            raise NoAnswer(f"an answer of more than {most_bytes} bytes", heard=True)
        if time.monotonic() > until:
            raise NoAnswer(f"an answer that took longer than {MOST_SECONDS:.0f} s", heard=True)
    return bytes(body)


def read(once: Callable[[], Answer]) -> Answer:
    """What `once` comes to when it is asked again while the service is busy or does not answer. Raises NoAnswer."""
    return _repeat(once, lambda found: isinstance(found, NoAnswer) or found.status in BUSY)


def change(once: Callable[[], Answer]) -> Answer:
    """What `once` comes to; repeated only when it cannot have had an effect. Raises NoAnswer."""
    return _repeat(once, lambda found: not found.heard if isinstance(found, NoAnswer) else found.status == TOO_MANY)


def _repeat(once: Callable[[], Answer], passes: Callable[[Answer | NoAnswer], bool]) -> Answer:
    try:
        for attempt in stamina.retry_context(on=_pause, attempts=ATTEMPTS, timeout=PATIENCE_SECONDS):
            with attempt:
                return _settled(once, passes)
    except _Passing as last:
        if isinstance(last.found, NoAnswer):
            raise last.found from last
        return last.found
    raise AssertionError("stamina ends with a result or an exception")


def _settled(once: Callable[[], Answer], passes: Callable[[Answer | NoAnswer], bool]) -> Answer:
    try:
        answer = once()
    except NoAnswer as missed:
        if passes(missed):
            raise _Passing(missed) from missed
        raise
    if passes(answer):
        raise _Passing(answer)
    return answer


def _pause(error: Exception) -> bool | float:
    """Whether to ask again; after how many seconds, when the service has said so."""
    if not isinstance(error, _Passing):
        return False
    wished = error.found.headers.get("retry-after", "") if isinstance(error.found, Answer) else ""
    return min(float(wished), LONGEST_PAUSE_SECONDS) if wished.isdecimal() else True


def client(base_url: str = "", headers: Mapping[str, str] | None = None) -> httpx2.Client:
    """A client with our name and our limits. It follows no redirect: a token goes to no other host."""
    ours = {"User-Agent": f"code-insight-deploy/{__version__}"}
    return httpx2.Client(base_url=base_url, headers={**ours, **(headers or {})}, timeout=TIMEOUTS)

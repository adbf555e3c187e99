"""What is being done, for an operator who looks at traces: a span for a request, and one for each long part of it.

Each room says it in these words. Nobody but `telemetry` knows OpenTelemetry, and until `__main__` hands its recorder
to `record_with`, because a setting asks for it, nothing here costs more than a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol

Value = str | int | bool


class Attribute(StrEnum):
    """All that a span may say. Never what a client wrote (arguments, query strings, tokens) or what a repository holds.

    Names are those of OpenTelemetry's conventions (HTTP, MCP, version control), where those have one.
    """

    HTTP_METHOD = "http.request.method"
    ROUTE = "http.route"  # one of a few, never the path
    STATUS = "http.response.status_code"
    ERROR = "error.type"
    METHOD = "mcp.method.name"
    PROTOCOL = "mcp.protocol.version"
    TOOL = "gen_ai.tool.name"  # that there is
    OPERATION = "gen_ai.operation.name"
    REPOSITORY = "vcs.repository.name"  # that the caller may see, or a URL that may be cloned
    REQUEST = "code_insight.request.id"  # as in the log
    ERROR_CODE = "code_insight.error.code"  # of an answer that is an error
    FILES = "code_insight.files"
    BLOBS_PARSED = "code_insight.blobs_parsed"


Attributes = Mapping[Attribute, Value]


class Recorder(Protocol):
    """Who keeps spans; what each method does stands at the function of its name."""

    def request(
        self, name: str, traceparents: Sequence[str], attributes: Attributes
    ) -> AbstractContextManager[str]: ...

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[object]: ...

    def note(self, attributes: Attributes, name: str) -> None: ...

    def trace_id(self) -> str: ...


said: ContextVar[dict[Attribute, Value] | None] = ContextVar("said", default=None)
"""All that was noted while a request was answered, for the log and for its span: whoever answers requests sets it."""

_recorder: Recorder | None = None


def record_with(recorder: Recorder) -> None:
    """From now on spans are kept by `recorder`."""
    global _recorder
    _recorder = recorder


def is_on() -> bool:
    """Whether somebody keeps spans."""
    return _recorder is not None


def request(name: str, parents: Sequence[str], attributes: Attributes) -> AbstractContextManager[str]:
    """While it is open, the span of a client's request; the first of `parents` that is a W3C traceparent is its parent.

    Gives the id of its trace, "" for none.
    """
    return _recorder.request(name, parents, attributes) if _recorder else nullcontext("")


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[object]:
    """While it is open, a part of what is being done; an exception that leaves it is its error, by kind only."""
    return _recorder.span(name, attributes or {}) if _recorder else nullcontext()


def note(attributes: Attributes, name: str = "") -> None:
    """The span that is open says this too, and has this name from now on unless it is ""; an ERROR marks it failed."""
    if (of_request := said.get()) is not None:
        of_request.update(attributes)
    if _recorder:
        _recorder.note(attributes, name)


def trace_id() -> str:
    """32 hexadecimal digits of the trace that this is a part of; "" when it is not kept."""
    return _recorder.trace_id() if _recorder else ""

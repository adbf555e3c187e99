"""OpenTelemetry: spans go to a collector by OTLP over HTTP. Imported only where a setting asks for it.

Endpoint, headers, service name, sampler, sizes and times are read by the SDK from its standard environment variables.
The provider is ours alone and not the process's: what other libraries would say in spans is not kept.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from code_insight.errors import InsightError
from code_insight.tracing import Attribute, Attributes

_log = logging.getLogger(__name__)

_URL_PATH = re.compile(r" with url: \S+")  # of a collector, in errors of connections: it may hold a key
_VALUE_CHARACTERS = 200  # of an attribute
_SECONDS_BETWEEN_LINES = 300.0  # about a collector that comes and goes
_FLUSH_SECONDS = 2.0  # of the 15 between a signal and the end of a Fly machine


class Telemetry:
    """A `tracing.Recorder` whose spans are sent in batches, from a bounded queue, by a thread of its own."""

    def __init__(self, about: Mapping[str, str]) -> None:
        """`about` this process, in OpenTelemetry's words; what the environment says of it comes first."""
        self._provider = TracerProvider(
            resource=_resource(about),
            span_limits=SpanLimits(max_span_attribute_length=_VALUE_CHARACTERS),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(_Announced(OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer("code_insight", about.get("service.version"))

    @contextlib.contextmanager
    def request(self, name: str, parents: Sequence[str], attributes: Attributes) -> Iterator[str]:
        with self._open(name, attributes, _parent(parents), trace.SpanKind.SERVER):
            yield self.trace_id()

    @contextlib.contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[None]:
        with self._open(name, attributes, None, trace.SpanKind.INTERNAL):
            yield

    @contextlib.contextmanager
    def _open(self, name: str, attributes: Attributes, parent: Context | None, kind: trace.SpanKind) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name,
            parent,
            kind,
            _plain(attributes),
            record_exception=False,  # its text may hold what a client wrote
            set_status_on_exception=False,
        ):
            try:
                yield
            except BaseException as error:
                self.note({Attribute.ERROR: error.code if isinstance(error, InsightError) else type(error).__name__})
                raise

    def note(self, attributes: Attributes, name: str = "") -> None:
        span = trace.get_current_span()
        if name:
            span.update_name(name)
        span.set_attributes(_plain(attributes))
        if Attribute.ERROR in attributes:
            span.set_status(trace.StatusCode.ERROR)

    def trace_id(self) -> str:
        span = trace.get_current_span()
        return trace.format_trace_id(span.get_span_context().trace_id) if span.is_recording() else ""

    def close(self) -> None:
        """What is waiting has been sent, if the collector took it in two seconds."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_FLUSH_SECONDS)


def problem(seconds: float = 3.0) -> str:
    """Why the collector takes no traces; "" when it has just taken an empty batch."""
    exporter = _Announced(OTLPSpanExporter(timeout=seconds))
    taken = exporter.export(()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    return "" if taken else exporter.reason


def _plain(attributes: Attributes) -> dict[str, str | int | bool]:
    return {Attribute(name).value: value for name, value in attributes.items()}


def _parent(parents: Sequence[str]) -> Context:
    """The first client's span that is one; its `tracestate`, which is free text, is left where it is."""
    for traceparent in parents:
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
        if trace.get_current_span(parent).get_span_context().is_valid:
            return parent
    return Context()


def _resource(about: Mapping[str, str]) -> Resource:
    told = Resource.create()
    if str(told.attributes["service.name"]).startswith("unknown_service"):
        return told.merge(Resource({"service.name": "code-insight", **about}))
    return Resource(dict(about)).merge(told)


class _Announced(SpanExporter):
    """Says once that the collector does not take spans, and why; the library would say it of each batch, twice."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._reasons = _Reasons()
        self._is_down = False
        self._said_at = -_SECONDS_BETWEEN_LINES
        library = logging.getLogger("opentelemetry")
        library.propagate = False
        library.addHandler(logging.NullHandler())
        logging.getLogger("opentelemetry.exporter").addHandler(self._reasons)

    @property
    def reason(self) -> str:
        """Why spans were not taken the last time."""
        return self._reasons.last

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        now, was_down = time.monotonic(), self._is_down
        if result is SpanExportResult.SUCCESS and was_down:
            self._is_down = False
            _log.info("traces are taken by the collector again")
        elif result is not SpanExportResult.SUCCESS and not was_down and now - self._said_at > _SECONDS_BETWEEN_LINES:
            self._is_down, self._said_at = True, now
            _log.warning("traces are lost until the collector takes them: %s", self.reason)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Reasons(logging.Handler):
    """Keeps the last cause that the library has told; its last word is often that it gives up."""

    last = "no reason was told"

    def emit(self, record: logging.LogRecord) -> None:
        if "timeout, max retries" not in record.msg:
            self.last = _URL_PATH.sub("", record.getMessage())[:300]

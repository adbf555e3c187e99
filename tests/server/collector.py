"""An OpenTelemetry collector for tests: takes traces by OTLP/HTTP (protobuf) on loopback, and may have bad manners."""

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message


@dataclass(frozen=True)
class Span:
    """What a collector was told of one."""

    name: str
    kind: str  # "SERVER" or "INTERNAL"
    trace: str
    id: str
    parent: str  # "" for none
    failed: bool
    attributes: dict[str, str | int]


class Collector(http.server.ThreadingHTTPServer):
    """`status` is what it answers; while it `hangs`, it answers nothing."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.requests = 0
        self.raw: list[bytes] = []  # of those that were taken
        self.hangs = False
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def about(self) -> dict[str, str]:
        """What the process that sent the first spans says of itself."""
        return {
            pair.key: pair.value.string_value for pair in _parsed(self.raw[0]).resource_spans[0].resource.attributes
        }

    @property
    def spans(self) -> list[Span]:
        """All that were taken, in the order in which they ended."""
        resources = [resource for raw in list(self.raw) for resource in _parsed(raw).resource_spans]
        return [_span(span) for resource in resources for scope in resource.scope_spans for span in scope.spans]

    def wait_for(self, name: str, seconds: float = 20.0) -> Span:
        """The first span of that name."""
        return self.wait_until(lambda spans: [span for span in spans if span.name == name], seconds)[0]

    def wait_until(self, wanted: Callable[[list[Span]], list[Span]], seconds: float = 20.0) -> list[Span]:
        """What `wanted` finds among the spans, as soon as that is something."""
        deadline = time.monotonic() + seconds
        while not (found := wanted(self.spans)):
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.02)
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests += 1
        if self.server.hangs:
            self.server.closing.wait(60)
            self.close_connection = True
            return
        if self.server.status == 200:
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            self.server.raw.append(raw)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def _parsed(raw: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(raw)


def _span(span: Message) -> Span:
    attributes: dict[str, str | int] = {
        pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes
    }
    return Span(
        span.name,
        Message.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.status.code == 2,
        attributes,
    )


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.closing.set()
        collector.shutdown()
        collector.server_close()
        thread.join(10)


def closed_port_url() -> str:
    """Of a collector that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"

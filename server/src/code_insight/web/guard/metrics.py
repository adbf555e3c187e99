"""Figures for Prometheus, at a port of their own: they are for the operator and not for the internet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import prometheus_client

from code_insight.web.guard.asking import Answered

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0)  # a first index takes minutes


class Metrics:
    """Counts what the guard answers. Each label has a few values that we chose, none a word of a client."""

    def __init__(self, build: Mapping[str, str]) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
        prometheus_client.Info("code_insight_build", "Which server this is.").info(dict(build))
        self._requests = prometheus_client.Counter(
            "code_insight_requests", "Requests that were answered, by route and status.", ("route", "status")
        )
        self._refused = prometheus_client.Counter(
            "code_insight_requests_refused", "Requests that the application was not asked, by reason.", ("reason",)
        )
        self._seconds = prometheus_client.Histogram(
            "code_insight_request_duration_seconds",
            "From a request's headers to the end of its answer, by route.",
            ("route",),
            buckets=_SECONDS,
        )
        self._calls = prometheus_client.Counter(
            "code_insight_tool_calls",
            "Calls of a tool, by how they ended: ok or an error.",
            ("tool", "outcome"),
        )
        self._call_seconds = prometheus_client.Histogram(
            "code_insight_tool_call_duration_seconds", "The same of calls of a tool.", ("tool",), buckets=_SECONDS
        )
        self._at_once = prometheus_client.Gauge(
            "code_insight_requests_in_progress", "Requests that are being answered now."
        )

    def serve(self, host: str, port: int, at_once: Callable[[], int]) -> None:
        """What was counted is at `host`:`port` from now on, with what `at_once` says then."""
        self._at_once.set_function(at_once)
        prometheus_client.start_http_server(port, host)

    def answered(self, one: Answered) -> None:
        """One request more."""
        self._requests.labels(one.route, str(one.status)).inc()
        self._seconds.labels(one.route).observe(one.seconds)
        if one.refusal:
            self._refused.labels(one.refusal).inc()
        if one.tool:
            self._calls.labels(one.tool, one.outcome).inc()
            self._call_seconds.labels(one.tool).observe(one.seconds)

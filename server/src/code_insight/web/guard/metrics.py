"""Figures for Prometheus, at a port of their own: they are for the operator and not for the internet."""

from __future__ import annotations

import prometheus_client


class Metrics:
    """Counts what the guard answers; served from a thread at `host`:`port` while the process lives."""

    def __init__(self, host: str, port: int) -> None:
        self._requests = prometheus_client.Counter(
            "code_insight_requests", "Requests that were answered, by route and status.", ("route", "status")
        )
        self._refused = prometheus_client.Counter(
            "code_insight_requests_refused", "Requests that the application was not asked, by reason.", ("reason",)
        )
        self._seconds = prometheus_client.Histogram(
            "code_insight_request_seconds", "From a request's headers to the end of its answer.", ("route",)
        )
        prometheus_client.start_http_server(port, host)

    def answered(self, route: str, status: int, seconds: float, refusal: str) -> None:
        """One request more."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if refusal:
            self._refused.labels(refusal).inc()

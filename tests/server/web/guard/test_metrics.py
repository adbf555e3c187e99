"""Figures: a server with a port for them, and one without."""

import urllib.request
from pathlib import Path

from tests.server.serving import free_port, serving


def test_figures_are_at_their_own_port_and_nowhere_else(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, METRICS_PORT=str(port)) as server:
        server.wait_until_ready()
        assert server.get("/metrics")[0] == 404
        assert server.get("/no/such/page")[0] == 404
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            figures = answer.read().decode()
    assert 'code_insight_requests_total{route="other",status="404"} 2.0' in figures
    assert 'code_insight_request_seconds_count{route="/info"}' in figures
    assert "process_resident_memory_bytes" in figures

"""Figures: a server with a port for them, and one without."""

import re
import urllib.request
from pathlib import Path

from fastmcp import Client

from tests.server.serving import free_port, serving


async def test_figures_are_at_their_own_port_and_nowhere_else(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, METRICS_PORT=str(port)) as server:
        server.wait_until_ready()
        assert server.get("/metrics")[0] == 404
        assert server.get("/no/such/page")[0] == 404
        assert server.get("/")[0] == 200
        async with Client(f"http://127.0.0.1:{server.port}/mcp") as client:
            await client.call_tool("list_repositories")
            await client.call_tool("read", {"repository": "x", "path": "x"}, raise_on_error=False)
            await client.call_tool("no_such_tool", raise_on_error=False)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            figures = answer.read().decode()
    assert 'code_insight_requests_total{route="other",status="404"} 2.0' in figures
    assert 'code_insight_requests_total{route="/",status="200"} 1.0' in figures
    assert 'code_insight_request_duration_seconds_count{route="/info"}' in figures
    assert 'code_insight_tool_calls_total{outcome="ok",tool="list_repositories"} 1.0' in figures
    assert 'code_insight_tool_calls_total{outcome="not_found",tool="read"} 1.0' in figures
    assert 'code_insight_tool_call_duration_seconds_count{tool="read"} 1.0' in figures
    assert "code_insight_requests_in_progress 0.0" in figures
    assert re.search(r'code_insight_build_info\{.*version="\d', figures)
    assert "no_such" not in figures
    assert "_created" not in figures
    assert "process_resident_memory_bytes" in figures

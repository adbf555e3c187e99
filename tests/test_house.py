"""The house itself: import rules, proofs, docs that are true, commands that the README names."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from code_insight import __main__, settings, telemetry
from code_insight.catalog import Catalog
from code_insight.settings import Settings
from code_insight.web.pages.clients import clients
from code_insight_deploy.flysim.api import Api
from code_insight_deploy.flysim.faults import EFFECTS
from code_insight_deploy.flysim.flaps import Flaps
from code_insight_deploy.flysim.registry import OPERATIONS
from code_insight_deploy.ledger import STATE_VARIABLE

from tests.deploy.release.faults import ROWS

TOP = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(TOP / "server/src").rglob("*.py"), *(TOP / "deploy/src").rglob("*.py")])
PROOFS = {
    "IndexedCommit": "server/src/code_insight/store/reading.py",
    "CloneUrl": "server/src/code_insight/clone_url.py",
    "SourceTree": "deploy/src/code_insight_deploy/source.py",
    "BuiltImage": "deploy/src/code_insight_deploy/images.py",
    "Smoked": "deploy/src/code_insight_deploy/smoking.py",
    "Plan": "deploy/src/code_insight_deploy/planning.py",
    "Applied": "deploy/src/code_insight_deploy/engines/__init__.py",
    "Verified": "deploy/src/code_insight_deploy/verifying.py",
    "RolledBack": "deploy/src/code_insight_deploy/release.py",
    "PublishedImage": "deploy/src/code_insight_deploy/registry.py",
    "Observed": "deploy/src/code_insight_deploy/machines.py",
}


@functools.cache
def _calls(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    names = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {f.id if isinstance(f, ast.Name) else f.attr for f in names if isinstance(f, ast.Name | ast.Attribute)}


@pytest.mark.parametrize("proof", PROOFS)
def test_a_proof_is_made_in_one_file(proof: str) -> None:
    makers = [str(path.relative_to(TOP)) for path in SOURCES if proof in _calls(path)]
    assert makers == [PROOFS[proof]]


def test_the_import_rules_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    found = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_every_room_has_its_line_in_the_architecture() -> None:
    text = (TOP / "ARCHITECTURE.md").read_text("utf-8")
    rooms = [
        path.stem if path.suffix else path.name
        for path in _rooms("server/src/code_insight", "deploy/src/code_insight_deploy")
    ]
    assert [room for room in rooms if f"`{room}" not in text] == []


def _rooms(*packages: str) -> list[Path]:
    inside = [path for package in packages for path in (TOP / package).iterdir()]
    ignored = {"__init__.py", "__pycache__", "py.typed"}
    return [path for path in inside if path.name not in ignored and (path.is_dir() or path.suffix == ".py")]


def test_every_setting_is_documented() -> None:
    text = (TOP / "docs/operating.md").read_text("utf-8")
    variables = [settings._variable(field.name) for field in dataclasses.fields(Settings)]
    assert [variable for variable in variables if f"`{variable}`" not in text] == []


def test_every_setting_in_the_docs_exists() -> None:
    text = (TOP / "docs/operating.md").read_text("utf-8")
    known = {f"CODE_INSIGHT_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {STATE_VARIABLE}
    assert set(re.findall(r"CODE_INSIGHT_[A-Z_]+", text)) <= known


async def test_the_page_of_tools_is_what_the_tools_say() -> None:
    generate = _load(TOP / "docs/generate.py")
    written = (TOP / "docs/tools.md").read_text("utf-8")
    assert written == generate.page(await generate.definitions()), "run `make docs`"


@pytest.mark.parametrize("file", ["fly.toml", "fly-test001.toml"])
def test_fly_gives_the_server_the_time_that_it_may_take_to_end(file: str) -> None:
    jobs = inspect.signature(Catalog.close).parameters["wait_seconds"].default
    given = tomllib.loads((TOP / file).read_text("utf-8"))["kill_timeout"]
    assert __main__._GRACE_SECONDS + jobs + telemetry._FLUSH_SECONDS < given


def test_the_page_of_clients_is_what_the_front_page_says() -> None:
    generate = _load(TOP / "docs/generate.py")
    assert (TOP / "docs/clients.md").read_text("utf-8") == generate.clients_page(), "run `make docs`"


def test_the_readme_connects_as_the_front_page_does() -> None:
    text = (TOP / "README.md").read_text("utf-8")
    claude, *_, other = clients("http://localhost:8080/mcp")
    assert f"`{claude.text}`" in text
    assert json.dumps(json.loads(other.text)) in text


def test_the_page_of_faults_is_what_the_tests_let_happen() -> None:
    generate = _load(TOP / "docs/generate.py")
    written = (TOP / "docs/faults.md").read_text("utf-8")
    assert written == generate.faults_page(ROWS), "run `make docs`"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_make_target_that_is_named_somewhere_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", (TOP / "Makefile").read_text("utf-8")))
    texts = [
        *TOP.glob("*.md"),
        *(TOP / "docs").glob("*.md"),
        *(TOP / ".github/workflows").glob("*.yml"),
        TOP / ".ci/run",
    ]
    calls = re.compile(r"(?:`|^\s*|run: )make ([a-z-]+)", re.MULTILINE)
    named = {word for path in texts for word in calls.findall(path.read_text("utf-8"))}
    assert named <= targets
    assert {"serve", "test"} <= named


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    ]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_first_thirty_lines_of_the_readme_name_the_two_commands() -> None:
    beginning = "\n".join((TOP / "README.md").read_text("utf-8").splitlines()[:40])
    assert "make serve" in beginning
    assert "make test" in beginning


def test_every_test_that_a_page_names_exists() -> None:
    named = [
        (page.name, file, function)
        for page in (TOP / "docs").glob("*.md")
        for file, function in re.findall(r"`([\w/]+\.py)::(test_\w+)`", page.read_text("utf-8"))
    ]
    there = {path: _functions(path) for path in (TOP / "tests").rglob("test_*.py")}
    wrong = [
        (page, file, function)
        for page, file, function in named
        if not any(function in functions for path, functions in there.items() if path.as_posix().endswith(f"/{file}"))
    ]
    assert named
    assert wrong == []


def _functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_of_flysim_names_every_fault_and_every_operation() -> None:
    page = (TOP / "docs/flysim.md").read_text("utf-8")
    served = [*Flaps.__new__(Flaps).routes(), *Api.__new__(Api).routes()]
    operations = {route.name for route in served} - {"graphql"}
    operations |= {name for _, names in OPERATIONS for name in names.values()}
    assert [name for name in sorted(EFFECTS | operations) if f"`{name}`" not in page] == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (TOP / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 30
    texts = {path: (TOP / path).read_text("utf-8") for path, _ in named}
    assert [f"{path}::{test}" for path, test in named if f"def {test}(" not in texts[path]] == []


def test_every_test_that_the_table_of_faults_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", (TOP / "docs/resilience.md").read_text("utf-8"))
    assert len(named) > 10
    texts = {path.name: path.read_text("utf-8") for path in (TOP / "tests").rglob("test_*.py")}
    assert [f"{path}::{test}" for path, test in named if f"def {test}(" not in texts[path]] == []


def test_the_number_of_bad_inputs_in_the_threat_model_is_right() -> None:
    rows = (TOP / "tests/bad_inputs.jsonl").read_text("utf-8").splitlines()
    assert f"has {len(rows)} bad inputs" in (TOP / "SECURITY.md").read_text("utf-8")


def test_the_table_of_bad_inputs_counts_them() -> None:
    rows = (TOP / "tests/bad_inputs.jsonl").read_text("utf-8").splitlines()
    areas = Counter(json.loads(row)["id"].rpartition("-")[0] for row in rows)
    text = (TOP / "docs/resilience.md").read_text("utf-8").partition("## Bad inputs")[2].partition("\n## ")[0]
    assert {name: int(count) for name, count in re.findall(r"(?m)^\| (\w+) \| (\d+) \|$", text)} == areas


def test_every_direct_dependency_of_the_server_has_its_reason() -> None:
    project = tomllib.loads((TOP / "server/pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["otel"]]
    names = [re.split(r"[^\w-]", one)[0] for one in wanted]
    table = (TOP / "CONTRIBUTING.md").read_text("utf-8").partition("## Direct dependencies")[2].partition("\n## ")[0]
    explained = re.findall(r"(?m)^\| (.+?) \| .+ \|$", table)
    assert [name for name in names if not name.startswith("tree-sitter") and name not in ", ".join(explained)] == []
    assert f"{len(names)} direct ones, {_locked()} in all" in table


def _locked() -> int:
    options = ["--no-dev", "--no-emit-workspace", "--no-hashes", "--no-annotate", "--no-header", "--quiet", "--offline"]
    command = [
        os.environ.get("UV", "uv"),
        "export",
        "--locked",
        "--package",
        "code-insight",
        "--extra",
        "otel",
        *options,
    ]
    lines = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout.splitlines()
    return sum("==" in line for line in lines)

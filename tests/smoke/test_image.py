"""What is in the image, and what is not."""

import re
import tarfile
import tempfile

import docker
import httpx2
import pytest
from code_insight_deploy.proofs import BuiltImage

from tests.smoke.conftest import Start
from tests.smoke.places import address_of, ask, client

MOST_BYTES = 180_000_000


@pytest.fixture(scope="module")
def files(engine: docker.DockerClient, image: BuiltImage) -> dict[str, tarfile.TarInfo]:
    """Every file and folder of the image, by its path."""
    container = engine.containers.create(image.image_id)
    try:
        with tempfile.TemporaryFile() as exported:
            exported.writelines(container.export())  # type: ignore[arg-type]  # bytes; the stub says str
            exported.seek(0)
            with tarfile.open(fileobj=exported) as archive:
                return {member.name: member for member in archive}
    finally:
        container.remove()


def test_it_is_not_larger_than_was_promised(image: BuiltImage) -> None:
    assert image.size_bytes <= MOST_BYTES


def test_git_and_every_grammar_are_in_it(files: dict[str, tarfile.TarInfo]) -> None:
    grammars = {name for name in files if re.search(r"/tree_sitter_\w+/_binding\S*\.so$", name)}
    assert "usr/bin/git" in files
    assert "usr/lib/git-core/git-remote-https" in files
    assert len(grammars) >= 12


@pytest.mark.parametrize(
    "pattern",
    [
        r"(^|/)(sh|bash|dash|perl|apt|apt-get|dpkg|pip3?|uv|gcc|strip)$",
        r"site-packages/(pip|uv|pytest|docker|ruff|mypy|rich_argparse)/",
        r"code_insight_deploy",
        r"(^|/)(tests?|benchmarks)/test_",
        r"(^|/)(uv\.lock|requirements\.txt|Makefile|Dockerfile)$",
    ],
)
def test_nothing_of_building_testing_or_releasing_is_in_it(files: dict[str, tarfile.TarInfo], pattern: str) -> None:
    assert [name for name, member in files.items() if re.search(pattern, name) and not member.isdir()] == []


def test_its_user_can_write_its_data_and_nothing_else(files: dict[str, tarfile.TarInfo]) -> None:
    owned = {name for name, member in files.items() if member.uid != 0}
    for_everybody = {name for name, member in files.items() if member.mode & 0o002 and not member.issym()}
    assert owned == {"data"}
    assert for_everybody <= {"tmp"}


def test_no_file_carries_a_time(files: dict[str, tarfile.TarInfo]) -> None:
    made_by_the_engine = re.compile(r"^(\.dockerenv|dev|proc|sys|etc|data|tmp)(/|$)")
    assert {name for name, member in files.items() if member.mtime and not made_by_the_engine.match(name)} == set()


def test_it_runs_unprivileged_without_a_shell(engine: docker.DockerClient, image: BuiltImage) -> None:
    config = engine.images.get(image.image_id).attrs["Config"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["/app/bin/python", "-m", "code_insight", "serve"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["code-insight.tree"] == image.tree
    assert "org.opencontainers.image.revision" not in config["Labels"]


async def test_every_module_that_it_imports_has_its_bytecode(started: Start) -> None:
    """With PYTHONVERBOSE each module tells from where its code came; compiling them all costs 1 s at each start."""
    container = started(PYTHONVERBOSE="1", OTEL_TRACES_EXPORTER="otlp")
    address = address_of(container)
    await ask(address, "add_repository", url="/repositories/sample")
    async with client(address, "legacy") as asking:
        await asking.call_tool("overview", {"repository": "sample"})
    httpx2.get(f"{address}/")
    said = container.logs().decode("utf-8", "replace")
    assert "__pycache__" in said
    assert "import 'opentelemetry.sdk.trace'" in said
    compiled = re.findall(r"^# code object from '?(/\S+?\.py)'?$", said, re.MULTILINE)
    assert compiled == [], "name these in BEYOND_FASTMCP of server/image/bytecode.py"

"""The container tests' image, made of this very tree, and its services, run by Docker Compose."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx2
import pytest
from code_insight_deploy import smoking
from code_insight_deploy.proofs import BuiltImage
from docker.models.containers import Container

from tests.places import cannot_run
from tests.server.git_server import GitHost
from tests.smoke.places import HERE, INSPECTOR, Service, address_of

MANY_FILES = 1500
START_SECONDS = 30.0


@pytest.fixture(scope="session")
def repositories() -> Iterator[Path]:
    """A folder with two git repositories: /sample is small, /many takes a while to index."""
    with smoking.sample_repositories() as folder:
        many = folder / "many"
        many.mkdir()
        for number in range(MANY_FILES):
            body = "".join(f"\n\ndef f{number}_{i}(x: int) -> int:\n    return x + {i}\n" for i in range(20))
            (many / f"module_{number}.py").write_text(f'"""Module {number}."""\n{body}', encoding="utf-8")
        who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"]
        for arguments in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "many"]):
            subprocess.run(["git", "-C", str(many), *arguments], check=True, capture_output=True)
        for path in [many, *many.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@pytest.fixture(scope="session")
def docker_compose_file(image: BuiltImage, repositories: Path) -> Iterator[str]:
    """compose.yml, with the image and the repositories that it names."""
    ran = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        cannot_run("docker has no compose v2 plugin; on a Debian machine `sudo .ci/engine` installs it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMOKE_IMAGE", image.reference)
        patch.setenv("SMOKE_SAMPLES", str(repositories))
        yield str(HERE / "compose.yml")


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    """A name of this run's own."""
    return f"code-insight-smoke-{os.getpid()}"


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """How pytest-docker starts the services: without a build, since the image is made from the tree."""
    return ["up --detach --no-build"]


@pytest.fixture(scope="session")
def services(
    engine: docker.DockerClient, docker_services: object, docker_compose_project_name: str
) -> dict[str, Service]:
    """Every service of compose.yml, answering."""
    assert docker_services
    found = {name: Service(engine, docker_compose_project_name, name) for name in ("server", "homeless")}
    for service in found.values():
        wait_for_info(service.address)
    return found


@pytest.fixture(scope="session")
def server(services: dict[str, Service]) -> Service:
    """The server with a volume for its index."""
    return services["server"]


@pytest.fixture(scope="session")
def inspector() -> Path:
    """The MCP Inspector with its Node.js, installed as package-lock.json says."""
    wanted = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    version = wanted["node_modules/@modelcontextprotocol/inspector"]["version"]
    installed = INSPECTOR / "package.json"
    if not installed.exists() or json.loads(installed.read_text(encoding="utf-8"))["version"] != version:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            cannot_run("npm, which installs the MCP Inspector, is not on this machine")
        except subprocess.CalledProcessError as error:
            cannot_run(f"npm cannot install the MCP Inspector: {error.stderr.strip()}")
    return INSPECTOR


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_info(address: str) -> None:
    """Return once /info answers 200."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{address}/info", timeout=2).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            time.sleep(0.05)
    raise TimeoutError(f"{address}/info did not answer")


@pytest.fixture
def started(engine: docker.DockerClient, image: BuiltImage, repositories: Path) -> Iterator["Start"]:
    """Starts containers of the image; they are gone after the test."""
    start = Start(engine, image, repositories)
    yield start
    for container in start.containers:
        container.remove(force=True)


@contextlib.contextmanager
def beside(
    engine: docker.DockerClient,
    image: BuiltImage,
    host: GitHost,
    volumes: dict[str, dict[str, str]],
    settings: dict[str, str],
    **options: Any,
) -> Iterator[tuple[Container, str]]:
    """A container that may clone from `host`, and its address; it shares this machine's loopback."""
    port = free_port()
    container = engine.containers.run(
        image.image_id,
        detach=True,
        read_only=True,
        network_mode="host",
        tmpfs={"/tmp": "size=64m,noexec", "/data": "size=64m,uid=10001,gid=10001,mode=0700"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        volumes=volumes,
        environment={
            "CODE_INSIGHT_HOST": "127.0.0.1",
            "CODE_INSIGHT_PORT": str(port),
            "CODE_INSIGHT_CLONE_HOSTS": host.authority,
            "CODE_INSIGHT_CLONE_PRIVATE_ADDRESSES": "true",
            **settings,
        },
        **options,
    )
    try:
        wait_for_info(f"http://127.0.0.1:{port}")
        yield container, f"http://127.0.0.1:{port}"
    finally:
        container.remove(force=True)


class Start:
    """Runs the image with settings of one test's own."""

    def __init__(self, engine: docker.DockerClient, image: BuiltImage, repositories: Path) -> None:
        self.engine = engine
        self.image = image
        self.repositories = repositories
        self.containers: list[Container] = []

    def __call__(self, **environment: str) -> Container:
        container = self.engine.containers.run(
            self.image.image_id,
            detach=True,
            read_only=True,
            tmpfs={"/tmp": "size=64m", "/data": "size=256m,uid=10001,gid=10001,mode=0700"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ports={"8080/tcp": ("127.0.0.1", 0)},
            volumes={str(self.repositories): {"bind": "/repositories", "mode": "ro"}},
            environment={"CODE_INSIGHT_LOCAL_FOLDERS": "/repositories", **environment},
        )
        self.containers.append(container)
        wait_for_info(address_of(container))
        return container

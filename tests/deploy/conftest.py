"""Places for the release's tests: real git repositories in a temporary folder, and the real Docker engine."""

import contextlib
import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest
import stamina
from code_insight_deploy import calls, flysim, images
from code_insight_deploy.errors import NoBase
from code_insight_deploy.flysim import NoSim, Sim

from tests.deploy.places import TINY_DOCKERFILE, Repository
from tests.places import cannot_run


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with one commit: README.md, and an ignore file that keeps *.log out."""
    made = Repository(tmp_path / "repository")
    made.write("README.md", "# a\n")
    made.write(".gitignore", "*.log\n")
    made.commit("first")
    return made


@pytest.fixture
def tiny(repository: Repository, request: pytest.FixtureRequest) -> Repository:
    """A repository with a Dockerfile that takes no time: an image of one Python file, `server/server.py`."""
    repository.write("Dockerfile", TINY_DOCKERFILE)
    repository.write("server/pyproject.toml", '[project]\nname = "tiny"\nversion = "1.2.3"\n')
    # The name of the test makes the tree its own: images of other tests are not found instead.
    repository.write("server/server.py", f"# {request.node.nodeid}\nprint('hello')\n")
    repository.commit("tiny")
    return repository


@pytest.fixture
def no_pauses() -> Iterator[None]:
    """What is asked again is asked again at once."""
    with stamina.set_testing(True, attempts=calls.ATTEMPTS):
        yield


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which no engine answers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{os.devnull}/no-engine.sock")
    with warnings.catch_warnings():
        # docker/transport/unixconn.py leaves the socket open on which it could not connect.
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture(scope="session")
def base(engine: docker.DockerClient) -> str:
    """The image to build on, which is there: $BASE, or what the Dockerfile names."""
    reference = os.environ.get("BASE") or "python:3.14-slim"
    try:
        images.base_id(engine, reference, print)
    except NoBase as error:
        cannot_run(error.happened)
    return reference


@pytest.fixture
def built_images(engine: docker.DockerClient) -> Iterator[set[str]]:
    """References of images that are to be gone after the test."""
    references: set[str] = set()
    yield references
    for reference in references:
        with contextlib.suppress(docker.errors.ImageNotFound):
            engine.images.remove(reference, force=True)


@pytest.fixture(scope="session")
def sim(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    """A sim that stops idle machines after a second."""
    try:
        with flysim.running(tmp_path_factory.mktemp("flysim"), engine, idle_seconds=1) as started:
            yield started
    except NoSim as error:
        cannot_run(str(error))

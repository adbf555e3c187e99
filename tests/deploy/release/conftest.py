"""A platform for all tests of releases, the product's image, and an operator with an app of their own for each."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from code_insight_deploy import flysim
from code_insight_deploy.flysim import NoSim, Sim
from code_insight_deploy.proofs import BuiltImage

from tests.deploy.places import Repository
from tests.deploy.release.places import COLOURS, DOCKERFILE, TOML, Operator
from tests.places import cannot_run


@pytest.fixture(scope="session")
def platform(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    """A platform on this machine; machines that may sleep do so after three seconds."""
    try:
        with flysim.running(tmp_path_factory.mktemp("platform"), engine, idle_seconds=3) as started:
            yield started
    except NoSim as error:
        cannot_run(str(error))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone that every operator copies, so that its first commit is published once."""
    made = Repository(tmp_path_factory.mktemp("clone") / "repository")
    made.write("Dockerfile", DOCKERFILE)
    made.write("server/pyproject.toml", '[project]\nname = "server"\nversion = "1.2.3"\n')
    made.write("fly.toml", TOML)
    made.commit("first")
    for colour in COLOURS:
        made.git("checkout", "--quiet", "-b", colour, "main")
        made.write("colour.txt", colour)
        made.commit(colour)
    made.git("checkout", "--quiet", "main")
    return made


@pytest.fixture(params=["machines", "flyctl"])
def operator(
    platform: Sim, image: BuiltImage, clone: Repository, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Operator]:
    """Somebody with a token, an app that does not exist yet, and nothing that goes wrong by order; by each engine."""
    platform.faults.clear()
    name = f"app-{uuid.uuid4().hex[:8]}"
    repository = Repository(tmp_path / "repository")
    repository.git("pull", "--quiet", str(clone.folder), "main")
    somebody = Operator(
        platform, repository, tmp_path / "state", image.reference, name, platform.token(), request.param
    )
    yield somebody
    platform.faults.clear()
    somebody.close()

"""Two tiny images, and an app of its own for each test, in the one sim that all tests of the release share."""

from collections.abc import Iterator

import docker
import pytest
from code_insight_deploy.flysim import Sim

from tests.deploy.flysim.places import Fly, Pushed, build, push


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient, base: str) -> Iterator[tuple[str, str]]:
    """Names of two images, of the releases `one` and `two`."""
    made = build(engine, base, "one"), build(engine, base, "two")
    yield made
    for image in made:
        engine.images.remove(image, force=True)


@pytest.fixture
def fly(sim: Sim) -> Iterator[Fly]:
    """Somebody with an app of their own, which is gone after the test; nothing goes wrong by order."""
    sim.faults.clear()
    somebody = Fly.new(sim)
    yield somebody
    sim.faults.clear()
    somebody.close()


@pytest.fixture(scope="session")
def pushed(engine: docker.DockerClient, sim: Sim, images: tuple[str, str]) -> tuple[Pushed, Pushed]:
    """The two images in the repository of an app of the same organization, as v1 and v2."""
    sim.create_app("library")
    token = sim.token()
    first, second = (push(engine, sim, image, "library", f"v{n}", token) for n, image in enumerate(images, start=1))
    return first, second

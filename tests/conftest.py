"""What holds for all tests: nobody's own git configuration has a say in them; and the engine that many need."""

import os
import signal
from collections.abc import Iterator

import docker
import pytest
from code_insight_deploy import images, source
from code_insight_deploy.errors import NoBase, NoEngine
from code_insight_deploy.proofs import BuiltImage

from tests.places import HOUSE, cannot_run


@pytest.fixture(autouse=True, scope="session")
def _no_configuration_of_this_machine() -> Iterator[None]:
    """git reads no configuration but a repository's own, and the server no setting but a test's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GIT_", "CODE_INSIGHT_", "FLY_"))]:
            patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
        yield


@pytest.fixture(autouse=True, scope="session")
def _interrupts_are_heard() -> None:
    """A shell that runs this in the background has it ignore SIGINT, and each program that is started here as well."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine of this machine."""
    try:
        with images.engine() as client:
            yield client
    except NoEngine as error:
        cannot_run(error.happened)


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> BuiltImage:
    """The image of this tree as it stands in the folder, built before or now."""
    tree = source.source_tree(HOUSE, allow_dirty=True)
    try:
        return images.build(engine, HOUSE, tree, os.environ.get("BASE") or "python:3.14-slim", print)
    except NoBase as error:
        cannot_run(error.happened)

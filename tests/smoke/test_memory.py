"""The machine's memory ends while strangers' files are read: whoever took it goes, and the server stays."""

import contextlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from code_insight_deploy.proofs import BuiltImage
from docker.models.containers import Container

from tests.places import HOUSE
from tests.server.bad_repositories import CPP_BOMB
from tests.server.git_server import GitHost, running
from tests.server.places import Repository
from tests.smoke.conftest import beside
from tests.smoke.places import ask, ask_raw

LARGE, SMALL = (
    tomllib.loads((HOUSE / name).read_text("utf-8"))["vm"][0]["memory"].removesuffix("b")
    for name in ("fly.toml", "fly-test001.toml")
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A git host on this machine's loopback."""
    with running(tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture(scope="module")
def hungry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a file that its parser needs 600 MB for, and one like any other."""
    made = Repository(tmp_path_factory.mktemp("hungry") / "hungry")
    made.folder.parent.chmod(0o755)
    made.commit({"bomb.cpp": CPP_BOMB, "calm.py": "def calm(): ...\n"})
    return made.folder


@pytest.fixture
def machine(
    request: pytest.FixtureRequest, engine: docker.DockerClient, image: BuiltImage, host: GitHost, hungry: Path
) -> Iterator[tuple[Container, str]]:
    """A container with so much memory, and its address; it shares this machine's loopback."""
    memory = {"mem_limit": request.param, "memswap_limit": request.param}
    volumes = {
        str(hungry.parent): {"bind": "/repositories", "mode": "ro"},
        str(host.ca_file): {"bind": "/ca.pem", "mode": "ro"},
    }
    settings = {"CODE_INSIGHT_LOCAL_FOLDERS": "/repositories", "CODE_INSIGHT_CA_FILE": "/ca.pem"}
    with beside(engine, image, host, volumes, settings, **memory) as found:
        yield found


@pytest.mark.parametrize("machine", [LARGE, SMALL], indirect=True)
async def test_a_parser_that_takes_too_much_memory_goes_alone(machine: tuple[Container, str]) -> None:
    """On the larger machine the worker's own limit ends it, on the smaller one the kernel does."""
    container, address = machine
    with _outlived_by(container):
        assert "is indexed" in await ask(address, "add_repository", url="/repositories/hungry")
        assert "1 parse_memory, such as bomb.cpp" in await ask(address, "overview", repository="hungry")
        assert "calm.py" in await ask(address, "symbol", repository="hungry", name="calm")
    limit = container.attrs["HostConfig"]["Memory"]
    assert container.attrs["State"]["OOMKilled"] is (limit < 1 << 30)


@pytest.mark.parametrize("machine", [SMALL], indirect=True)
async def test_git_that_takes_all_memory_goes_alone(machine: tuple[Container, str], host: GitHost) -> None:
    container, address = machine
    with _outlived_by(container):
        refused = await ask_raw(address, "add_repository", url=host.url("bomb/pack"))
        assert refused.is_error
        assert "needs more memory than git may use here" in str(refused.content)
        assert "is indexed" in await ask(address, "add_repository", url="/repositories/hungry")
    assert container.attrs["State"]["OOMKilled"]


@contextlib.contextmanager
def _outlived_by(container: Container) -> Iterator[None]:
    """What happens in here does not end the server, and is nothing that surprises it."""
    container.reload()
    before = container.attrs["State"]
    yield
    container.reload()
    after = container.attrs["State"]
    assert (after["Running"], after["Pid"], after["StartedAt"]) == (True, before["Pid"], before["StartedAt"])
    assert "Traceback" not in container.logs().decode()

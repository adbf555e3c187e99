"""The git in the image clones over https, and trusts the certificates that are in the image."""

import subprocess
from collections.abc import Iterator

import docker
import pytest
from code_insight_deploy import smoking
from code_insight_deploy.proofs import BuiltImage
from docker.models.containers import Container

from tests.server.git_server import GitHost, running
from tests.smoke.conftest import beside
from tests.smoke.places import ask, ask_raw

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A git host on this machine's loopback, with one repository: greenhouse."""
    with running(tmp_path_factory.mktemp("host")) as made, smoking.sample_repositories() as folder:
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(folder / "sample"), str(made.root / "greenhouse")], check=True
        )
        yield made


@pytest.fixture(params=["known", "unknown"])
def authority_is_known(request: pytest.FixtureRequest) -> bool:
    """Whether the host's authority is among the certificates of the image."""
    return bool(request.param == "known")


@pytest.fixture
def cloning(
    engine: docker.DockerClient, image: BuiltImage, host: GitHost, authority_is_known: bool
) -> Iterator[tuple[Container, str]]:
    """A container that may clone from `host`, and its address; it shares this machine's loopback."""
    volumes = {str(host.ca_file): {"bind": CERTIFICATES, "mode": "ro"}} if authority_is_known else {}
    with beside(engine, image, host, volumes, {}) as found:
        yield found


async def test_a_repository_is_cloned_from_a_host_whose_certificate_is_good(
    cloning: tuple[Container, str], host: GitHost, authority_is_known: bool
) -> None:
    _, address = cloning
    answer = await ask_raw(address, "add_repository", url=host.url("greenhouse"))
    assert answer.is_error is not authority_is_known, answer.content
    if authority_is_known:
        name = f"{host.authority}/greenhouse"
        found = await ask(address, "search", query="litres_needed", repository=name)
        assert "greenhouse/watering.py" in found
    else:
        assert "certificate" in str(answer.content)


async def test_what_is_no_repository_is_refused(cloning: tuple[Container, str], host: GitHost) -> None:
    _, address = cloning
    answer = await ask_raw(address, "add_repository", url=host.url("page/of-a-site"))
    assert answer.is_error

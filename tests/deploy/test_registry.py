"""An image is published when a registry's own bytes say so; what a registry merely claims is not believed."""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx2
import pytest
from code_insight_deploy import images, registry, source
from code_insight_deploy.errors import NoToken, PlatformFailed, PushFailed
from code_insight_deploy.proofs import BuiltImage, Smoked
from code_insight_deploy.targets import Secret, Target

from tests.deploy.places import Repository
from tests.deploy.standin import CANARY, Asked, Reply, Service, serving
from tests.places import cannot_run

pytestmark = pytest.mark.usefixtures("no_pauses")

TREE = "e" * 40
CONFIG = json.dumps({"config": {"Labels": {"code-insight.tree": TREE}}}).encode()
CONFIG_DIGEST = registry.digest_of(CONFIG)
MANIFEST = json.dumps(
    {
        "mediaType": registry.MANIFESTS[0],
        "config": {"digest": CONFIG_DIGEST, "size": len(CONFIG)},
        "layers": [{"digest": "sha256:" + "1" * 64, "size": 1000}],
    }
).encode()
DIGEST = registry.digest_of(MANIFEST)
SMOKED = Smoked(BuiltImage(reference="code-insight:t", image_id=CONFIG_DIGEST, tree=TREE, size_bytes=2000), ())


def has(asked: Asked) -> Reply:
    """A registry that has one image, a:t."""
    if asked.path in {"/v2/a/manifests/t", f"/v2/a/manifests/{DIGEST}"}:
        return Reply(200, MANIFEST, {"Docker-Content-Digest": DIGEST})
    return Reply(200, CONFIG) if asked.path == f"/v2/a/blobs/{CONFIG_DIGEST}" else Reply(404)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(has) as running:
        yield running


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real registry (distribution), open to all, at this host."""
    program = shutil.which("docker-registry") or cannot_run("no docker-registry on the PATH (Debian: docker-registry)")
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(folder)}}, "http": {"addr": host}}
    (folder / "config.yml").write_text(json.dumps(settings))
    quiet = subprocess.DEVNULL
    with subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=quiet, stderr=quiet) as process:
        try:
            wait_for(f"http://{host}/v2/")
            yield host
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(httpx2.HTTPError):
            httpx2.get(url, timeout=1)
            return
        time.sleep(0.02)
    raise TimeoutError(url)


@pytest.fixture
def smoked(engine: docker.DockerClient, tiny: Repository, base: str, storage: str, built_images: set[str]) -> Smoked:
    """An image of this test's own; the smoke run itself is another test's."""
    built = images.build(engine, tiny.folder, source.source_tree(tiny.folder), base, print)
    built_images |= {built.reference, f"{storage}/code-insight:{built.reference.partition(':')[2]}"}
    return Smoked(image=built, evidence=())


def target(host: str) -> Target:
    return Service(host=host).target()


def test_a_pushed_image_is_published_by_the_digest_of_its_own_bytes(
    engine: docker.DockerClient, smoked: Smoked, storage: str
) -> None:
    lines: list[str] = []
    published = registry.push(engine, target(storage), smoked, "code-insight", lines.append)
    url = f"http://{storage}/v2/code-insight/manifests/{published.tag}"
    content = httpx2.get(url, headers={"Accept": registry.MANIFESTS[0]}).content
    assert published.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert (published.image_id, published.tree) == (smoked.image.image_id, smoked.image.tree)
    assert published.reference == f"{storage}/code-insight@{published.digest}"
    assert 0 < published.size_bytes < smoked.image.size_bytes
    assert lines[0] == f"docker push {storage}/code-insight:{published.tag}"
    assert lines[-1].startswith("pushed ")
    assert lines[-1].endswith(" MB")


def test_what_was_published_is_found_by_tag_and_digest_and_not_sent_again(
    engine: docker.DockerClient, smoked: Smoked, storage: str
) -> None:
    published = registry.push(engine, target(storage), smoked, "code-insight", print)
    lines: list[str] = []
    assert registry.push(engine, target(storage), smoked, "code-insight", lines.append) == published
    assert lines == [f"already in the registry: {storage}/code-insight:{published.tag}"]
    tree = smoked.image.tree
    assert registry.find(target(storage), "code-insight", published.tag, tree) == published
    by_digest = registry.find(target(storage), "code-insight", published.digest, tree)
    assert by_digest == dataclasses.replace(published, tag="")
    assert registry.find(target(storage), "code-insight", published.tag, "0" * 40) is None
    assert registry.exists(target(storage), "code-insight", published.digest)
    assert registry.inspect(target(storage), published)["config"]["digest"] == published.image_id


def test_what_is_not_there_is_none(storage: str) -> None:
    assert registry.find(target(storage), "code-insight", "never", TREE) is None
    assert not registry.exists(target(storage), "code-insight", "sha256:" + "0" * 64)


def test_an_image_that_fly_would_not_run_is_not_sent(engine: docker.DockerClient, service: Service) -> None:
    large = dataclasses.replace(SMOKED, image=dataclasses.replace(SMOKED.image, size_bytes=9 * 10**9))
    with pytest.raises(PushFailed, match=r"9\.0 GB") as refused:
        registry.push(engine, service.target(), large, "a", print)
    assert refused.value.exit_code == 20
    assert service.asked == []


def lying(path: str, reply: Reply) -> Any:
    return lambda asked: reply if asked.path == path else has(asked)


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("/v2/a/manifests/t", Reply(200, MANIFEST, {"Docker-Content-Digest": "sha256:" + "0" * 64})),
        (f"/v2/a/manifests/{DIGEST}", Reply(200, MANIFEST + b" ", {})),
        (f"/v2/a/blobs/{CONFIG_DIGEST}", Reply(200, CONFIG + b" ")),
        (f"/v2/a/blobs/{CONFIG_DIGEST}", Reply(404)),
        ("/v2/a/manifests/t", Reply(200, b"<html>")),
        ("/v2/a/manifests/t", Reply(200, b"[]")),
        ("/v2/a/manifests/t", Reply(200, {"config": {"digest": "../../etc"}, "layers": [{"digest": "x", "size": 1}]})),
        ("/v2/a/manifests/t", Reply(200, {"config": {"digest": CONFIG_DIGEST}, "layers": []})),
    ],
)
def test_a_registry_that_hands_out_something_else_is_not_believed(service: Service, path: str, reply: Reply) -> None:
    service.answer = lying(path, reply)
    asked_for = DIGEST if DIGEST in path else "t"
    with pytest.raises(PushFailed, match="not to be trusted"):
        registry.find(service.target(), "a", asked_for, TREE)


def test_an_index_of_images_is_refused(service: Service) -> None:
    service.answer = lying("/v2/a/manifests/t", Reply(200, {"mediaType": registry.INDEXES[1], "manifests": []}))
    with pytest.raises(PushFailed, match="index") as refused:
        registry.find(service.target(), "a", "t", TREE)
    assert "attestations" in refused.value.next_step


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said_to_be_and_not_tried_again(service: Service, status: int) -> None:
    service.answer = lambda _: Reply(status, {"errors": [{"message": f"denied for {CANARY}"}]})
    with pytest.raises(NoToken) as refused:
        registry.find(service.target(), "a", "t", TREE)
    assert CANARY not in str(refused.value)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "reply", [Reply(429), Reply(500), Reply(503), Reply(cut="at once"), Reply(200, MANIFEST, cut="in the body")]
)
def test_a_registry_that_is_busy_for_a_moment_is_asked_again(service: Service, reply: Reply) -> None:
    service.script = [reply, reply]
    found = registry.find(service.target(), "a", "t", TREE)
    assert found is not None
    assert found.digest == DIGEST


def test_a_registry_that_stays_down_is_named(service: Service) -> None:
    service.answer = lambda _: Reply(503, b"maintenance")
    with pytest.raises(PlatformFailed, match="503 maintenance"):
        registry.find(service.target(), "a", "t", TREE)


def test_a_bearer_token_is_fetched_when_the_registry_asks_for_one(service: Service) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(200, {"token": "short-lived"})
        if asked.headers["authorization"] == "Bearer short-lived":
            return has(asked)
        realm = f'Bearer realm="{service.url}/token",service="fly",scope="repository:a:pull"'
        return Reply(401, b"", {"WWW-Authenticate": realm})

    service.answer = answer
    assert registry.find(service.target(), "a", "t", TREE) is not None
    token_call = next(one.path for one in service.asked if "token" in one.path)
    assert token_call == "/token?service=fly&scope=repository%3Aa%3Apull"


@pytest.mark.parametrize("realm", ["http://198.51.100.7/token", "https://evil.example/token", "file:///etc/passwd", ""])
def test_a_token_is_sent_to_no_service_of_somebody_else(service: Service, realm: str) -> None:
    service.answer = lambda _: Reply(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="fly"'})
    with pytest.raises(PlatformFailed, match="not its own"):
        registry.find(service.target(), "a", "t", TREE)


def test_a_blob_may_lie_elsewhere_and_is_fetched_there_without_the_token(service: Service) -> None:
    with serving(lambda _: Reply(200, CONFIG)) as store:
        moved = Reply(307, b"", {"Location": f"{store.url}/blob"})
        service.answer = lying(f"/v2/a/blobs/{CONFIG_DIGEST}", moved)
        assert registry.find(service.target(), "a", "t", TREE) is not None
        assert "authorization" not in store.asked[0].headers


@pytest.mark.parametrize("name", ["../a", "A", "a/../b", ""])
def test_a_name_that_leads_elsewhere_is_not_asked_for(service: Service, name: str) -> None:
    with pytest.raises(PushFailed, match="no name"):
        registry.find(service.target(), name, "t", TREE)
    assert service.asked == []


def test_the_registry_of_this_machine_is_asked_without_tls_and_no_other() -> None:
    assert registry.base_url("127.0.0.1:5000") == "http://127.0.0.1:5000"
    assert registry.base_url("registry.fly.io") == "https://registry.fly.io"
    assert registry.base_url("localhost.evil.example") == "https://localhost.evil.example"


@pytest.mark.parametrize(
    ("said", "match", "step"),
    [
        ("unauthorized: authentication required", "refuses the token", "fly tokens create"),
        ("denied: requested access to the resource is denied", "refuses the token", "fly tokens create"),
        ("name unknown: app repository not found", "has no", "fly apps create a"),
        ("received unexpected HTTP status: 503 Service Unavailable", "did not take", "as it was"),
    ],
)
def test_what_the_engine_reports_in_its_stream_is_raised(said: str, match: str, step: str) -> None:
    message = {"errorDetail": {"message": said}, "error": said}
    with pytest.raises(PushFailed, match=match) as failed:
        registry._follow(message, registry.Progress(print), "registry.fly.io/a")
    assert step in failed.value.next_step
    assert failed.value.exit_code == 20


def test_a_token_that_expires_in_mid_push_is_renewed_once(
    engine: docker.DockerClient, smoked: Smoked, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    used: list[str] = []
    really = registry._pushed

    def expiring(client: docker.DockerClient, name: str, tag: str, token: Secret, *more: Any) -> Secret:
        used.append(token.text)
        if token.text == CANARY:
            raise registry._refused(name, "unauthorized: authentication required")
        return really(client, name, tag, token, *more)

    monkeypatch.setattr(registry, "_pushed", expiring)
    lines: list[str] = []
    renewed = Secret("fo1_second")
    registry.push(engine, target(storage), smoked, "code-insight", lines.append, renew=lambda: renewed)
    assert used == [CANARY, "fo1_second"]
    assert not [line for line in lines if CANARY in line or "fo1_second" in line]


def test_a_push_leaves_no_credentials_behind(
    engine: docker.DockerClient, smoked: Smoked, storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    registry.push(engine, target(storage), smoked, "code-insight", print)
    assert not (tmp_path / ".docker").exists()


def test_a_registry_that_stalls_is_given_up(
    engine: docker.DockerClient, smoked: Smoked, service: Service, built_images: set[str]
) -> None:
    over = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            over.wait(30)
        return Reply(200 if asked.path == "/v2/" else 404)

    service.answer = answer
    built_images.add(f"{service.host}/a:{smoked.image.reference.partition(':')[2]}")
    try:
        with pytest.raises(PushFailed, match="stalled"):
            registry.push(engine, service.target(), smoked, "a", print, stalled_seconds=1)
    finally:
        over.set()

"""The registry: a real one, with Fly's rules in front of it."""

import docker
import docker.errors
import httpx2
import pytest
from code_insight_deploy.flysim import Fault, Sim, When

from tests.deploy.flysim.places import Fly, Pushed, push

TYPES = ("vnd.docker.distribution.manifest.v2", "vnd.oci.image.manifest.v1")
MANIFEST = {"Accept": ", ".join(f"application/{kind}+json" for kind in TYPES)}


def ask(sim: Sim, method: str, path: str, token: str, user: str = "x", content: bytes | None = None) -> httpx2.Response:
    url = f"http://{sim.registry_host}/v2/{path}"
    return httpx2.request(method, url, auth=(user, token), headers=MANIFEST, content=content, timeout=30)


def errors(answer: httpx2.Response) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


@pytest.fixture
def own(pushed: tuple[Pushed, Pushed]) -> Pushed:
    """An image that is there."""
    return pushed[0]


def test_what_was_pushed_is_confirmed_by_its_digest(fly: Fly, own: Pushed) -> None:
    for reference in ("v1", own.digest):
        answer = ask(fly.sim, "HEAD", f"{own.app}/manifests/{reference}", fly.token)
        assert (answer.status_code, answer.headers["docker-content-digest"]) == (200, own.digest)
    assert ask(fly.sim, "GET", f"{own.app}/tags/list", fly.token).json()["tags"] == ["v1", "v2"]
    assert ask(fly.sim, "HEAD", f"{own.app}/manifests/v3", fly.token).status_code == 404


def test_bytes_are_counted_in_both_directions_and_a_second_push_sends_none(
    engine: docker.DockerClient, fly: Fly, own: Pushed, images: tuple[str, str]
) -> None:
    before = fly.sim.calls()[-1].number
    push(engine, fly.sim, images[0], own.app, "v1", fly.token)
    sent = [call for call in fly.sim.calls(after=before) if call.listener == "registry"]
    assert sum(call.bytes_in for call in sent) < 4000
    assert not [call for call in sent if call.operation == "registry_upload"]
    got = ask(fly.sim, "GET", f"{own.app}/manifests/v1", fly.token)
    assert fly.sim.calls()[-1].bytes_out == len(got.content)


def test_without_a_good_token_it_asks_for_one(fly: Fly, own: Pushed) -> None:
    expired, path = fly.sim.token(expires_in_seconds=-1), f"{own.app}/manifests/v1"
    for user, token in (("x", "fo1_unknown"), ("x", expired), ("somebody", fly.token)):
        refused = ask(fly.sim, "GET", path, token, user)
        assert (refused.status_code, errors(refused)) == (401, ["UNAUTHORIZED"])
        assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert httpx2.get(f"http://{fly.sim.registry_host}/v2/").status_code == 401
    assert ask(fly.sim, "GET", "", fly.token).status_code == 200


def test_a_repository_is_there_only_while_its_app_is(fly: Fly) -> None:
    refused = ask(fly.sim, "POST", f"no-{fly.app}/blobs/uploads/", fly.token)
    assert (refused.status_code, errors(refused)) == (404, ["NAME_UNKNOWN"])
    assert refused.json()["errors"][0]["message"] == "app repository not found"
    assert ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", fly.token).status_code == 202


def test_a_token_that_may_only_look_cannot_push(fly: Fly, own: Pushed, sim: Sim) -> None:
    reader, stranger = sim.token("read"), sim.token(organization="other")
    assert ask(sim, "HEAD", f"{own.app}/manifests/v1", reader).status_code == 200
    refused = ask(sim, "POST", f"{own.app}/blobs/uploads/", reader)
    assert (refused.status_code, errors(refused)) == (403, ["DENIED"])
    assert ask(sim, "GET", f"{own.app}/manifests/v1", stranger).status_code == 403


def test_a_layer_is_mounted_from_an_app_of_the_same_organization_only(fly: Fly, own: Pushed, sim: Sim) -> None:
    layer = ask(sim, "GET", f"{own.app}/manifests/v1", fly.token).json()["layers"][0]["digest"]
    name = f"{fly.app}-m"
    query = f"mount={layer}&from={own.app}"
    sim.create_app(name)
    assert ask(sim, "POST", f"{name}/blobs/uploads/?{query}", fly.token).status_code == 201
    sim.create_app(f"{name}-other", organization="other")
    stranger = sim.token(organization="other")
    assert ask(sim, "POST", f"{name}-other/blobs/uploads/?{query}", stranger).status_code == 202


def test_a_token_expires_in_the_middle_of_a_push(fly: Fly) -> None:
    """Docker itself tries again for 50 s after this; so the upload is done by hand."""
    token = fly.sim.token(expires_after_bytes=100_000)
    begun = ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", token).headers["location"].removeprefix("/v2/")
    sent = ask(fly.sim, "PATCH", begun, token, content=bytes(200_000))
    assert sent.status_code == 202
    finished = sent.headers["location"].removeprefix("/v2/") + f"&digest=sha256:{'0' * 64}"
    assert ask(fly.sim, "PUT", finished, token).status_code == 401
    assert ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", token).status_code == 401
    assert ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", fly.token).status_code == 202


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_the_registry_answers_as_ordered(fly: Fly, own: Pushed, status: int) -> None:
    when = When(operation="registry_*_manifest", app=own.app)
    fly.sim.faults.add(Fault(when=when, effect="answer", status=status, headers={"Retry-After": "1"}))
    answer = ask(fly.sim, "HEAD", f"{own.app}/manifests/v1", fly.token)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "1")
    assert ask(fly.sim, "HEAD", f"{own.app}/manifests/v1", fly.token).status_code == 200


def test_an_upload_is_cut_in_the_middle(fly: Fly) -> None:
    where = ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", fly.token).headers["location"]
    fault = Fault(when=When(operation="registry_upload", app=fly.app), effect="cut", after_bytes=100_000)
    fly.sim.faults.add(fault)
    with pytest.raises(httpx2.TransportError):
        ask(fly.sim, "PATCH", where.removeprefix("/v2/"), fly.token, content=bytes(1_000_000))
    call = next(call for call in fly.sim.calls() if call.effects == ("cut",) and call.app == fly.app)
    assert (call.status, 100_000 <= call.bytes_in < 1_000_000) == (0, True)


def test_an_upload_stalls_in_the_middle(fly: Fly) -> None:
    where = ask(fly.sim, "POST", f"{fly.app}/blobs/uploads/", fly.token).headers["location"]
    when = When(operation="registry_upload", app=fly.app)
    fly.sim.faults.add(Fault(when=when, effect="stall", after_bytes=1, seconds=30))
    url = f"http://{fly.sim.registry_host}{where}"
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.patch(url, auth=("x", fly.token), content=b"1234", timeout=0.5)


def test_the_registry_lies_about_a_digest(fly: Fly, own: Pushed) -> None:
    fly.sim.faults.add(Fault(when=When(operation="registry_head_manifest", app=own.app), effect="wrong_digest"))
    answer = ask(fly.sim, "HEAD", f"{own.app}/manifests/v1", fly.token)
    assert answer.headers["docker-content-digest"] == "sha256:" + "0" * 64


def test_the_registry_hands_out_another_image(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    when = When(operation="registry_get_manifest", app="library")
    fly.sim.faults.add(Fault(when=when, effect="other_image", body=pushed[1].digest))
    answer = ask(fly.sim, "GET", "library/manifests/v1", fly.token)
    assert answer.headers["docker-content-digest"] == pushed[1].digest


def test_an_image_is_lost(fly: Fly, own: Pushed) -> None:
    manifest = ask(fly.sim, "GET", f"{own.app}/manifests/v1", fly.token)
    headers = {"Content-Type": manifest.headers["content-type"]}
    url = f"http://{fly.sim.registry_host}/v2/{own.app}/manifests/lost"
    put = httpx2.put(url, auth=("x", fly.token), content=manifest.content + b" ", headers=headers)
    path = f"{own.app}/manifests/{put.headers['docker-content-digest']}"
    assert ask(fly.sim, "HEAD", path, fly.token).status_code == 200
    fly.sim.faults.add(Fault(when=When(operation="registry_head_manifest", app=own.app), effect="image_gone"))
    assert [ask(fly.sim, "HEAD", path, fly.token).status_code for _ in range(2)] == [404, 404]

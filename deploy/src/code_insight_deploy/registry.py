"""The image registry: bring an image there, and see with one's own eyes that it is there (OCI distribution spec).

What the registry says of a digest is not believed: the manifest is fetched and its bytes are hashed here, and the
configuration that it names must be the one that was smoked. Credentials go with each call and are kept nowhere.
"""

import base64
import dataclasses
import hashlib
import ipaddress
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import docker
import docker.auth
import docker.errors
import httpx2
import requests

from code_insight_deploy import calls
from code_insight_deploy.calls import Answer, NoAnswer
from code_insight_deploy.errors import NoToken, PlatformFailed, PushFailed
from code_insight_deploy.proofs import PublishedImage, Smoked
from code_insight_deploy.targets import GET_A_TOKEN, Secret, Target, redacted

Json = dict[str, Any]
Say = Callable[[str], None]

USER = "x"
"""Fly's registry takes a token as the password of this user."""
TREE_LABEL = "code-insight.tree"
MOST_UNPACKED_BYTES = 8 * 10**9
"""Fly's limit for the file system of a machine."""
MOST_MANIFEST_BYTES = 4 * calls.MEGABYTE
MOST_CONFIG_BYTES = 8 * calls.MEGABYTE
STALLED_SECONDS = 60.0
TOLD_SECONDS = 1.0
MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
INDEXES = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DENIED = re.compile(r"unauthorized|authentication required|no basic auth|denied|forbidden|\b40[13]\b", re.IGNORECASE)
NO_REPOSITORY = re.compile(r"name unknown|repository not found|name_unknown", re.IGNORECASE)
UNTOUCHED = "Nothing was released; the app is as it was. Start the same command again: what is there is not sent twice."


def push(
    client: docker.DockerClient,
    target: Target,
    smoked: Smoked,
    repository: str,
    say: Say,
    *,
    renew: Callable[[], Secret] | None = None,
    stalled_seconds: float | None = None,
) -> PublishedImage:
    """The smoked image in `repository`, under the tag that it has here; nothing is sent when it is there already.

    When the token expires meanwhile, `renew` is asked for another, once. Raises PushFailed when the registry refuses
    it, does not move for `stalled_seconds` (else STALLED_SECONDS), or has something else afterwards; NoToken when
    reading is refused.
    """
    _refuse_too_large(smoked)
    tag = smoked.image.reference.rpartition(":")[2]
    with Registry(target) as registry:
        there = registry.image(repository, tag)
        if there and there.is_of(smoked):
            say(f"already in the registry: {target.registry}/{repository}:{tag}")
            return _confirmed(registry, repository, tag, there, smoked)
    seconds = STALLED_SECONDS if stalled_seconds is None else stalled_seconds
    token = _send(client, target, smoked, f"{target.registry}/{repository}", tag, say, renew, seconds)
    with Registry(dataclasses.replace(target, token=token)) as registry:
        return _confirmed(registry, repository, tag, registry.image(repository, tag), smoked)


def find(target: Target, repository: str, tag_or_digest: str, tree: str) -> PublishedImage | None:
    """The image of `tree` under that tag or digest; None when there is none, or it is of another tree."""
    with Registry(target) as registry:
        there = registry.image(repository, tag_or_digest)
        if there is None or there.tree != tree:
            return None
        return _published(target, repository, "" if DIGEST.fullmatch(tag_or_digest) else tag_or_digest, there)


def exists(target: Target, repository: str, digest: str) -> bool:
    """Whether the registry has a manifest of that digest, to the byte."""
    with Registry(target) as registry:
        return registry.manifest(repository, digest) is not None


def tree_of(target: Target, repository: str, digest: str) -> str | None:
    """The tree that the image of that digest says it is of, "" when it does not; None when the registry has none."""
    with Registry(target) as registry:
        found = registry.image(repository, digest)
    return found.tree if found else None


def inspect(target: Target, published: PublishedImage) -> Json:
    """The manifest of a published image. Raises PushFailed when the registry does not have it any more."""
    with Registry(target) as registry:
        found = registry.manifest(published.repository, published.digest)
    if found is None:
        raise PushFailed(f"{published.reference} is not in the registry any more", UNTOUCHED)
    return found.said


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was fetched, named by its own bytes."""

    digest: str
    said: Json

    @property
    def config(self) -> str:
        """Digest of the configuration."""
        return str(self.said["config"]["digest"])

    @property
    def size_bytes(self) -> int:
        return sum(int(layer["size"]) for layer in self.said["layers"])


@dataclass(frozen=True, slots=True)
class Found:
    """An image in the registry: its manifest, and what its configuration says."""

    manifest: Manifest
    tree: str

    def is_of(self, smoked: Smoked) -> bool:
        """Whether it is what was smoked. An engine names an image after its configuration, or after its manifest."""
        return smoked.image.image_id in {self.manifest.config, self.manifest.digest}


class Registry:
    """Reads of one registry. Use it in a `with` statement."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._host = target.registry
        self._client = calls.client(base_url(target.registry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def image(self, repository: str, reference: str) -> Found | None:
        """The image under a tag or digest; None when there is none."""
        manifest = self.manifest(repository, reference)
        if manifest is None:
            return None
        blob = self._get(repository, f"blobs/{manifest.config}", "*/*", MOST_CONFIG_BYTES)
        if blob is None or digest_of(blob.body) != manifest.config:
            raise self._lies(f"{repository}: {reference} names a configuration that the registry does not have")
        try:
            labels = (json.loads(blob.body).get("config") or {}).get("Labels") or {}
            return Found(manifest, str(labels.get(TREE_LABEL, "")))
        except (ValueError, AttributeError) as error:
            raise self._lies(f"{repository}: the configuration of {reference} is none ({error})") from error

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The manifest under a tag or digest, hashed here; None when there is none. Raises PushFailed for an index."""
        accept = ", ".join((*MANIFESTS, *INDEXES))
        answer = self._get(repository, f"manifests/{reference}", accept, MOST_MANIFEST_BYTES)
        if answer is None:
            return None
        digest = digest_of(answer.body)
        for claimed in (answer.headers.get("docker-content-digest"), reference if ":" in reference else None):
            if claimed and claimed != digest:
                raise self._lies(f"{repository}: {claimed} was asked for or named, and the bytes are those of {digest}")
        return Manifest(digest, self._plain_manifest(repository, reference, answer.body))

    def has(self, repository: str, digest: str) -> bool:
        """Whether the registry says that it has a manifest of that digest."""
        accept = ", ".join(MANIFESTS)
        answer = self._get(repository, f"manifests/{digest}", accept, 0, method="HEAD")
        return answer is not None and answer.headers.get("docker-content-digest", digest) == digest

    def _plain_manifest(self, repository: str, reference: str, body: bytes) -> Json:
        try:
            said = json.loads(body)
            if said.get("mediaType") in INDEXES or "manifests" in said:
                raise PushFailed(
                    f"{self._host}/{repository}: {reference} is an index of images, and not one image",
                    "Push a plain image: build it without attestations (BUILDX_NO_DEFAULT_ATTESTATIONS=1).",
                )
            names = [str(said["config"]["digest"]), *(str(layer["digest"]) for layer in said["layers"])]
            is_whole = all(map(DIGEST.fullmatch, names)) and min(int(layer["size"]) for layer in said["layers"]) >= 0
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._lies(f"{repository}: the manifest of {reference} is none ({error})") from error
        if not is_whole:
            raise self._lies(f"{repository}: the manifest of {reference} names things that are no digests")
        return dict(said)

    def _lies(self, what: str) -> PushFailed:
        return PushFailed(f"the registry {self._host} is not to be trusted: {what}", UNTOUCHED)

    def _get(self, repository: str, path: str, accept: str, most_bytes: int, *, method: str = "GET") -> Answer | None:
        """The answer; None for 404. Raises NoToken, PlatformFailed."""
        if not REPOSITORY.fullmatch(repository) or not _is_reference(path.partition("/")[2]):
            raise PushFailed(f"{repository}/{path} is no name of an image", "Name a repository and a tag or digest.")
        url = f"/v2/{repository}/{path}"
        try:
            answer = calls.read(lambda: self._ask(method, url, accept, most_bytes))
        except NoAnswer as error:
            raise PlatformFailed(f"the registry {self._host} does not answer: {error}", UNTOUCHED) from error
        if answer.status == httpx2.codes.NOT_FOUND:
            return None
        if answer.status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
            raise NoToken(
                f"the registry {self._host} refuses the token for {repository}: {answer.quoted()}",
                f"{GET_A_TOKEN} Where the app {repository} is somebody else's, name one of your own with --repository.",
            )
        if answer.status != httpx2.codes.OK:
            raise PlatformFailed(f"the registry {self._host} answered {answer.quoted()}", UNTOUCHED)
        return answer

    def _ask(self, method: str, url: str, accept: str, most_bytes: int) -> Answer:
        """One try: as Fly wants it (Basic), else as a challenge asks for (Bearer); blobs may lie elsewhere."""
        request = self._client.build_request(method, url, headers={"Accept": accept, "Authorization": self._basic()})
        answer = calls.ask(self._client, request, most_bytes=most_bytes)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == httpx2.codes.UNAUTHORIZED and challenge.lower().startswith("bearer "):
            bearer = self._bearer(challenge)
            if isinstance(bearer, Answer):
                return bearer
            request = self._client.build_request(method, url, headers={"Accept": accept, "Authorization": bearer})
            answer = calls.ask(self._client, request, most_bytes=most_bytes)
        if answer.status in {301, 302, 303, 307, 308} and (elsewhere := _secure(answer.headers.get("location", ""))):
            return calls.ask(self._client, self._client.build_request(method, elsewhere), most_bytes=most_bytes)
        return answer

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{self.target.token.text}".encode()).decode()

    def _bearer(self, challenge: str) -> str | Answer:
        """What to send instead, fetched from the realm that the challenge names; the realm's refusal otherwise."""
        asked = dict(re.findall(r'([a-z_]+)="([^"]*)"', challenge))
        realm = _secure(asked.pop("realm", ""))
        if not realm or not _related(urlsplit(realm).hostname or "", self._host):
            raise NoAnswer(f"it sends us to {realm or 'nowhere'} for a token, which is not its own", heard=True)
        query = {name: asked[name] for name in ("service", "scope") if name in asked}
        headers = {"Authorization": self._basic()}
        answer = calls.ask(self._client, self._client.build_request("GET", realm, params=query, headers=headers))
        if answer.status != httpx2.codes.OK:
            return answer
        try:
            said = answer.json()
            return f"Bearer {said.get('token') or said['access_token']}"
        except (ValueError, KeyError, AttributeError) as error:
            raise NoAnswer("its token service gave no token", heard=True) from error


def base_url(host: str) -> str:
    """Where a registry answers: by HTTPS, unless it is on this machine."""
    return f"{'http' if _is_here(host) else 'https'}://{host}"


def digest_of(content: bytes) -> str:
    """sha256:<64 hex digits>"""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _is_here(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _secure(url: str) -> str:
    """The address, if a token or an image may come from there; else ""."""
    parts = urlsplit(url)
    return url if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.netloc)) else ""


def _related(name: str, host: str) -> bool:
    """Whether two hosts are the same or of the same house: auth.fly.io and registry.fly.io."""
    own = urlsplit(f"//{host}").hostname or ""
    house = own.partition(".")[2]
    return name == own or ("." in house and not _is_here(host) and name.endswith(f".{house}"))


def _is_reference(text: str) -> bool:
    return bool(DIGEST.fullmatch(text) or TAG.fullmatch(text))


# The way there


def _refuse_too_large(smoked: Smoked) -> None:
    if smoked.image.size_bytes > MOST_UNPACKED_BYTES:
        raise PushFailed(
            f"{smoked.image.reference} is {smoked.image.size_bytes / 1e9:.1f} GB unpacked, and Fly runs no more than "
            f"{MOST_UNPACKED_BYTES / 1e9:.0f} GB",
            "Make the image smaller; such a machine would hang in `starting`.",
        )


def _send(
    client: docker.DockerClient,
    target: Target,
    smoked: Smoked,
    name: str,
    tag: str,
    say: Say,
    renew: Callable[[], Secret] | None,
    stalled_seconds: float,
) -> Secret:
    """Push it; returns the token that was good to the end."""
    client.api.tag(smoked.image.image_id, name, tag, force=True)
    say(f"docker push {name}:{tag}")
    try:
        return _pushed(client, name, tag, target.token, say, stalled_seconds)
    except _Denied as denied:
        if renew is None:
            raise
        say(f"the registry does not take the token any more; renewing it once ({denied.happened})")
        return _pushed(client, name, tag, renew(), say, stalled_seconds)


def _pushed(
    client: docker.DockerClient, name: str, tag: str, token: Secret, say: Say, stalled_seconds: float
) -> Secret:
    """Let the engine push; raise what it reports in the stream, since the status of the reply is 200 all the same."""
    api = client.api
    credentials = docker.auth.encode_header({"username": USER, "password": token.text})
    progress = Progress(say)
    try:
        answer = api.post(
            f"{api.base_url}/v{api.api_version}/images/{name}/push",
            params={"tag": tag},
            headers={"X-Registry-Auth": credentials},
            stream=True,
            timeout=stalled_seconds,
        )
        with answer:
            if answer.status_code != requests.codes.ok:
                raise _refused(name, answer.text)
            for line in answer.iter_lines():
                _follow(json.loads(line), progress, name)
    except (
        requests.RequestException,
        json.JSONDecodeError,
    ) as error:  # the engine ends a push when nobody listens any more
        raise PushFailed(f"the push to {name} has stalled or the engine is gone: {_short(error)}", UNTOUCHED) from error
    progress.end()
    return token


def _follow(message: Json, progress: "Progress", name: str) -> None:
    if "error" in message or "errorDetail" in message:
        detail = message.get("errorDetail") or {}
        raise _refused(name, str(message.get("error") or detail.get("message") or "no reason given"))
    progress.note(message)


class _Denied(PushFailed):
    """The registry did not take the token."""


def _refused(name: str, said: str) -> PushFailed:
    reason = _short(said)
    if NO_REPOSITORY.search(said):
        return PushFailed(
            f"the registry has no {name}: {reason}",
            f"Its app must exist first: `fly apps create {name.rpartition('/')[2]}`. {UNTOUCHED}",
        )
    if DENIED.search(said):
        return _Denied(f"the registry refuses the token for {name}: {reason}", f"{GET_A_TOKEN} {UNTOUCHED}")
    return PushFailed(f"the registry did not take {name}: {reason}", UNTOUCHED)


def _short(said: object) -> str:
    return redacted(" ".join(str(said).split()))[: calls.MOST_CHARACTERS_QUOTED]


@dataclass
class Progress:
    """Bytes of the layers that are sent, told at most once in a second and at the end."""

    say: Say
    sent: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    told_at: float = field(default_factory=time.monotonic)

    def note(self, message: Json) -> None:
        """Read one message of the engine."""
        layer, detail = str(message.get("id", "")), message.get("progressDetail") or {}
        if message.get("status") == "Pushing" and detail.get("current"):
            self.totals[layer] = max(int(detail.get("total") or 0), int(detail["current"]), self.totals.get(layer, 0))
            self.sent[layer] = int(detail["current"])
        elif message.get("status") == "Pushed":
            self.sent[layer] = self.totals.get(layer, 0)
        if time.monotonic() - self.told_at > TOLD_SECONDS:
            self._tell()

    def end(self) -> None:
        """Tell the sum of all that was sent."""
        self._tell()

    def _tell(self) -> None:
        self.told_at = time.monotonic()
        self.say(f"pushed {sum(self.sent.values()) / 1e6:.1f} of {sum(self.totals.values()) / 1e6:.1f} MB")


# What there is afterwards


def _confirmed(registry: Registry, repository: str, tag: str, there: Found | None, smoked: Smoked) -> PublishedImage:
    name = f"{repository}:{tag}"
    if there is None or not registry.has(repository, there.manifest.digest):
        raise PushFailed(f"the registry says that it took {name}, and does not have it", UNTOUCHED)
    if not there.is_of(smoked):
        raise PushFailed(
            f"{name} in the registry is {there.manifest.config}, and what was smoked here is {smoked.image.image_id}",
            f"Somebody else has pushed to that tag, or the registry lies. {UNTOUCHED}",
        )
    if there.tree != smoked.image.tree:
        raise PushFailed(f"{name} in the registry is of the tree {there.tree or '(none)'}", UNTOUCHED)
    return _published(registry.target, repository, tag, there)


def _published(target: Target, repository: str, tag: str, there: Found) -> PublishedImage:
    return PublishedImage(
        registry=target.registry,
        repository=repository,
        tag=tag,
        digest=there.manifest.digest,
        image_id=there.manifest.config,
        tree=there.tree,
        size_bytes=there.manifest.size_bytes,
    )

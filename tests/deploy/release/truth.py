"""What an app is in truth: asked of the platform, the registry and the public, with nothing of the product's own."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2

from tests.deploy.release.places import Operator

REQUESTS = 3
ANSWER_SECONDS = 60.0
"""More than the edge waits for a machine to become well, before it answers 503."""
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Running:
    """One machine, as the platform has it."""

    digest: str
    version: str
    state: str


@dataclass(frozen=True, slots=True)
class Truth:
    """An app at one moment."""

    machines: Mapping[str, Running]
    public: tuple[str, ...]
    """The trees that processes behind the public address say they are of; other answers by their status."""

    @property
    def digests(self) -> set[str]:
        return {machine.digest for machine in self.machines.values()}

    @property
    def versions(self) -> dict[str, str]:
        return {id_: machine.version for id_, machine in self.machines.items()}


def look(operator: Operator) -> Truth:
    """The app of the operator now; nothing goes wrong by order any more when this is asked."""
    headers = {"Authorization": f"Bearer {operator.sim.token()}"}
    url = f"{operator.sim.flaps_url}/v1/apps/{operator.app}/machines"
    answer = httpx2.get(url, headers=headers, timeout=30)
    listed = answer.json() if answer.status_code == httpx2.codes.OK else []
    machines = {m["id"]: Running(m["image_ref"]["digest"], m["instance_id"], m["state"]) for m in listed}
    return Truth(machines, _public(operator) if machines else ())


def _public(operator: Operator) -> tuple[str, ...]:
    """Asked all at once: whoever is not answered waits as long as the edge does."""
    url = f"{operator.sim.app_url(operator.app)}/info"

    def ask(_number: int) -> str:
        answer = httpx2.get(url, headers={"connection": "close"}, timeout=ANSWER_SECONDS)
        return str(answer.json()["tree"]) if answer.status_code == httpx2.codes.OK else str(answer.status_code)

    with ThreadPoolExecutor(REQUESTS) as threads:
        return tuple(threads.map(ask, range(REQUESTS)))


def tree(operator: Operator) -> str:
    """What git names the tree that is checked out."""
    return operator.repository.git("rev-parse", "HEAD^{tree}")


def digest(operator: Operator) -> str:
    """Of the manifest that the registry has under the tag of the commit that is checked out; "" when it has none."""
    tag = operator.repository.git("rev-parse", "HEAD")[:12]
    url = f"http://{operator.sim.registry_host}/v2/code-insight/manifests/{tag}"
    answer = httpx2.get(url, auth=("x", operator.sim.token()), headers={"Accept": MANIFESTS}, timeout=30)
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}" if answer.status_code == httpx2.codes.OK else ""

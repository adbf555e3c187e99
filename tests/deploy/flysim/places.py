"""Where the sim's tests take place: an image that costs nothing, and somebody who speaks the Machines API."""

import io
import os
import tarfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import httpx2
from code_insight_deploy.flysim import Sim

TESTS = Path(__file__).parent
SERVER = TESTS / "server.py"
WAIT_SECONDS = 30
CHECK = {"type": "http", "port": 8080, "method": "GET", "path": "/info", "interval": "1s", "timeout": "2s"}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pushed:
    """An image in the sim's registry."""

    app: str
    tag: str
    digest: str
    host: str

    @property
    def by_tag(self) -> str:
        return f"{self.host}/{self.app}:{self.tag}"

    @property
    def by_digest(self) -> str:
        return f"{self.host}/{self.app}@{self.digest}"


def build(engine: docker.DockerClient, base: str, release: str, ballast: bytes = b"") -> str:
    """The name of an image that says it is `release`, and weighs what `ballast` does."""
    files = {"server.py": SERVER.read_bytes(), "ballast": ballast}
    steps = [f"FROM {base}", "COPY server.py ballast /", f"ENV RELEASE={release}", "EXPOSE 8080"]
    files["Dockerfile"] = "\n".join([*steps, 'CMD ["python", "/server.py"]']).encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    context.seek(0)
    tag = f"code-insight-flysim-test:{release}-{os.getpid()}"
    engine.images.build(fileobj=context, custom_context=True, rm=True, tag=tag)
    return tag


def push(engine: docker.DockerClient, sim: Sim, image: str, app: str, tag: str, token: str) -> Pushed:
    """Put an image into the sim's registry, as docker does."""
    repository = f"{sim.registry_host}/{app}"
    engine.images.get(image).tag(repository, tag)
    try:
        said = list(
            engine.api.push(repository, tag, auth_config={"username": "x", "password": token}, stream=True, decode=True)
        )
    finally:
        engine.images.remove(f"{repository}:{tag}")
    errors = [line["error"] for line in said if "error" in line]
    assert not errors, errors
    digest = next(line["aux"]["Digest"] for line in said if "Digest" in line.get("aux", {}))
    return Pushed(app=app, tag=tag, digest=digest, host=sim.registry_host)


def config(image: str, *, autostop: Any = False, least: int = 0, **more: Any) -> Json:
    """A machine's configuration with a service at 8080 and its check, as flyctl makes it of a fly.toml."""
    service = {
        "protocol": "tcp",
        "internal_port": 8080,
        "autostop": autostop,
        "autostart": True,
        "min_machines_running": least,
        "ports": [{"port": 80, "handlers": ["http"]}, {"port": 443, "handlers": ["http", "tls"]}],
        "checks": [CHECK],
    }
    return {
        "image": image,
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 64},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "app"},
        "services": [service],
        "stop_config": {"signal": "SIGTERM", "timeout": "5s"},
        **more,
    }


class Fly:
    """Somebody with a token, and one app of theirs."""

    def __init__(self, sim: Sim, app: str, token: str) -> None:
        self.sim = sim
        self.app = app
        self.token = token
        self.client = httpx2.Client(
            base_url=sim.flaps_url, headers={"Authorization": f"Bearer {token}"}, timeout=90, trust_env=False
        )

    @classmethod
    def new(cls, sim: Sim) -> "Fly":
        """Somebody with a new app that has an address."""
        name = f"app-{uuid.uuid4().hex[:8]}"
        sim.create_app(name)
        somebody = cls(sim, name, sim.token())
        somebody.ask("POST", "/ip_assignments", {"type": "shared_v4"})
        return somebody

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """A call under the app's path."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/v1/apps/{self.app}{path}", json=body, headers=named)

    def machine(self, machine: str) -> Json:
        """The machine as it is now."""
        said: Json = self.ask("GET", f"/machines/{machine}").json()
        return said

    def create(self, image: str, *, skip_launch: bool = False, **more: Any) -> Json:
        """A machine that is started, or stays as created."""
        asked = {"config": config(image, **more), "skip_launch": skip_launch, "region": "fra"}
        answer = self.ask("POST", "/machines", asked)
        assert answer.status_code == 200, answer.text
        made: Json = answer.json()
        if not skip_launch:
            self.wait(made["id"], "started")
        return self.machine(made["id"])

    def update(self, machine: str, image: str, *, asked: Json | None = None, **more: Any) -> httpx2.Response:
        """Ask for another configuration."""
        return self.ask("POST", f"/machines/{machine}", {"config": config(image, **more), **(asked or {})})

    def wait(self, machine: str, state: str, version: str = "") -> httpx2.Response:
        """Wait with Fly's own wait."""
        version = version or (self.machine(machine)["version"] if state == "stopped" else "")
        query = f"?state={state}&timeout=30" + (f"&version={version}" if version else "")
        return self.ask("GET", f"/machines/{machine}/wait{query}")

    def until(self, machine: str, is_so: Callable[[Json], bool]) -> Json:
        """The machine once something is true of it; fails when that does not come."""
        found: Json = until(lambda: self.machine(machine), is_so)
        return found

    def well(self, machine: str) -> Json:
        """The machine once its checks pass."""
        return self.until(
            machine, lambda said: said["checks"] and all(c["status"] == "passing" for c in said["checks"])
        )

    def url(self) -> str:
        return self.sim.app_url(self.app)

    def get(self, path: str = "/info", **headers: str) -> httpx2.Response:
        """Ask the app itself, as its users do."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.get(f"{self.url()}{path}", headers=named, timeout=60, trust_env=False)

    def post(self, path: str, body: str) -> httpx2.Response:
        """Send the app itself something."""
        return httpx2.post(f"{self.url()}{path}", content=body, timeout=60, trust_env=False)

    def close(self) -> None:
        """Destroy the app, with its machines."""
        self.client.delete(f"/v1/apps/{self.app}")
        self.client.close()


def until(look: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    """What is seen once it is so; fails when it does not come to that in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        seen = look()
        if is_so(seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)

"""A real registry (docker-registry), and in front of it what makes it Fly's: tokens, and repositories that are apps."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import docker
import docker.errors
import httpx2
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from code_insight_deploy.flysim.answers import NoError, allow
from code_insight_deploy.flysim.faults import Fault
from code_insight_deploy.flysim.gate import Known, drain
from code_insight_deploy.flysim.sim import NoSim
from code_insight_deploy.flysim.world import App, Json, Token, World

START_SECONDS = 20.0
IMAGES = ("registry:3", "registry:2")
PROGRAM = "docker-registry"
LABEL = "flysim.registry"
USER = "x"
MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization"}
)
OPERATIONS = (
    (r"/v2/", {"GET": "registry_ping", "HEAD": "registry_ping"}),
    (r"/v2/(?P<app>.+)/tags/list", {"GET": "registry_list_tags"}),
    (
        r"/v2/(?P<app>.+)/manifests/(?P<reference>[^/]+)",
        {
            "HEAD": "registry_head_manifest",
            "GET": "registry_get_manifest",
            "PUT": "registry_put_manifest",
            "DELETE": "registry_delete_manifest",
        },
    ),
    (r"/v2/(?P<app>.+)/blobs/uploads/", {"POST": "registry_start_upload"}),
    (
        r"/v2/(?P<app>.+)/blobs/uploads/[^/]+",
        {
            "PATCH": "registry_upload",
            "PUT": "registry_finish_upload",
            "GET": "registry_upload_status",
            "DELETE": "registry_cancel_upload",
        },
    ),
    (r"/v2/(?P<app>.+)/blobs/[^/]+", {"HEAD": "registry_head_blob", "GET": "registry_get_blob"}),
)
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
  redirect: {{disable: true}}
http: {{addr: "{address}", relativeurls: true}}
"""


class Backend:
    """The registry itself, on a port that only the sim knows: Debian's docker-registry, or the official image."""

    def __init__(self, folder: Path, engine: docker.DockerClient, sim: str) -> None:
        self._folder = folder
        self._engine = engine
        self._sim = sim
        self._process: subprocess.Popen[bytes] | None = None
        self._container = ""
        self.port = 0

    def start(self) -> None:
        """It answers. Raises NoSim, with the ways to get one, when there is none."""
        (self._folder / "registry").mkdir(exist_ok=True)
        self.end_leftover()
        if program := shutil.which(PROGRAM):
            self._start_program(program)
        else:
            self._start_container()
        self._wait()

    def _start_program(self, program: str) -> None:
        self.port = _free_port()
        config = self._folder / "registry.yml"
        root = self._folder / "registry"
        config.write_text(CONFIG.format(root=json.dumps(str(root)), address=f"127.0.0.1:{self.port}"), "utf-8")
        environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
        with (self._folder / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        (self._folder / "registry.pid").write_text(str(self._process.pid), "utf-8")

    def end_leftover(self) -> None:
        """A registry of this folder whose sim was killed is still running: end it."""
        end_program(self._folder)
        for container in self._engine.containers.list(all=True, filters={"label": f"{LABEL}={self._sim}"}):
            container.remove(force=True)

    def _start_container(self) -> None:
        container = self._engine.containers.run(
            self._image(),
            detach=True,
            labels={LABEL: self._sim},
            ports={"5000/tcp": ("127.0.0.1", 0)},
            environment={"REGISTRY_STORAGE_DELETE_ENABLED": "true", "OTEL_TRACES_EXPORTER": "none"},
            volumes={str(self._folder / "registry"): {"bind": "/var/lib/registry", "mode": "rw"}},
        )
        self._container = str(container.id)
        container.reload()
        self.port = int(container.attrs["NetworkSettings"]["Ports"]["5000/tcp"][0]["HostPort"])

    def _image(self) -> str:
        for image in IMAGES:
            with contextlib.suppress(docker.errors.DockerException):
                self._engine.images.get(image)
                return image
        for image in IMAGES:
            with contextlib.suppress(docker.errors.DockerException):
                self._engine.images.pull(image)
                return image
        raise NoSim(
            f"no registry can be run here: {PROGRAM} is not on the PATH, and {IMAGES[0]} cannot be pulled",
            "On Debian: `sudo .ci/registry`, which installs the package docker-registry.",
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                if httpx2.get(f"http://127.0.0.1:{self.port}/v2/", timeout=2, trust_env=False).status_code == 200:
                    return
            if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                raise NoSim("the registry does not answer", f"See {self._folder / 'registry.log'}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """It is gone; what it holds stays in the folder."""
        if self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
            self._process.wait()
        if self._container:
            with contextlib.suppress(docker.errors.APIError):
                self._engine.containers.get(self._container).remove(force=True)


def end_program(folder: Path) -> None:
    """End the program that is the registry of a folder, if it still is that one."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "registry.pid").read_text("utf-8"))
        if str(folder / "registry.yml") in Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0"):
            os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Registry:
    """The ASGI application at /v2/, and what the platform itself wants of the registry."""

    def __init__(self, world: World, backend: Backend) -> None:
        self._world = world
        self._backend = backend
        self._client = httpx2.AsyncClient(timeout=None, trust_env=False, limits=httpx2.Limits(max_connections=100))
        self.platform_secret = world.issue(Token("platform", ""))

    async def close(self) -> None:
        """No more calls."""
        await self._client.aclose()

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._backend.port}"

    # -- for the platform --------------------------------------------------------------------------------------------

    async def resolve(self, text: str, organization: str) -> Json:
        """The image_ref of a reference in this registry. Raises NoError 400 when it holds no such image for them."""
        found = re.fullmatch(r"([^/]+)/([^:@]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?", text)
        if not found or found[1] != self.host:
            raise NoError(400, f"invalid_argument: unable to resolve {text}: images are taken from {self.host}")
        repository, tag, digest = found[2], found[3] or "", found[4] or ""
        app = self._world.apps.get(repository)
        theirs = bool(app and app.organization == organization)
        answer = await self._manifest(repository, digest or tag or "latest") if theirs else None
        if answer is None:
            raise NoError(400, f"invalid_argument: failed to get manifest {text}: manifest unknown")
        return {
            "registry": self.host,
            "repository": repository,
            "tag": tag or ("" if digest else "latest"),
            "digest": answer.headers["docker-content-digest"],
            "labels": {},
        }

    async def _manifest(self, repository: str, reference: str) -> httpx2.Response | None:
        url = f"{self._url}/v2/{repository}/manifests/{reference}"
        answer = await self._client.get(url, headers={"Accept": MANIFESTS}, timeout=30)
        return answer if answer.status_code == 200 else None

    async def describe(self, text: str, organization: str) -> Json | None:
        """What GraphQL says of an image: digest, compressed size, the manifest; None when there is no such image."""
        try:
            image_ref = await self.resolve(text, organization)
        except NoError:
            return None
        answer = await self._manifest(image_ref["repository"], image_ref["digest"])
        manifest = answer.json() if answer else {}
        size = sum(layer["size"] for layer in manifest.get("layers", [])) + manifest.get("config", {}).get("size", 0)
        return {**image_ref, "size": size, "manifest": manifest}

    async def delete(self, app: str, reference: str) -> None:
        """Lose a manifest."""
        answer = await self._manifest(app, reference)
        if answer:
            digest = answer.headers["docker-content-digest"]
            await self._client.delete(f"{self._url}/v2/{app}/manifests/{digest}", timeout=30)

    def forget(self, app: str) -> None:
        """Lose a repository, because its app is gone."""
        shutil.rmtree(self._backend_folder(app), ignore_errors=True)

    def _backend_folder(self, app: str) -> Path:
        return self._world.folder / "registry" / "docker" / "registry" / "v2" / "repositories" / app

    @property
    def host(self) -> str:
        """As it stands in references."""
        return f"127.0.0.1:{self._world.port}"

    # -- for everybody -----------------------------------------------------------------------------------------------

    async def know(self, scope: Scope, _receive: Receive) -> Known:
        """What a call is, by its path and method."""
        operation, app, _ = _operation(scope)
        token = self._world.token(_bearer(scope))
        return Known(
            operation,
            app=app,
            mutating=scope["method"] not in {"GET", "HEAD"},
            platform=bool(token and token.rights == "platform"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        operation, app, reference = _operation(scope)
        faults: list[Fault] = scope.get("flysim.effects", [])
        try:
            token = self._allowed(scope, operation, app)
            answer = await self._forward(request, operation, app, reference, faults, token)
        except NoError as refused:
            answer = refused.answer()
            await drain(receive)
            if refused.status == 401:
                answer.headers["WWW-Authenticate"] = 'Basic realm="flysim"'
        answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        await answer(scope, receive, send)

    def _allowed(self, scope: Scope, operation: str, name: str) -> Token:
        token = self._world.token(_bearer(scope))
        if not token or token.expired:
            raise _refusal(401, "UNAUTHORIZED", "authentication required")
        if operation == "registry_ping":
            return token
        app = self._world.apps.get(name)
        if not app:
            raise _refusal(404, "NAME_UNKNOWN", "app repository not found")
        if token.rights != "platform":
            try:
                allow(token, changes=scope["method"] not in {"GET", "HEAD"}, app=app)
            except NoError as refused:
                raise _refusal(403, "DENIED", "requested access to the resource is denied") from refused
        return token

    async def _forward(
        self, request: Request, operation: str, app: str, reference: str, faults: list[Fault], token: Token
    ) -> Response:
        path = request.url.path
        effects = {fault.effect: fault for fault in faults}
        if "image_gone" in effects:
            await self.delete(app, reference)
        if "other_image" in effects and reference:
            path = f"/v2/{app}/manifests/{effects['other_image'].body}"
        query = self._query(request, operation)
        headers = [
            (key, value)
            for key, value in request.headers.items()
            if key not in HOP_BY_HOP and key not in {"authorization", "host"}
        ]
        body = None if request.method in {"GET", "HEAD", "DELETE"} else self._counted(request, token)
        url = f"{self._url}{path}{query}"
        asked = self._client.build_request(request.method, url, headers=headers, content=body)
        answer = await self._client.send(asked, stream=True)
        said = {key: value for key, value in answer.headers.items() if key not in HOP_BY_HOP}
        if "wrong_digest" in effects and "docker-content-digest" in said:
            said["docker-content-digest"] = "sha256:" + "0" * 64
        if request.method == "HEAD":
            await answer.aclose()
            return Response(status_code=answer.status_code, headers=said)
        return StreamingResponse(_streamed(answer), status_code=answer.status_code, headers=said)

    def _query(self, request: Request, operation: str) -> str:
        """The query, without a mount from a repository of another organization."""
        given = parse_qsl(request.url.query)
        source = self._world.apps.get(dict(given).get("from", ""))
        target = self._world.apps.get(_operation(request.scope)[1])
        if operation == "registry_start_upload" and (not source or not target or _parted(source, target)):
            given = [(key, value) for key, value in given if key not in {"mount", "from"}]
        return f"?{urlencode(given)}" if given else ""

    async def _counted(self, request: Request, token: Token) -> AsyncIterator[bytes]:
        async for part in request.stream():
            if token.bytes_left is not None:
                token.bytes_left -= len(part)
            yield part


async def _streamed(answer: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()


def _parted(source: App, target: App) -> bool:
    return source.organization != target.organization


def _refusal(status: int, code: str, message: str) -> NoError:
    return NoError(status, message, body={"errors": [{"code": code, "message": message, "detail": None}]})


def _operation(scope: Scope) -> tuple[str, str, str]:
    """Name of the operation, of the app, and the manifest that is asked for."""
    for pattern, names in OPERATIONS:
        found = re.fullmatch(pattern, scope["path"])
        if found and scope["method"] in names:
            groups = found.groupdict()
            return names[scope["method"]], groups.get("app", ""), groups.get("reference", "")
    return "registry_unknown", "", ""


def _bearer(scope: Scope) -> str:
    """The Authorization header of a registry call, Basic x:<token>, as the API would be sent it."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    kind, _, text = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    with contextlib.suppress(ValueError):
        user, _, password = base64.b64decode(text).decode("utf-8").partition(":")
        return f"Bearer {password.removeprefix('FlyV1 ')}" if user == USER else ""
    return ""

"""The Docker SDK: build an image from a tree, find one that was built before, run one as a Fly machine would.

The engine is asked for BuildKit (version 2 of its /build), which the SDK has no method for; the SDK's own connection
carries the request. With SOURCE_DATE_EPOCH the time of the build is in no part of the image; where the engine does not
know that, the image is repacked.
"""

import base64
import contextlib
import io
import json
import shlex
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
import requests
from docker.models.containers import Container
from docker.models.images import Image

from code_insight_deploy.apps import App
from code_insight_deploy.buildlog import BuildLog
from code_insight_deploy.errors import BuildFailed, EngineGone, NoBase, NoEngine, NotReproducible
from code_insight_deploy.proofs import BuiltImage, SourceTree
from code_insight_deploy.repacking import EPOCH, repack
from code_insight_deploy.source import archive

NAME = "code-insight"
TREE_LABEL = "code-insight.tree"
BASE_LABEL = "code-insight.base"
USER = "10001:10001"
BUILDKIT = "2"
BUILD_SECONDS = 1800
MOST_PROCESSES = 256

Say = Callable[[str], None]


@contextlib.contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """The engine that the docker command would speak to.

    Raises NoEngine when none answers, and EngineGone when it does not any more before the end of the `with` statement.
    """
    try:
        client = docker.from_env(timeout=BUILD_SECONDS)
    except docker.errors.DockerException as error:
        raise _no_engine(error) from error
    with contextlib.closing(client):
        try:
            client.ping()
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise _no_engine(error) from error
        try:
            yield client
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise EngineGone(
                f"the Docker engine went away, or refused: {error}",
                "See that it runs (`docker info`), then start the same command again. The app is as it was.",
            ) from error


def _no_engine(error: Exception) -> NoEngine:
    return NoEngine(
        f"no Docker engine answers: {error}",
        "Start Docker, or name an engine in DOCKER_HOST. On a Debian machine without one, `sudo .ci/engine` installs "
        "and starts it.",
    )


def build(
    client: docker.DockerClient, folder: Path, source: SourceTree, base: str, say: Say, *, cold: bool = False
) -> BuiltImage:
    """An image of `source` on `base`, tagged; one that was built before is taken as it is.

    A `cold` build takes nothing from before, neither an image nor a step. Raises NoBase when there is no `base`, and
    BuildFailed with the end of what the failing step printed.
    """
    base_is = base_id(client, base, say)
    reference = f"{NAME}:{source.tag}"
    if not cold and (found := _find(client, source, base_is)):
        say(f"built before: {found.id}")
        found.tag(NAME, source.tag)
        return _built(found, reference, source)
    context = archive(folder, source)
    arguments = {"BASE": base, "SOURCE_TREE": source.tree, "VERSION": _version(context), "SOURCE_DATE_EPOCH": "0"}
    say(f"git archive {source.tree} | {shlex.join(build_command(reference, arguments))}")
    _post_build(client, context, reference, arguments, {BASE_LABEL: base_is}, say, cold=cold)
    image = client.images.get(reference)
    return _built(
        image if _is_timeless(image) else _repacked(client, image, reference, base_is, say), reference, source
    )


def build_twice(client: docker.DockerClient, folder: Path, source: SourceTree, base: str, say: Say) -> BuiltImage:
    """The image that two cold builds of `source` both came to. Raises NotReproducible, with the layers, otherwise."""
    first, second = (build(client, folder, source, base, say, cold=True) for _ in range(2))
    if first.image_id == second.image_id:
        return second
    layers = [client.images.get(built.image_id).attrs["RootFS"]["Layers"] for built in (first, second)]
    differing = [str(n) for n, (one, other) in enumerate(zip(*layers, strict=True), start=1) if one != other]
    what = f"layers {', '.join(differing)} differ" if differing else "the same layers under other settings"
    raise NotReproducible(
        f"two builds of the tree {source.tree} came to {first.image_id} and {second.image_id}: {what}",
        "Look for times, random names or orders of folders in what those steps of the Dockerfile write.",
    )


def build_command(reference: str, arguments: dict[str, str]) -> list[str]:
    """What to type for the same build by hand; it reads the tree as a tar from its standard input."""
    options = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    return ["docker", "build", *options, "--tag", reference, "-"]


def base_id(client: docker.DockerClient, base: str, say: Say) -> str:
    """The ID of the image to build on, pulled when it is not here."""
    try:
        return str(client.images.get(base).id)
    except docker.errors.ImageNotFound:
        say(f"docker pull {base}")
    try:
        pulled = client.images.pull(base)
        return str((pulled[0] if isinstance(pulled, list) else pulled).id)
    except docker.errors.APIError as error:
        raise NoBase(
            f"no image {base} here, and it cannot be pulled: {error.explanation}",
            "Name another with --base or BASE. Where no registry can be reached, `.ci/base-image` makes a stand-in: "
            "--base code-insight-base:3.14.",
        ) from error


def find(client: docker.DockerClient, source: SourceTree, base: str, say: Say) -> BuiltImage | None:
    """The image of `source` on `base` that was built here before, None when there is none. Changes nothing."""
    found = _find(client, source, base_id(client, base, say))
    return _built(found, f"{NAME}:{source.tag}", source) if found else None


def _find(client: docker.DockerClient, source: SourceTree, base_id: str) -> Image | None:
    """An image that was made of this very tree on this very base, and that no clock has a part in."""
    labels = [f"{TREE_LABEL}={source.tree}", f"{BASE_LABEL}={base_id}"]
    images = [image for image in client.images.list(filters={"label": labels}) if _is_timeless(image)]
    return images[0] if images else None


def _is_timeless(image: Image) -> bool:
    """Whether its engine has left the time of the build out of it; some write no time then, some that of 1970."""
    return str(image.attrs.get("Created") or EPOCH).startswith(EPOCH.rstrip("Z"))


def _repacked(client: docker.DockerClient, image: Image, reference: str, base_id: str, say: Say) -> Image:
    """The same image without the time of its build, in its place. Raises BuildFailed when the engine saves it in a way
    that is not known.
    """
    say(f"{image.id} names the time of its build, since this engine does not know SOURCE_DATE_EPOCH: it is repacked")
    base_layers = client.images.get(base_id).attrs["RootFS"]["Layers"]
    with tempfile.TemporaryDirectory(prefix="code-insight-image-") as folder:
        saved, repacked = Path(folder) / "saved.tar", Path(folder) / "repacked.tar"
        with saved.open("wb") as file:
            file.writelines(image.save())
        try:
            repack(saved, repacked, reference, base_layers)
        except (KeyError, ValueError, tarfile.TarError) as error:
            way_out = "An engine from version 23 on, with BuildKit, makes an image that need not be."
            raise BuildFailed(f"{image.id} cannot be repacked: {error!r}", way_out) from error
        with repacked.open("rb") as file:
            client.images.load(file)
    with contextlib.suppress(docker.errors.APIError):  # somebody may use it
        client.images.remove(str(image.id), noprune=True)
    return client.images.get(reference)


def _built(image: Image, reference: str, source: SourceTree) -> BuiltImage:
    labelled = image.labels.get(TREE_LABEL)
    if labelled != source.tree:
        raise BuildFailed(f"{reference} says that it is of the tree {labelled}", "The Dockerfile must set its label.")
    return BuiltImage(
        reference=reference, image_id=str(image.id), tree=source.tree, size_bytes=int(image.attrs["Size"])
    )


def exposed_ports(client: docker.DockerClient, image: BuiltImage) -> tuple[int, ...]:
    """The ports that the image says it listens on."""
    ports = client.images.get(image.image_id).attrs["Config"].get("ExposedPorts") or {}
    return tuple(sorted(int(port.partition("/")[0]) for port in ports))


def _version(context: bytes) -> str:
    """The server's version, as the tree itself has it."""
    with tarfile.open(fileobj=io.BytesIO(context)) as files:
        member = files.extractfile("server/pyproject.toml")
        assert member is not None
        return str(tomllib.loads(member.read().decode())["project"]["version"])


def _post_build(
    client: docker.DockerClient,
    context: bytes,
    reference: str,
    arguments: dict[str, str],
    labels: dict[str, str],
    say: Say,
    *,
    cold: bool,
) -> None:
    """Let the engine build; raise what it reports in the stream, since the status of the reply is 200 all the same."""
    api = client.api
    asked = {"version": BUILDKIT, "t": reference, "buildargs": json.dumps(arguments), "labels": json.dumps(labels)}
    answer = api.post(
        f"{api.base_url}/v{api.api_version}/build",
        data=context,
        params={**asked, "nocache": str(cold).lower()},
        headers={"Content-Type": "application/x-tar"},
        stream=True,
        timeout=BUILD_SECONDS,
    )
    if answer.status_code != requests.codes.ok:
        raise BuildFailed(f"the engine refused the build: {answer.text.strip()}", "The engine must know BuildKit.")
    log = BuildLog()
    try:
        with answer:
            for line in answer.iter_lines():
                _follow(json.loads(line), log, say)
    except json.JSONDecodeError as error:  # it has ended in the middle of a message
        raise requests.ConnectionError(f"its answer broke off: {error}") from error


def _follow(message: dict[str, object], log: BuildLog, say: Say) -> None:
    if "error" in message:
        raise BuildFailed(log.failure or str(message["error"]), "Nothing was released; the app is as it was.")
    if message.get("id") == "moby.buildkit.trace":
        for line in log.read(base64.b64decode(str(message["aux"]))):
            say(line)


@dataclass(frozen=True, slots=True)
class Running:
    """A container of the image, and where it can be reached from here."""

    container: Container
    address: str
    """http://127.0.0.1:<port>"""

    def output(self) -> str:
        """The last lines that the process has printed."""
        return self.container.logs(tail=40).decode("utf-8", "replace")


@contextlib.contextmanager
def running(client: docker.DockerClient, image: BuiltImage, app: App, repositories: Path) -> Iterator[Running]:
    """A container as Fly would run the image for `app`: its memory and CPUs, no privilege, nothing writable but /tmp
    and /data. The folder `repositories` can be read at /repositories. The container is gone afterwards.
    """
    container = client.containers.run(
        image.image_id,
        detach=True,
        read_only=True,
        tmpfs={"/tmp": "size=64m,mode=1777,noexec", "/data": "size=128m,uid=10001,gid=10001,mode=0700"},  # noqa: S108
        user=USER,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=app.memory_bytes,
        memswap_limit=app.memory_bytes,
        nano_cpus=app.cpus * 10**9,
        pids_limit=MOST_PROCESSES,
        ports={f"{app.port}/tcp": ("127.0.0.1", 0)},
        volumes={str(repositories): {"bind": "/repositories", "mode": "ro"}},
        environment={"CODE_INSIGHT_LOCAL_FOLDERS": "/repositories"},
    )
    try:
        container.reload()
        published = (container.attrs["NetworkSettings"]["Ports"].get(f"{app.port}/tcp") or [{"HostPort": "0"}])[0]
        yield Running(container=container, address=f"http://127.0.0.1:{published['HostPort']}")
    finally:
        container.remove(force=True)

"""The image: what is in it, what it weighs as pushed, what a change of the source costs, and whether it is repeatable.

python benchmarks/image.py [CHANGES]

Made on $BASE of the tree in this folder, in clones elsewhere. Takes two cold builds. The weight as pushed is what a
registry on this machine was sent, where Debian's docker-registry is installed, and what gzip makes of the layers else.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx2
from code_insight_deploy import images, source
from code_insight_deploy.proofs import BuiltImage, SourceTree
from commits import commit, git
from rich.console import Console
from rich.table import Table

TOP = Path(__file__).resolve().parent.parent
MOST_BYTES, MOST_PUSHED = 180_000_000, 60_000_000
MOST_REBUILD_SECONDS, MOST_CHANGE_BYTES = 2.0, 100_000
SOURCE_LAYER_BYTES = 1_000_000  # the layers with source are all smaller, the others all larger or empty
CHANGED_FILE = "server/src/code_insight/model.py"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PARTS = (
    ("code-insight, bytecode", r"^srv/.*\.pyc$"),
    ("code-insight", r"^srv/"),
    ("grammars", r"^app/lib/[^/]+/site-packages/tree_sitter_\w+/"),
    ("dependencies, bytecode", r"^app/.*\.pyc$"),
    ("dependencies, native code", r"^app/.*\.so[.\d]*$"),
    ("dependencies, the rest", r"^app/"),
    ("git", r"^usr/(bin/git|lib/git-core/)"),
    ("standard library, bytecode", r"^usr/(local/)?lib/python3[^/]*/.*\.pyc$"),
    ("standard library", r"^usr/(local/)?lib/python3"),
    ("interpreter", r"^usr/(local/)?(bin/python|lib/libpython)"),
    ("shared libraries", r"^usr/(local/)?lib/"),
    ("certificates, licences, settings", r""),
)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a registry holds of an image: bytes by layer, and of the configuration and the manifest."""

    layers: dict[str, int]
    rest_bytes: int


def main(changes: int) -> None:
    """Print the tables and what was aimed at."""
    base = os.environ.get("BASE") or "python:3.14-slim"
    console = Console(width=110)
    with (
        images.engine() as engine,
        only_while_measuring(engine),
        tempfile.TemporaryDirectory() as folder,
        registry() as address,
    ):
        tree = source.source_tree(TOP, allow_dirty=True)
        first, first_seconds = cold_build(engine, tree, Path(folder) / "first", base)
        console.print(parts_table(engine, first))
        pushed = push(engine, first, address)
        weight = sum(pushed.layers.values())
        print(f"unpacked: {first.size_bytes / 1e6:.1f} MB (target: at most {MOST_BYTES / 1e6:.0f})")
        print(f"as pushed: {weight / 1e6:.1f} MB (target: at most {MOST_PUSHED / 1e6:.0f}); {how(address)}")
        seconds, sent = change_source(engine, Path(folder) / "first", base, pushed, address, changes)
        print(
            f"after a change of the source, {changes} times: rebuilt in {statistics.median(seconds):.2f} s "
            f"(least: {min(seconds):.2f}; target: at most {MOST_REBUILD_SECONDS:.0f}), "
            f"{max(sent) / 1e3:.1f} kB pushed (target: at most {MOST_CHANGE_BYTES / 1e3:.0f})\n"
            f"the most that a change of one file can push: {worst_change(pushed) / 1e3:.1f} kB, "
            f"{pushed.rest_bytes / 1e3:.1f} of them configuration and manifest"
        )
        second, second_seconds = cold_build(engine, tree, Path(folder) / "second", base)
        print(
            f"two cold builds from two clones ({first_seconds:.0f} s and {second_seconds:.0f} s): "
            f"{compare(engine, first, second)}"
        )


@contextlib.contextmanager
def only_while_measuring(engine: docker.DockerClient) -> Iterator[None]:
    """Images that were not there before are gone afterwards; the steps that made them stay in the engine's cache."""
    before = {tag for image in engine.images.list(images.NAME) for tag in image.tags}
    yield
    for tag in {tag for image in engine.images.list(images.NAME) for tag in image.tags} - before:
        engine.images.remove(tag, force=True)


def cold_build(engine: docker.DockerClient, tree: SourceTree, clone: Path, base: str) -> tuple[BuiltImage, float]:
    """An image of `tree`, from a clone at `clone`, taking nothing from before; and how many seconds that took."""
    clone.mkdir()
    with tarfile.open(fileobj=io.BytesIO(source.archive(TOP, tree))) as files:
        files.extractall(clone, filter="data")
    git(clone, "init", "--quiet")
    commit(clone)
    began = time.perf_counter()
    built = images.build(engine, clone, source.source_tree(clone), base, quiet, cold=True)
    return built, time.perf_counter() - began


def change_source(
    engine: docker.DockerClient, clone: Path, base: str, before: Pushed, address: str, changes: int
) -> tuple[list[float], list[int]]:
    """Seconds to rebuild and bytes to push after each change of one file."""
    seconds, sent = [], []
    known = dict(before.layers)
    for number in range(changes):
        with (clone / CHANGED_FILE).open("a", encoding="utf-8") as file:
            file.write(f"\nCHANGE_{number} = {number}\n")
        commit(clone)
        began = time.perf_counter()
        built = images.build(engine, clone, source.source_tree(clone), base, quiet)
        seconds.append(time.perf_counter() - began)
        after = push(engine, built, address)
        sent.append(after.rest_bytes + sum(size for layer, size in after.layers.items() if layer not in known))
        known |= after.layers
    return seconds, sent


def worst_change(pushed: Pushed) -> int:
    """Bytes of the largest layer with source, and of what is pushed with every image."""
    return pushed.rest_bytes + max(size for size in pushed.layers.values() if size < SOURCE_LAYER_BYTES)


def compare(engine: docker.DockerClient, first: BuiltImage, second: BuiltImage) -> str:
    """Whether two images are the same, or at least their layers."""
    layers = [engine.images.get(built.image_id).attrs["RootFS"]["Layers"] for built in (first, second)]
    differing = sum(one != other for one, other in zip(*layers, strict=True))
    if first.image_id == second.image_id:
        return f"the same image, {first.image_id[:19]}"
    return f"{differing} of {len(layers[0])} layers differ" if differing else "the same layers, another configuration"


def parts_table(engine: docker.DockerClient, built: BuiltImage) -> Table:
    """Bytes by part, unpacked and as gzip makes them."""
    unpacked = dict.fromkeys((name for name, _ in PARTS), 0)
    packers = {name: io.BytesIO() for name in unpacked}
    with contextlib.ExitStack() as stack:
        packed = {name: stack.enter_context(tarfile.open(fileobj=packers[name], mode="w:gz")) for name in unpacked}
        for member, content in files_of(engine, built):
            part = next(name for name, pattern in PARTS if re.search(pattern, member.name))
            unpacked[part] += member.size
            packed[part].addfile(member, content)
    table = Table(title=f"{built.reference}: what is in it")
    for column in ("part", "MB", "gzip MB"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name in sorted(unpacked, key=lambda name: -unpacked[name]):
        table.add_row(name, f"{unpacked[name] / 1e6:.1f}", f"{len(packers[name].getvalue()) / 1e6:.1f}")
    return table


def files_of(engine: docker.DockerClient, built: BuiltImage) -> Iterator[tuple[tarfile.TarInfo, io.BufferedReader]]:
    """Every regular file of the image, with its content."""
    container = engine.containers.create(built.image_id)
    try:
        with tempfile.TemporaryFile() as exported:
            exported.writelines(container.export())  # type: ignore[arg-type]  # bytes; the stub says str
            exported.seek(0)
            with tarfile.open(fileobj=exported) as files:
                for member in files:
                    content = files.extractfile(member) if member.isfile() else None
                    if content:
                        yield member, content  # type: ignore[misc]
    finally:
        container.remove()


def push(engine: docker.DockerClient, built: BuiltImage, address: str) -> Pushed:
    """Send the image to the registry, and read there what it weighs; without a registry, let gzip say."""
    if not address:
        return Pushed(gzipped_layers(engine, built), rest_bytes=0)
    repository = f"{address}/code-insight"
    image = engine.images.get(built.image_id)
    image.tag(repository, "benchmark")
    said = engine.api.push(repository, "benchmark", stream=True, decode=True)
    for line in said:
        if "error" in line:
            raise RuntimeError(line["error"])
    engine.images.remove(f"{repository}:benchmark")
    answer = httpx2.get(f"http://{address}/v2/code-insight/manifests/benchmark", headers={"Accept": MANIFEST})
    manifest = answer.json()
    layers = {layer["digest"]: layer["size"] for layer in manifest["layers"]}
    return Pushed(layers, rest_bytes=manifest["config"]["size"] + len(answer.content))


def gzipped_layers(engine: docker.DockerClient, built: BuiltImage) -> dict[str, int]:
    """Bytes of each layer as gzip makes them, by the digest of what it holds."""
    names = engine.images.get(built.image_id).attrs["RootFS"]["Layers"]
    with tempfile.TemporaryFile() as saved:
        saved.writelines(engine.images.get(built.image_id).save())
        saved.seek(0)
        with tarfile.open(fileobj=saved) as files:
            return {name: _gzipped(files.extractfile(f"blobs/sha256/{name.split(':')[1]}")) for name in names}


def _gzipped(layer: object) -> int:
    assert hasattr(layer, "read")
    return len(gzip.compress(layer.read(), 6))


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Host and port of an empty registry on this machine; empty where none is installed."""
    program = shutil.which("docker-registry")
    if not program:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '{address}'}}\n"
            "log: {level: error, accesslog: {disabled: true}}\n"
        )
        command = [program, "serve", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_registry(address)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for_registry(address: str) -> None:
    """Return once it answers."""
    for _ in range(200):
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"http://{address}/v2/").status_code == httpx2.codes.OK:
                return
        time.sleep(0.05)
    raise TimeoutError("the registry did not start")


def how(address: str) -> str:
    """Where the weight as pushed comes from."""
    return "said by a registry on this machine" if address else "layers as gzip -6 makes them"


def quiet(_line: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)

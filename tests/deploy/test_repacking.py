"""A tree has one image: whoever builds it, where, when, and with which builder of the engine."""

import contextlib
import gzip
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest
from code_insight_deploy import images, source
from code_insight_deploy.cli import main
from code_insight_deploy.flysim import Sim
from code_insight_deploy.proofs import BuiltImage
from code_insight_deploy.repacking import repack

from tests.deploy.places import TINY_DOCKERFILE, Repository
from tests.places import GIT_ENVIRONMENT, HOUSE

CLASSIC = "1"
"""As the engine's /build calls the builder that does not know SOURCE_DATE_EPOCH."""
LABEL = "test=repacking"
STEP = (
    f"LABEL {LABEL}\nRUN mkdir /made && echo same > /made/file && ln /made/file /made/link && ln -s file /made/symbolic"
)


@pytest.fixture
def clones(tiny: Repository, tmp_path: Path) -> tuple[Path, Path]:
    """Two clones, made under another umask, whose files are of another time; one step writes files of its own."""
    tiny.write("Dockerfile", TINY_DOCKERFILE.replace("COPY", f"{STEP}\nCOPY", 1))
    tiny.commit("a step")
    one, other = tmp_path / "one", tmp_path / "elsewhere" / "other"
    before = os.umask(0o022)
    for folder, mask, modified in ((one, 0o022, 1_000_000_000), (other, 0o077, 1_700_000_000)):
        os.umask(mask)
        folder.parent.mkdir(exist_ok=True)
        subprocess.run(["git", "clone", "--quiet", tiny.folder, folder], env=GIT_ENVIRONMENT, check=True)
        for path in (folder / "Dockerfile", folder / "server/server.py", folder / "server"):
            os.utime(path, (modified, modified))
    os.umask(before)
    return one, other


@pytest.fixture
def classic(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine's old builder is asked. It makes an image of every step, none of which is left afterwards."""
    monkeypatch.setattr(images, "BUILDKIT", CLASSIC)
    yield
    for made in engine.images.list(filters={"label": LABEL}):
        with contextlib.suppress(docker.errors.ImageNotFound):
            engine.images.remove(str(made.id), force=True)


def built_cold(
    engine: docker.DockerClient, folder: Path, base: str, references: set[str], lines: list[str] | None = None
) -> BuiltImage:
    said = [] if lines is None else lines
    built = images.build(engine, folder, source.source_tree(folder), base, said.append, cold=True)
    references.add(built.reference)
    return built


def layers_of(engine: docker.DockerClient, image: str) -> list[str]:
    return list(engine.images.get(image).attrs["RootFS"]["Layers"])


@pytest.mark.usefixtures("classic")
def test_a_builder_that_names_the_time_comes_to_the_same_image_all_the_same(
    engine: docker.DockerClient, clones: tuple[Path, Path], base: str, built_images: set[str]
) -> None:
    lines: list[str] = []
    first, second = (built_cold(engine, folder, base, built_images, lines) for folder in clones)
    assert first.image_id == second.image_id
    assert len([line for line in lines if "it is repacked" in line]) == 2
    assert engine.images.get(first.reference).attrs["Created"] == "1970-01-01T00:00:00Z"


@pytest.mark.usefixtures("classic")
def test_a_repacked_image_holds_the_same_files_on_the_same_base(
    engine: docker.DockerClient, clones: tuple[Path, Path], base: str, built_images: set[str]
) -> None:
    built = built_cold(engine, clones[0], base, built_images)
    of_base = layers_of(engine, base)
    assert layers_of(engine, built.image_id)[: len(of_base)] == of_base
    container = engine.containers.create(built.image_id)
    try:
        content = io.BytesIO(b"".join(container.get_archive("/made")[0]))
    finally:
        container.remove()
    with tarfile.open(fileobj=content) as archive:
        members = {member.name: member for member in archive}
        assert archive.extractfile("made/file").read() == b"same\n"  # type: ignore[union-attr]
    assert members["made/symbolic"].linkname == "file"
    assert members["made/link"].islnk() or members["made/file"].islnk()
    assert {member.mtime for member in members.values()} == {0}
    assert engine.containers.run(built.image_id, remove=True) == b"hello\n"


@pytest.mark.usefixtures("classic")
def test_an_image_that_was_not_repacked_is_not_found_again(
    engine: docker.DockerClient, clones: tuple[Path, Path], base: str, built_images: set[str], tmp_path: Path
) -> None:
    built = built_cold(engine, clones[0], base, built_images)
    tree = source.source_tree(clones[0])
    assert images.find(engine, tree, base, print) == built
    engine.images.remove(built.reference, force=True)
    labels = {images.TREE_LABEL: tree.tree, images.BASE_LABEL: images.base_id(engine, base, print)}
    left, _ = engine.images.build(
        fileobj=io.BytesIO(f"FROM {base}\n".encode()), labels=labels, nocache=True, rm=True, tag="code-insight:left"
    )
    built_images.add("code-insight:left")
    assert left.attrs["Created"] != "1970-01-01T00:00:00Z"
    assert images.find(engine, tree, base, print) is None


def test_two_clones_come_to_one_digest_in_the_registry(
    engine: docker.DockerClient, clones: tuple[Path, Path], base: str, built_images: set[str], sim: Sim
) -> None:
    tiny = (folder / "Dockerfile" for folder in clones)
    for path in tiny:  # BuildKit leaves the times of what a step writes to the step
        path.write_text(path.read_text("utf-8").replace(STEP, f"{STEP} && touch -hd @0 /made/* /made"), "utf-8")
    sim.create_app("twice")
    digests, token = set(), sim.token()
    for folder in clones:
        tree = source.source_tree(folder, allow_dirty=True)
        built = images.build(engine, folder, tree, base, print, cold=True)
        built_images.add(built.reference)
        repository = f"{sim.registry_host}/twice"
        engine.images.get(built.image_id).tag(repository, folder.name)
        auth = {"username": "x", "password": token}
        said = engine.api.push(repository, folder.name, auth_config=auth, stream=True, decode=True)
        digests |= {line["aux"]["Digest"] for line in said if "Digest" in line.get("aux", {})}
        engine.images.remove(f"{repository}:{folder.name}")
    assert len(digests) == 1


def test_the_image_of_this_tree_comes_out_the_same_from_another_clone(
    engine: docker.DockerClient, image: BuiltImage, base: str, tmp_path: Path, built_images: set[str]
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", HOUSE, other], check=True)
    for command in (["read-tree", image.tree], ["checkout-index", "--all"]):
        subprocess.run(["git", *command], cwd=other, env=GIT_ENVIRONMENT, check=True)
    tree = source.source_tree(other, allow_dirty=True)
    again = images.build(engine, other, tree, base, print, cold=True)
    assert (again.tree, again.image_id) == (image.tree, image.image_id)


def test_a_build_can_be_asked_to_prove_that_it_comes_out_the_same(
    engine: docker.DockerClient,
    tiny: Repository,
    base: str,
    built_images: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["build", "--check-reproducible", "--folder", str(tiny.folder), "--base", base, "--json"]
    code = main(asked)
    said = json.loads(capsys.readouterr().out)
    built_images.add(said["reference"])
    assert (code, said["tree"]) == (0, tiny.git("rev-parse", "HEAD^{tree}"))
    clock = "RUN date +%N > /time && touch -hd @0 /time"
    tiny.write("Dockerfile", TINY_DOCKERFILE.replace("COPY", f"{clock}\nCOPY", 1))
    built_images.add(f"code-insight:{tiny.commit('a clock')[:12]}")
    code = main(asked)
    refused = json.loads(capsys.readouterr().out)
    assert (code, refused["error"]) == (20, "NotReproducible")
    assert re.search(r"layers \d+ differ", refused["happened"])


def test_layers_that_an_engine_saves_compressed_come_to_the_same(engine: docker.DockerClient, tmp_path: Path) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        add(archive, "Dockerfile", b"FROM scratch\nCOPY Dockerfile /\nCOPY file /\n")
        add(archive, "file", b"content")
    context.seek(0)
    made, _ = engine.images.build(fileobj=context, custom_context=True, rm=True, nocache=True)
    try:
        plain = tmp_path / "plain.tar"
        plain.write_bytes(b"".join(made.save()))
    finally:
        engine.images.remove(str(made.id))
    with tarfile.open(plain) as saved, tarfile.open(tmp_path / "compressed.tar", "w") as compressed:
        layers = json.load(saved.extractfile("manifest.json"))[0]["Layers"]  # type: ignore[arg-type]
        for member in saved:
            if member.isreg():
                content = saved.extractfile(member).read()  # type: ignore[union-attr]
                add(compressed, member.name, gzip.compress(content) if member.name in layers else content)
    for name in ("plain", "compressed"):
        repack(tmp_path / f"{name}.tar", tmp_path / f"{name}-repacked.tar", "code-insight:repacked", ())
    assert (tmp_path / "plain-repacked.tar").read_bytes() == (tmp_path / "compressed-repacked.tar").read_bytes()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))

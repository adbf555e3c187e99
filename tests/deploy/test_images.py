"""An image is made of a tree by the real engine, found again by it, and its errors are raised."""

import docker
import pytest
from code_insight_deploy import images, source
from code_insight_deploy.errors import BuildFailed, NoBase, NoEngine, NotReproducible
from code_insight_deploy.proofs import BuiltImage

from tests.deploy.places import TINY_DOCKERFILE, Repository


def build(
    engine: docker.DockerClient, made: Repository, base: str, lines: list[str], *, dirty: bool = False
) -> BuiltImage:
    tree = source.source_tree(made.folder, allow_dirty=dirty)
    return images.build(engine, made.folder, tree, base, lines.append)


def test_an_image_is_of_its_tree_and_tagged_with_the_commit(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    lines: list[str] = []
    built = build(engine, tiny, base, lines)
    built_images.add(built.reference)
    found = engine.images.get(built.reference)
    assert built.reference == f"code-insight:{tiny.git('rev-parse', 'HEAD')[:12]}"
    assert built.tree == tiny.git("rev-parse", "HEAD^{tree}")
    assert found.labels["code-insight.tree"] == built.tree
    assert (found.id, found.attrs["Size"]) == (built.image_id, built.size_bytes)
    assert any("COPY server/server.py" in line for line in lines)


def test_the_command_is_announced_before_it_runs(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    lines: list[str] = []
    built = build(engine, tiny, base, lines)
    built_images.add(built.reference)
    assert lines[0].startswith(f"git archive {built.tree} | docker build --build-arg BASE={base} ")


def test_the_same_tree_is_built_once_whatever_its_commit(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    first = build(engine, tiny, base, [])
    tiny.git("commit", "--quiet", "--amend", "--message", "the same files")
    lines: list[str] = []
    second = build(engine, tiny, base, lines)
    built_images |= {first.reference, second.reference}
    assert first.reference != second.reference
    assert first.image_id == second.image_id
    assert lines == [f"built before: {first.image_id}"]


def test_a_dirty_image_is_tagged_as_dirty(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    tiny.write("server/server.py", "print('nobody committed me')\n")
    built = build(engine, tiny, base, [], dirty=True)
    built_images.add(built.reference)
    assert built.reference == f"code-insight:dirty-{built.tree[:12]}"


def test_a_failing_step_is_raised_with_what_it_printed(
    engine: docker.DockerClient, tiny: Repository, base: str
) -> None:
    tiny.write("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUN echo the reason >&2 && false\n")
    tiny.commit("broken")
    with pytest.raises(BuildFailed, match="the reason") as failed:
        build(engine, tiny, base, [])
    assert failed.value.exit_code == 20


def test_an_image_that_does_not_say_its_tree_is_no_proof(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    tiny.write("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUN true\n")
    commit = tiny.commit("no label")
    built_images.add(f"code-insight:{commit[:12]}")
    with pytest.raises(BuildFailed, match="label"):
        build(engine, tiny, base, [])


def test_two_builds_of_a_tree_are_the_same_image(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    tree = source.source_tree(tiny.folder)
    built = images.build_twice(engine, tiny.folder, tree, base, print)
    built_images.add(built.reference)
    assert built.tree == tree.tree


def test_an_image_that_comes_out_differently_is_refused(
    engine: docker.DockerClient, tiny: Repository, base: str, built_images: set[str]
) -> None:
    random = "RUN python -c \"import uuid; open('/random', 'w').write(str(uuid.uuid4()))\""
    tiny.write("Dockerfile", TINY_DOCKERFILE.replace("COPY", f"{random}\nCOPY"))
    built_images.add(f"code-insight:{tiny.commit()[:12]}")
    with pytest.raises(NotReproducible, match=r"layers \d+ differ"):
        images.build_twice(engine, tiny.folder, source.source_tree(tiny.folder), base, print)


def test_a_base_that_cannot_be_had_is_refused_with_the_way_out(engine: docker.DockerClient, tiny: Repository) -> None:
    with pytest.raises(NoBase) as refused:
        build(engine, tiny, "localhost:1/nowhere:1", [])
    assert "--base" in refused.value.next_step
    assert refused.value.exit_code == 10


@pytest.mark.usefixtures("no_engine")
def test_no_engine_is_refused_with_the_way_out() -> None:
    with pytest.raises(NoEngine) as refused, images.engine():
        pass
    assert ".ci/engine" in refused.value.next_step
    assert refused.value.exit_code == 10

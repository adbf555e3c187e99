"""The commands, one after another, as an operator types them: on a platform that the first of them starts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx2
import pytest
from code_insight_deploy import flysim
from code_insight_deploy.cli import main
from code_insight_deploy.proofs import BuiltImage

from tests.deploy.places import Repository

Said = tuple[int, str]
Command = Callable[..., Said]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Where ledgers are, and the platform of --target local; that is ended when the test is."""
    yield tmp_path / "state"
    flysim.stop(tmp_path / "state" / "local", remove=True)


@pytest.fixture
def mine(clone: Repository, tmp_path: Path) -> Repository:
    """A clone whose app nobody has released."""
    repository = Repository(tmp_path / "repository")
    repository.git("pull", "--quiet", str(clone.folder), "main")
    return repository


@pytest.fixture
def command(mine: Repository, state: Path, image: BuiltImage, capsys: pytest.CaptureFixture[str]) -> Command:
    """Types one, in that clone; returns its exit code and what it printed on stdout."""
    where = ["--target", "local", "--engine", "machines", "--state", str(state), "--folder", str(mine.folder)]
    options = [*where, "--config", "fly.toml", "--base", image.reference, "--window-seconds", "0.5"]

    def type_it(*words: str) -> Said:
        code = main([*words, *options])
        return code, capsys.readouterr().out

    return type_it


def read(said: Said) -> Any:
    """What was printed as JSON, by a command that ended well."""
    code, printed = said
    assert code == 0
    return json.loads(printed)


def test_an_operator_plans_releases_looks_and_goes_back(
    command: Command, mine: Repository, state: Path, engine: docker.DockerClient
) -> None:
    assert command("plan")[0] == 3
    code, screen = command("release")
    assert code == 0
    assert "code-insight-test: 4 changes: verified" in screen
    assert mine.git("rev-parse", "HEAD")[:12] in screen
    first = read(command("status", "--json"))

    code, screen = command("release")
    assert code == 0
    assert "nothing to do: verified" in screen
    assert command("plan") == (
        0,
        f"code-insight-test: nothing to do, it is as the tree {first['public']['tree'][:12]} wants it\n",
    )

    mine.write("version.txt", "two")
    mine.commit("two")
    second = read(command("release", "--json"))
    before = first["machines"][0]["machine"]
    change = f"image {before['digest'][:19]} → {second['image']['digest'][:19]}"
    assert second["actions"] == [f"update machine {before['id']} {change}"]
    assert httpx2.get(f"{second['verified']['url']}/info").json()["tree"] == second["source"]["tree"]
    assert read(command("inspect", "--json"))["config"]["digest"] == second["image"]["image_id"]

    assert "rolled back: verified" in command("rollback")[1]
    assert httpx2.get(f"{second['verified']['url']}/info").json()["tree"] == first["public"]["tree"]
    assert command("verify")[0] == 31  # of the tree in the clone, which does not run any more
    assert read(command("audit", "--json"))["tree"] == first["public"]["tree"]
    assert [it["result"] for it in read(command("history", "--json"))["releases"]] == [
        "rolled_back",
        "verified",
        "verified",
        "verified",
    ]

    assert command("local", "stop", "--remove")[0] == 0
    left = [container.name or "" for container in engine.containers.list(all=True)]
    assert not [name for name in left if before["id"] in name]


def test_what_cannot_be_read_ends_with_the_next_step(command: Command, mine: Repository) -> None:
    mine.write("fly.toml", "app = ")
    mine.commit("half a line")
    code, printed = command("plan", "--json")
    assert (code, json.loads(printed)["exit_code"]) == (10, 10)
    assert "fly.toml" in json.loads(printed)["happened"]
    assert json.loads(printed)["next_step"]

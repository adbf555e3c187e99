"""The commands print for people or as JSON, and end with the code that scripts read."""

import json

import docker
import pytest
from code_insight_deploy.cli import main

from tests.deploy.places import Repository


def test_build_prints_the_image_and_its_tree_as_json(
    engine: docker.DockerClient,
    tiny: Repository,
    base: str,
    built_images: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["build", "--folder", str(tiny.folder), "--base", base, "--json"])
    said = json.loads(capsys.readouterr().out)
    built_images.add(said["reference"])
    assert code == 0
    assert said["tree"] == tiny.git("rev-parse", "HEAD^{tree}")
    assert said["image_id"] == engine.images.get(said["reference"]).id


@pytest.mark.usefixtures("no_engine")
def test_a_dirty_tree_is_refused_before_docker_is_asked(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write("new.py", "x = 1\n")
    assert main(["build", "--folder", str(repository.folder)]) == 10
    assert "new.py" in capsys.readouterr().err


def test_an_error_as_json_names_its_kind_and_the_next_step(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write("new.py", "x = 1\n")
    assert main(["build", "--folder", str(repository.folder), "--json"]) == 10
    said = json.loads(capsys.readouterr().out)
    assert said["error"] == "DirtyTree"
    assert "--allow-dirty" in said["next_step"]


@pytest.mark.usefixtures("no_engine")
def test_no_engine_is_told_with_the_way_out(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--folder", str(repository.folder)]) == 10
    assert "Start Docker" in capsys.readouterr().err


def test_an_unknown_command_is_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["deploy-now"])
    assert ended.value.code == 2

"""What is said of an image beside it follows the standards, names what it is of, and is the same for the same tree."""

import json
from pathlib import Path

import pytest
from code_insight_deploy import attestations, source
from code_insight_deploy.attestations import Build
from code_insight_deploy.cli import main
from code_insight_deploy.proofs import PublishedImage
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.deploy.places import Repository
from tests.places import HOUSE

IMAGE = PublishedImage("registry.example", "code-insight", "t", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", "3" * 40, 1)
BUILD = Build("python:3.14-slim", f"sha256:{'4' * 64}", "r1", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z")


def test_the_bill_of_materials_is_cyclonedx_and_the_same_for_the_same_tree() -> None:
    tree = source.source_tree(HOUSE, allow_dirty=True)
    bill = attestations.bill_of_materials(HOUSE, tree)
    assert bill is not None
    few = bill | {"components": bill["components"][:5], "dependencies": bill["dependencies"][:5]}  # all take minutes
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(few)) is None
    assert attestations.bill_of_materials(HOUSE, tree) == bill


def test_the_bill_has_what_the_server_needs_with_hashes_and_nothing_of_development() -> None:
    bill = attestations.bill_of_materials(HOUSE, source.source_tree(HOUSE, allow_dirty=True))
    assert bill is not None
    named = {component["name"]: component for component in bill["components"]}
    assert {"fastmcp", "starlette", "uvicorn", "tree-sitter"} <= named.keys()
    assert not {"pytest", "docker", "ruff", "code-insight-deploy"} & named.keys()
    fetched = named["fastmcp"]["externalReferences"]
    assert {one["alg"] for reference in fetched for one in reference["hashes"]} == {"SHA-256"}


def test_a_tree_without_a_lock_has_no_bill(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert attestations.bill_of_materials(repository.folder, source.source_tree(repository.folder)) is None
    assert main(["sbom", "--folder", str(repository.folder)]) == 10
    assert "uv.lock" in capsys.readouterr().err


def test_a_lock_that_cannot_be_read_is_said(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.write("uv.lock", "half a li")
    repository.commit("a lock")
    assert main(["sbom", "--folder", str(repository.folder)]) == 20
    assert "uv cannot read the lock" in capsys.readouterr().err


def test_the_provenance_names_the_image_the_tree_and_the_base(repository: Repository) -> None:
    tree = source.source_tree(repository.folder)
    said = attestations.provenance(tree, IMAGE, BUILD)
    assert (said["_type"], said["predicateType"]) == (attestations.STATEMENT, attestations.PROVENANCE)
    assert said["subject"] == [{"name": "registry.example/code-insight", "digest": {"sha256": "1" * 64}}]
    made_of = said["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [material["digest"] for material in made_of] == [
        {"gitTree": tree.tree, "gitCommit": tree.commit},
        {"sha256": "4" * 64},
    ]
    assert said["predicate"]["runDetails"]["metadata"]["invocationId"] == "r1"


def test_what_is_kept_is_named_after_the_image_and_by_its_own_bytes(tmp_path: Path) -> None:
    digests = attestations.kept(tmp_path / "new", IMAGE, {"sbom": None, "provenance": {"b": 1, "a": 2}})
    (file,) = (tmp_path / "new").iterdir()
    assert file.name == f"{'1' * 64}.provenance.intoto.json"
    assert json.loads(file.read_bytes()) == {"a": 2, "b": 1}
    assert digests == attestations.kept(tmp_path / "other", IMAGE, {"provenance": {"a": 2, "b": 1}})

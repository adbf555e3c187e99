"""A release, from nothing to a verified app and on; against a platform on this machine, by both engines."""

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from code_insight_deploy import locks, release, reporting
from code_insight_deploy.errors import (
    DeployError,
    DirtyTree,
    FailedAndRolledBack,
    Locked,
    NoToken,
    NoWayBack,
)
from code_insight_deploy.flysim import Fault, When
from code_insight_deploy.release import Outcome

from tests.deploy.places import Repository
from tests.deploy.release import truth
from tests.deploy.release.places import Operator, Told

WAIT_SECONDS = 30


def test_from_nothing_to_a_verified_app(operator: Operator) -> None:
    commit = operator.commit("one")
    outcome = operator.release()
    assert outcome.source.commit == commit
    assert outcome.verified.digest == outcome.image.digest
    assert outcome.verified.tree == outcome.source.tree
    created = ["create app", "add address", "add address", "create machine"]
    assert [" ".join(action.split()[:2]) for action in outcome.actions] == created


def test_a_second_release_of_a_tree_changes_nothing(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    so_far = operator.calls_so_far()
    second = operator.release()
    assert second.actions == ()
    assert second.verified.versions == first.verified.versions
    assert operator.changes(after=so_far) == []


def test_a_new_commit_replaces_the_old_one(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    operator.commit("two")
    second = operator.release()
    assert second.image.digest != first.image.digest
    assert second.verified.versions.keys() == first.verified.versions.keys()
    assert any(
        found.seen == f"before: tree {first.source.tree[:12]} on machine {id_} version {version}"
        for found in second.verified.evidence
        for id_, version in first.verified.versions.items()
    )


def test_a_release_that_never_becomes_healthy_is_rolled_back(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    operator.sim.faults.add(Fault(when=When(operation="update_machine", app=operator.app), effect="check_never_passes"))
    operator.commit("two")
    with pytest.raises(FailedAndRolledBack) as failed:
        operator.release()
    with operator.run() as run:
        status = reporting.status(run)
    assert failed.value.exit_code == 30
    assert status.public is not None
    assert status.public.tree == first.source.tree
    assert {machine.machine.digest for machine in status.machines} == {first.image.digest}


def test_of_two_operators_who_release_at_once_the_second_waits_or_is_told_who_does(
    operator: Operator, tmp_path: Path
) -> None:
    operator.commit("one")
    operator.release()
    repository = Repository(tmp_path / "elsewhere" / "repository")
    repository.git("pull", "--quiet", str(operator.repository.folder), "HEAD")
    somebody = replace(operator, repository=repository, state=tmp_path / "elsewhere" / "state", told=Told())
    operator.commit("two")
    somebody.commit("three")
    both, barrier, so_far = (operator, somebody), threading.Barrier(2), operator.calls_so_far()

    def release_at_once(one: Operator) -> Outcome | DeployError:
        barrier.wait(WAIT_SECONDS)
        return one.attempt()

    with ThreadPoolExecutor(2) as threads:
        ended = list(threads.map(release_at_once, both))
    done = [end for end in ended if isinstance(end, Outcome)]
    for refused in [end for end in ended if isinstance(end, DeployError)]:
        assert isinstance(refused, Locked), refused
        assert f"process {os.getpid()}, release " in str(refused)
    updates = [call for call in operator.changes(after=so_far) if call.operation == "update_machine"]
    assert len(updates) == len(done) > 0  # nobody had to go back
    now = truth.look(operator)
    (last,) = [outcome for outcome in done if now.versions == outcome.verified.versions]
    assert now.digests == {last.image.digest}
    assert set(now.public) == {last.source.tree}


def test_rollback_brings_back_the_release_before(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    operator.commit("two")
    operator.release()
    with operator.run() as run:
        back = release.rollback(run, operator.state)
        audited = reporting.audit(run)
    assert back.to is not None
    assert back.to.digest == first.image.digest == audited.digest
    with operator.run() as run:
        assert not [
            m.id for m in run.machines.observe(run.order.app.name).machines if locks.KEY in m.config["metadata"]
        ]


def test_the_history_has_what_was_proven_beside_what_was_asked_for(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    with operator.run() as run:
        history = reporting.history(run)
    assert [(it.id, it.result, it.digest) for it in history.releases] == [
        (first.release_id, "verified", first.image.digest)
    ]
    asked = [(it.version, it.status, it.reference) for it in history.platform]
    assert asked == ([(1, "complete", first.image.reference)] if operator.engine == "flyctl" else [])


def test_what_an_image_is_made_of_is_kept_beside_the_ledger(operator: Operator) -> None:
    operator.commit(f"one of {operator.app}")
    image = operator.release().image
    with operator.run() as run:
        (published,) = [entry for entry in run.ledger.entries() if entry.kind == "published"]
        (file,) = run.ledger.path.with_suffix(".attestations").iterdir()
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert published.data["attestations"] == {"provenance": digest}  # that tree holds no lock
    assert json.loads(file.read_bytes())["subject"][0]["digest"] == {"sha256": image.digest.partition(":")[2]}


def test_images_are_kept_in_an_app_of_the_operators_own(operator: Operator) -> None:
    theirs = f"{operator.app}-theirs"
    operator.sim.create_app(theirs, organization="other")
    operator.order["repository"] = theirs
    with pytest.raises(NoToken, match=theirs) as refused:
        operator.release()
    assert "--repository" in refused.value.next_step


def test_a_dirty_tree_is_refused_before_anything_is_asked(operator: Operator) -> None:
    operator.repository.write("left-behind.txt", "nobody committed me")
    so_far = operator.calls_so_far()
    with pytest.raises(DirtyTree, match="left-behind"):
        operator.release()
    assert operator.sim.calls(after=so_far) == ()


def test_without_a_way_back_nothing_is_changed(operator: Operator) -> None:
    operator.commit("one")
    first = operator.release()
    operator.sim.delete_image("code-insight", first.image.digest)
    operator.commit("two")
    so_far = operator.calls_so_far()
    with pytest.raises(NoWayBack) as refused:
        operator.release()
    assert refused.value.exit_code == 10
    assert operator.changes(after=so_far) == []

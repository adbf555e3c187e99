"""What may go wrong while an app that is verified is released to once more, and how that may end: a row for each.

`docs/faults.md` is made of these rows, and test_faults.py lets each of them happen.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any

from tests.deploy.release import situations
from tests.deploy.release.places import DOCKERFILE
from tests.deploy.release.situations import ALWAYS, Given, fault


class End(StrEnum):
    """How a release may end."""

    VERIFIED = "verified"
    """The new image runs everywhere and answers the public."""
    REFUSED = "refused"
    """Nothing was changed, and nothing was built that was not there."""
    UNTOUCHED = "untouched"
    """The release stopped; every machine is as it was."""
    ROLLED_BACK = "rolled back"
    """The release stopped; what ran before runs again."""
    REPORTED = "reported"
    """Neither could be proven from here; what each machine runs is told."""


VERIFIED, REFUSED, UNTOUCHED, ROLLED_BACK, REPORTED = End


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that goes wrong."""

    group: str
    name: str
    """Of the test."""
    wrong: str
    """For people."""
    given: Given
    ends: Mapping[str, End]
    """Engine → how its release ends. One engine is enough for what happens before it matters which it is."""
    _: KW_ONLY
    says: str = ""
    """What must be found in the error: the way on."""
    fresh: bool = False
    """It happens to the first release of an app that does not exist."""
    settle_seconds: float = 15.0
    window_seconds: float = 0.1


def never_published(name: str) -> Given:
    """The commit that is released is one that no registry has."""
    return situations.committed("new.txt", f"for the row {name}")


def both(end: End) -> Mapping[str, End]:
    """Each engine ends so."""
    return {"machines": end, "flyctl": end}


def either(end: End) -> Mapping[str, End]:
    """It ends so before it matters which engine it is."""
    return {"machines": end}


API = "The platform's API"
MACHINES = "Machines"
PUBLIC = "The public address"
REGISTRY = "The registry"
PUSH = "The push of an image"
TOKEN = "The token"
APP = "The app and its file"
CLONE = "The clone and the Docker engine"
OTHERS = "Other operators"
BACK = "The way back"
FIRST = "The first release of an app"
OURS = "Our own process"
TOO_MANY: Any = {"status": 429, "headers": {"Retry-After": "1"}}
OTHER_IMAGE = {"tree": "0" * 40, "machine": {"id": "another", "version": "another", "image_ref": ""}}
BLUE_GREEN = situations.file_says(("kill_timeout = 15\n", 'kill_timeout = 15\n[deploy]\n  strategy = "bluegreen"\n'))

ROWS = (
    # The platform's API
    Row(
        API,
        "update-503",
        "The update of a machine is answered with 503, and is not made",
        fault("answer", "update_machine", status=503),
        both(UNTOUCHED),
    ),
    Row(
        API,
        "update-cut-before",
        "The connection is cut before the update is made",
        fault("cut", "update_machine"),
        either(UNTOUCHED),
    ),
    Row(
        API,
        "update-timeout-before",
        "The update is not made, and no answer comes in time",
        fault("timeout_before", "update_machine", seconds=6),
        either(UNTOUCHED),
    ),
    Row(
        API,
        "update-cut-after",
        "The update is made, and its answer is lost",
        fault("cut_after", "update_machine"),
        {"machines": VERIFIED, "flyctl": ROLLED_BACK},
    ),
    Row(
        API,
        "update-timeout-after",
        "The update is made, and no answer comes in time",
        fault("timeout_after", "update_machine", seconds=6),
        {"machines": VERIFIED, "flyctl": ROLLED_BACK},
    ),
    Row(
        API,
        "update-429",
        "The update is turned away for its rate: 429 with Retry-After",
        fault("answer", "update_machine", **TOO_MANY),
        {"machines": VERIFIED, "flyctl": UNTOUCHED},
    ),
    Row(
        API,
        "wait-503",
        "Waiting for a machine is answered with 503, once",
        fault("answer", "wait", status=503),
        {"machines": VERIFIED, "flyctl": ROLLED_BACK},
    ),
    Row(
        API,
        "read-429",
        "Reading is turned away for its rate, twice: 429 with Retry-After",
        fault("answer", "list_machines", times=2, **TOO_MANY),
        either(VERIFIED),
    ),
    Row(
        API,
        "read-cut",
        "A connection on which is read is cut",
        fault("cut", "get_machine"),
        either(VERIFIED),
    ),
    Row(
        API,
        "read-503-always",
        "The API answers every question with 503",
        fault("answer", "get_app", times=ALWAYS, status=503),
        either(UNTOUCHED),
        says="status.flyio.net",
    ),
    Row(
        API,
        "read-nonsense",
        "The API answers with a page of HTML",
        fault("answer", "get_app", times=ALWAYS, status=200, body="<html>maintenance</html>"),
        either(UNTOUCHED),
        says="not as documented",
    ),
    Row(
        API,
        "list-stale",
        "The list of machines lags behind, and shows them as they were",
        fault("stale_list", "list_machines", times=ALWAYS),
        either(VERIFIED),
    ),
    Row(
        API,
        "down-from-the-change-on",
        "The API answers nothing any more once machines are to be changed",
        fault("answer", "*_machine", at="● deploy", times=ALWAYS, status=503),
        either(REPORTED),
        says="cannot be told",
    ),
    Row(
        API,
        "down-at-verification",
        "The API answers nothing any more when what was changed is verified",
        fault("answer", "*_machine", at="● verify", times=ALWAYS, status=503),
        either(REPORTED),
        says="could not be told",
    ),
    # Machines
    Row(
        MACHINES,
        "lease-for-a-moment",
        "Somebody holds the lease on a machine for a moment",
        fault("lease_held", "take_lease", seconds=1),
        either(VERIFIED),
    ),
    Row(
        MACHINES,
        "lease-held",
        "Somebody holds the lease on a machine",
        fault("lease_held", "take_lease", seconds=7),
        either(REFUSED),
        says="Wait until that lease ends",
    ),
    Row(
        MACHINES,
        "lease-at-the-change",
        "Somebody takes the lease on a machine just before it is changed",
        fault("lease_held", "take_lease", nth=2, seconds=4),
        either(UNTOUCHED),
        says="lease",
    ),
    Row(
        MACHINES,
        "pull-fails",
        "A machine cannot pull its image, and stays as it was",
        fault("pull_fails", "update_machine"),
        both(UNTOUCHED),
    ),
    Row(
        MACHINES,
        "reverted",
        "The platform takes a machine back to its version before, right after it was well",
        fault("revert", "update_machine", seconds=0.1),
        both(UNTOUCHED),
    ),
    Row(
        MACHINES,
        "reverted-later",
        "The platform takes a machine back while it is watched",
        fault("revert", "update_machine", seconds=3),
        either(UNTOUCHED),
        window_seconds=6,
    ),
    Row(
        MACHINES,
        "never-starts",
        "A machine never starts",
        fault("never_starts", "update_machine"),
        either(ROLLED_BACK),
        settle_seconds=3,
    ),
    Row(
        MACHINES,
        "crash-loop",
        "The new process ends again and again",
        fault("crash_loop", "update_machine"),
        both(ROLLED_BACK),
        settle_seconds=3,
    ),
    Row(
        MACHINES,
        "check-never-passes",
        "The health check of the new version never passes",
        fault("check_never_passes", "update_machine"),
        both(ROLLED_BACK),
        settle_seconds=3,
    ),
    Row(
        MACHINES,
        "check-flaps",
        "The health check of the new version passes and fails by turns",
        fault("check_flaps", "update_machine", seconds=2),
        either(ROLLED_BACK),
        window_seconds=6,
    ),
    Row(
        MACHINES,
        "keeps-old-process",
        "The platform shows the new version, while the old process goes on",
        fault("keeps_old_process", "update_machine"),
        both(ROLLED_BACK),
        settle_seconds=3,
    ),
    Row(
        MACHINES,
        "destroyed",
        "Somebody destroys the machine just before it is changed",
        fault("destroy_machine", "update_machine"),
        either(ROLLED_BACK),
    ),
    Row(
        MACHINES,
        "replaced",
        "Somebody updates the machine just before it is changed",
        fault("replace_machine", "update_machine"),
        {"machines": ROLLED_BACK, "flyctl": VERIFIED},
    ),
    Row(
        MACHINES,
        "stopped",
        "The machine is stopped just before it is changed",
        situations.put_to_sleep("stop", "stopped"),
        both(VERIFIED),
    ),
    Row(
        MACHINES,
        "suspended",
        "The machine is suspended just before it is changed",
        situations.put_to_sleep("suspend", "suspended"),
        either(VERIFIED),
    ),
    # The public address
    Row(
        PUBLIC,
        "another-answers",
        "The public address is answered by another image",
        fault("answer", "edge", times=ALWAYS, status=200, body=OTHER_IMAGE),
        either(REPORTED),
        settle_seconds=3,
    ),
    Row(
        PUBLIC,
        "another-answers-for-a-moment",
        "Right after the change, the public address is answered by another image for a moment",
        fault("answer", "edge", at="● verify", times=2, status=200, body=OTHER_IMAGE),
        either(VERIFIED),
    ),
    Row(
        PUBLIC,
        "unreachable",
        "The public address cannot be reached from here",
        fault("cut", "edge", times=ALWAYS),
        either(REPORTED),
        says="could not be told",
        settle_seconds=3,
    ),
    Row(
        PUBLIC,
        "unreachable-for-a-moment",
        "The public address cannot be reached for a moment after the change",
        fault("cut", "edge", at="● verify", times=2),
        either(VERIFIED),
    ),
    # The registry
    Row(
        REGISTRY,
        "registry-401",
        "The registry does not take the token when the way back is looked for",
        fault("answer", "registry_get_manifest", status=401),
        either(REFUSED),
        says="fly tokens create",
    ),
    Row(
        REGISTRY,
        "registry-403",
        "The registry gives the token no right to see the image",
        fault("answer", "registry_get_manifest", nth=2, status=403),
        either(REFUSED),
        says="fly tokens create",
    ),
    Row(
        REGISTRY,
        "registry-404",
        "The registry does not find the image, which it has",
        fault("answer", "registry_get_manifest", nth=2, status=404),
        either(VERIFIED),
    ),
    Row(
        REGISTRY,
        "registry-429",
        "The registry turns a question away for its rate: 429 with Retry-After",
        fault("answer", "registry_get_manifest", nth=2, **TOO_MANY),
        either(VERIFIED),
    ),
    Row(
        REGISTRY,
        "registry-503",
        "The registry answers a question with 503, once",
        fault("answer", "registry_get_manifest", nth=2, status=503),
        either(VERIFIED),
    ),
    Row(
        REGISTRY,
        "registry-503-always",
        "The registry answers every question with 503",
        fault("answer", "registry_get_manifest", times=ALWAYS, status=503),
        either(UNTOUCHED),
    ),
    Row(
        REGISTRY,
        "registry-503-at-verification",
        "The registry answers with 503 when what was changed is verified",
        fault("answer", "registry_get_manifest", at="● verify", times=ALWAYS, status=503),
        either(REPORTED),
        says="could not be told",
    ),
    Row(
        REGISTRY,
        "registry-cut",
        "The registry hangs up in the middle, once",
        fault("cut", "registry_get_manifest", nth=2),
        either(VERIFIED),
    ),
    Row(
        REGISTRY,
        "registry-stalls",
        "The registry does not move any more, once",
        fault("stall", "registry_get_manifest", nth=2, seconds=6),
        either(VERIFIED),
    ),
    Row(
        REGISTRY,
        "registry-lies",
        "The registry names another digest than that of what it sends",
        fault("wrong_digest", "registry_get_manifest", nth=2),
        either(UNTOUCHED),
        says="not to be trusted",
    ),
    Row(
        REGISTRY,
        "registry-serves-another",
        "The registry hands out another image than was asked for, again and again",
        situations.serves_another_image,
        either(UNTOUCHED),
    ),
    # The push of an image
    Row(
        PUSH,
        "push-401",
        "The registry does not take the token when the image is pushed",
        situations.all_of(never_published("401"), fault("answer", "registry_start_upload", times=ALWAYS, status=401)),
        either(UNTOUCHED),
        says="fly tokens create",
    ),
    Row(
        PUSH,
        "push-404",
        "The registry knows no such repository when the image is pushed",
        situations.all_of(never_published("404"), fault("answer", "registry_start_upload", times=ALWAYS, status=404)),
        either(UNTOUCHED),
        says="Start the same command again",
    ),
    Row(
        PUSH,
        "push-429",
        "The registry turns the manifest away for its rate: 429 with Retry-After",
        situations.all_of(never_published("429"), fault("answer", "registry_put_manifest", times=ALWAYS, **TOO_MANY)),
        either(UNTOUCHED),
        says="Start the same command again",
    ),
    Row(
        PUSH,
        "push-503",
        "The registry does not take the manifest: 503",
        situations.all_of(never_published("503"), fault("answer", "registry_put_manifest", status=503)),
        either(UNTOUCHED),
        says="Start the same command again",
    ),
    Row(
        PUSH,
        "push-cut-after",
        "The registry has taken the image, and its answer is lost",
        situations.all_of(never_published("cut"), fault("cut_after", "registry_put_manifest")),
        either(UNTOUCHED),
        says="Start the same command again",
    ),
    Row(
        PUSH,
        "push-stalls",
        "The push does not move any more",
        situations.all_of(never_published("stall"), fault("stall", "registry_put_manifest", seconds=10)),
        either(UNTOUCHED),
        says="stalled",
    ),
    Row(
        PUSH,
        "push-lies",
        "The registry says that it took the image, and has another one",
        situations.all_of(never_published("lies"), situations.serves_another_image),
        either(UNTOUCHED),
    ),
    Row(
        PUSH,
        "push-token-expires",
        "The token expires in the middle of the push",
        situations.all_of(never_published("expires"), situations.token_of(expires_after_bytes=1000)),
        either(UNTOUCHED),
        says="fly tokens create",
    ),
    # The token
    Row(
        TOKEN,
        "token-missing",
        "There is no token",
        situations.token_is(""),
        either(REFUSED),
        says="fly tokens create",
    ),
    Row(
        TOKEN,
        "token-malformed",
        "The token was not copied whole",
        situations.token_is("fo1_half and half"),
        either(REFUSED),
        says="not copied whole",
    ),
    Row(
        TOKEN,
        "token-unknown",
        "The platform does not know the token",
        situations.token_is("fo1_never-issued"),
        either(REFUSED),
        says="fly tokens create",
    ),
    Row(
        TOKEN,
        "token-expired",
        "The token has expired",
        situations.token_of(expires_in_seconds=-1),
        either(REFUSED),
        says="expired.*\n.*fly tokens create",
    ),
    Row(
        TOKEN,
        "token-without-rights",
        "The token is good for nothing here",
        situations.token_of(rights="none"),
        either(REFUSED),
        says="without rights",
    ),
    Row(
        TOKEN,
        "token-reads-only",
        "The token may only read",
        situations.token_of(rights="read"),
        either(REFUSED),
        says="without rights",
    ),
    Row(
        TOKEN,
        "token-expires-at-the-change",
        "The token expires when a machine is to be changed",
        situations.token_expires("update_machine"),
        either(REPORTED),
        says="cannot be told.*expired",
    ),
    Row(
        TOKEN,
        "token-expires-at-verification",
        "The token expires when what was changed is verified",
        situations.token_expires("get_app", at="● verify"),
        either(REPORTED),
        says="could not be told.*expired",
    ),
    # The app and its file
    Row(
        APP,
        "file-missing",
        "The app's file is not there",
        situations.file_is_missing,
        either(REFUSED),
        says="--config",
    ),
    Row(
        APP,
        "file-malformed",
        "The app's file is no TOML",
        situations.file_is("app = [http_service"),
        either(REFUSED),
        says="Mend the file",
    ),
    Row(
        APP,
        "file-without-checks",
        "The app's file has no health check",
        situations.file_says(("[[http_service.checks]]", "[[http_service.other]]")),
        either(REFUSED),
        says="Add a check",
    ),
    Row(
        APP,
        "file-of-another-app",
        "The app's file is of another app",
        situations.file_is_of_another_app,
        either(REFUSED),
        says="was asked for",
    ),
    Row(
        APP,
        "file-not-understood",
        "The app's file has a section that would be lost",
        situations.file_says(("[[vm]]", "[[statics]]\n  guest_path = '/x'\n[[vm]]")),
        either(REFUSED),
        says="not understood",
    ),
    Row(
        APP,
        "file-wrong-port",
        "The app's file names a port on which the image does not listen",
        situations.file_says(("internal_port = 8080", "internal_port = 9090")),
        either(REFUSED),
        says="internal_port = 8080",
    ),
    Row(
        APP,
        "other-organization",
        "The app is in another organization than the one that was named",
        situations.order(organization="other"),
        either(REFUSED),
        says="--org personal",
    ),
    # The clone and the Docker engine
    Row(
        CLONE,
        "dirty-tree",
        "There is a change that no commit holds",
        situations.dirty,
        either(REFUSED),
        says="left-behind.txt",
    ),
    Row(
        CLONE,
        "no-git",
        "There is no program git",
        situations.no_git,
        either(REFUSED),
        says="Install git",
    ),
    Row(
        CLONE,
        "no-repository",
        "The folder is in no git repository",
        situations.not_a_repository,
        either(REFUSED),
        says="inside a clone",
    ),
    Row(
        CLONE,
        "no-commit",
        "The repository has no commit yet",
        situations.no_commit,
        either(REFUSED),
        says="no commit",
    ),
    Row(
        CLONE,
        "no-engine",
        "No Docker engine answers",
        situations.no_docker,
        either(REFUSED),
        says="Start Docker",
    ),
    Row(
        CLONE,
        "no-base",
        "The image to build on is not here, and cannot be pulled",
        situations.no_base,
        either(REFUSED),
        says="--base",
    ),
    Row(
        CLONE,
        "build-fails",
        "A step of the build fails",
        situations.committed("Dockerfile", f"{DOCKERFILE}COPY there-is-no-such-file /\n"),
        either(UNTOUCHED),
        says="COPY there-is-no-such-file",
    ),
    Row(
        CLONE,
        "engine-dies-in-the-build",
        "The Docker engine dies in the middle of a build",
        situations.all_of(situations.committed("other.txt", "other"), situations.docker_dies("/build")),
        either(UNTOUCHED),
        says="docker info",
    ),
    Row(
        CLONE,
        "engine-dies-in-the-smoke-run",
        "The Docker engine dies when the image is tried",
        situations.all_of(situations.committed("tried.txt", "tried"), situations.docker_dies("/containers/create")),
        either(UNTOUCHED),
        says="docker info",
    ),
    # Other operators
    Row(
        OTHERS,
        "somebody-releases",
        "Another operator releases to the app at this moment",
        situations.somebody_releases,
        either(REFUSED),
        says="release theirs",
    ),
    Row(
        OTHERS,
        "we-release",
        "Another release to the app runs on this machine",
        situations.we_release,
        either(REFUSED),
        says="release ours",
    ),
    Row(
        OTHERS,
        "somebody-has-died",
        "Another operator has died in the middle of a release",
        situations.somebody_has_died,
        either(VERIFIED),
    ),
    # The way back
    Row(
        BACK,
        "way-back-lost",
        "The registry has lost the image that runs, so that nothing could be returned to",
        situations.way_back_is_lost,
        either(REFUSED),
        says="push",
    ),
    Row(
        BACK,
        "way-back-lost-meanwhile",
        "The new version is not well, and the registry has lost the old image meanwhile",
        situations.all_of(situations.way_back_is_lost_meanwhile, fault("check_never_passes", "update_machine")),
        either(REPORTED),
        says="The way back failed too",
        settle_seconds=3,
    ),
    Row(
        BACK,
        "way-back-503",
        "The new version is not well, and the update back is answered with 503, once",
        situations.all_of(
            fault("check_never_passes", "update_machine"), fault("answer", "update_machine", nth=2, status=503)
        ),
        either(ROLLED_BACK),
        settle_seconds=3,
    ),
    Row(
        BACK,
        "way-back-fails",
        "The new version is not well, and the old one is not any more",
        fault("check_never_passes", "update_machine", times=ALWAYS),
        either(REPORTED),
        says="The way back failed too",
        settle_seconds=3,
    ),
    Row(
        BACK,
        "token-expires-on-the-way-back",
        "The new version is not well, and the token expires on the way back",
        situations.all_of(
            fault("check_never_passes", "update_machine"), situations.token_expires("get_app", at="● roll back")
        ),
        either(REPORTED),
        says="cannot be told.*expired",
        settle_seconds=3,
    ),
    Row(
        BACK,
        "blue-green-not-well",
        "Blue-green: the new machines never become well",
        situations.all_of(BLUE_GREEN, fault("check_never_passes", "create_machine")),
        either(UNTOUCHED),
        settle_seconds=3,
    ),
    # The first release of an app
    Row(
        FIRST,
        "name-taken",
        "Somebody else has an app of that name",
        situations.name_is_taken,
        both(UNTOUCHED),
        says="Choose another name",
        fresh=True,
    ),
    Row(
        FIRST,
        "app-cut-after",
        "The app is created, and the answer is lost",
        fault("cut_after", "create_app"),
        {"machines": VERIFIED, "flyctl": UNTOUCHED},
        fresh=True,
    ),
    Row(
        FIRST,
        "create-503",
        "The machine is not created: 503",
        fault("answer", "create_machine", status=503),
        either(UNTOUCHED),
        fresh=True,
    ),
    Row(
        FIRST,
        "create-cut-after",
        "The machine is created, and the answer is lost",
        situations.all_of(situations.leases_end, fault("cut_after", "create_machine")),
        {"machines": VERIFIED, "flyctl": REPORTED},
        fresh=True,
    ),
    Row(
        FIRST,
        "create-404",
        "The machine is created, and not found for a moment",
        fault("answer", "get_machine", times=2, status=404),
        {"machines": VERIFIED, "flyctl": ROLLED_BACK},
        fresh=True,
    ),
    Row(
        FIRST,
        "create-not-well",
        "The first machine never becomes well",
        fault("check_never_passes", "create_machine"),
        either(ROLLED_BACK),
        settle_seconds=3,
        fresh=True,
    ),
    # Our own process
    Row(
        OURS,
        "interrupted-at-the-change",
        "Ctrl-C just before machines are changed",
        situations.interrupted("● deploy"),
        either(UNTOUCHED),
    ),
    Row(
        OURS,
        "interrupted-at-verification",
        "Ctrl-C after machines were changed",
        situations.interrupted("● verify"),
        either(ROLLED_BACK),
    ),
    Row(
        OURS,
        "ledger-changed",
        "Somebody has changed the ledger",
        situations.ledger_was_changed,
        either(REFUSED),
        says="does not hold at entry 1",
    ),
    Row(
        OURS,
        "ledger-not-read",
        "The ledger can be neither read nor written",
        situations.ledger_cannot_be_written,
        either(REFUSED),
        says="owner and mode",
    ),
)

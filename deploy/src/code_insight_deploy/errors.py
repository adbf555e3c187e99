"""What can go wrong in a release: what happened, what to do next, and the exit code that scripts read.

0 verified or nothing to do, 1 a defect of ours, 2 usage, 3 `plan` has changes, 10 refused before any change, 20 build,
smoke or push failed and the app is untouched, 30 failed and rolled back, 31 changed and not restored, 40 applied but
verification inconclusive.
"""

VERIFIED = 0
DEFECT = 1
USAGE = 2
CHANGES = 3
REFUSED = 10
NOT_BUILT = 20
ROLLED_BACK = 30
NOT_RESTORED = 31
INCONCLUSIVE = 40


class DeployError(Exception):
    """A release that stopped, with the next step for the person who started it."""

    exit_code = DEFECT

    def __init__(self, happened: str, next_step: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.happened}\n{self.next_step}"


class Refused(DeployError):
    """Something was missing or not clean; nothing was changed anywhere."""

    exit_code = REFUSED


class NoSource(Refused):
    """The folder is not in a git repository, or has no commit."""


class DirtyTree(Refused):
    """There are changes that no commit holds."""


class NoEngine(Refused):
    """No Docker engine answers."""


class NoBase(Refused):
    """The image to build on is not here and cannot be pulled."""


class BadConfig(Refused):
    """A fly*.toml does not say what is needed."""


class NoToken(Refused):
    """There is no token for Fly, or it is malformed, expired, or without the rights that a release needs."""


class NameTaken(Refused):
    """The app's name belongs to somebody else."""


class Locked(Refused):
    """Somebody else is releasing to this app; who, from where and since when is said."""


class PlanOvertaken(Refused):
    """The app is not any more what the plan was compared with."""


class NoWayBack(Refused):
    """What runs now could not be brought back if the release failed, and nobody has said that this is accepted."""


class PlatformFailed(DeployError):
    """An API of the platform answered with an error, or not at all, and reading again did not settle it.

    The exit code is of one that comes before any change; after one, `release` says what has become of the app instead.
    """

    exit_code = NOT_BUILT


class Ambiguous(PlatformFailed):
    """A change was asked for and its answer was lost: whether it was made has to be read."""


class LeaseHeld(Refused):
    """Somebody else holds the lease on a machine; who is said."""


class PushFailed(DeployError):
    """The registry did not take the image, or does not have what was pushed."""

    exit_code = NOT_BUILT


class LedgerBroken(Refused):
    """The ledger's chain of hashes does not hold: somebody has changed or cut it."""


class BuildFailed(DeployError):
    """The engine could not build the image."""

    exit_code = NOT_BUILT


class EngineGone(DeployError):
    """The Docker engine stopped to answer, or refused something that it should do."""

    exit_code = NOT_BUILT


class NotReproducible(BuildFailed):
    """Two builds of one tree are not the same image."""


class SmokeFailed(DeployError):
    """The image was built, and does not do what it should when it runs."""

    exit_code = NOT_BUILT


class NotVerified(DeployError):
    """Something that runs is provably not what was released."""

    exit_code = NOT_RESTORED


class Inconclusive(DeployError):
    """The changes were made, and whether they work could not be told from here."""

    exit_code = INCONCLUSIVE


class FailedAndRolledBack(DeployError):
    """The release failed; what ran before runs again, and that is verified."""

    exit_code = ROLLED_BACK


class NotRestored(DeployError):
    """Something was changed and what ran before does not run again; the table says which machine runs what."""

    exit_code = NOT_RESTORED


class Untouched(DeployError):
    """The platform refused the release, or did not do it; the app is as it was."""

    exit_code = NOT_BUILT

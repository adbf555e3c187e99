"""What can go wrong in a release: what happened, what to do next, and the exit code that scripts read.

0 verified or nothing to do, 1 a defect of ours, 2 usage, 3 `plan` has changes, 10 refused before any change, 20 build,
smoke or push failed and the app is untouched, 30 failed and rolled back, 31 changed and not restored, 40 applied but
verification inconclusive.
"""

DEFECT = 1
USAGE = 2
REFUSED = 10
NOT_BUILT = 20


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


class BuildFailed(DeployError):
    """The engine could not build the image."""

    exit_code = NOT_BUILT


class NotReproducible(BuildFailed):
    """Two builds of one tree are not the same image."""


class SmokeFailed(DeployError):
    """The image was built, and does not do what it should when it runs."""

    exit_code = NOT_BUILT

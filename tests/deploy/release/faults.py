"""What may go wrong while an app that is verified is released to once more, and how that may end: a row for each.

`docs/faults.md` is made of these rows, and test_faults.py lets each of them happen.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

from code_insight_deploy.flysim import Fault, When

from tests.deploy.release import situations
from tests.deploy.release.places import Operator

Given = Callable[[Operator], AbstractContextManager[None]]
"""What is so until the end of the `with` statement."""
always = 0
"""As `times`: to every call."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
    says: str = ""
    """What must be found in the error: the way on."""
    fresh: bool = False
    """It happens to the first release of an app that does not exist."""
    settle_seconds: float = 15.0
    window_seconds: float = 0.3


def both(end: End) -> Mapping[str, End]:
    """Each engine ends so."""
    return {"machines": end, "flyctl": end}


def either(end: End) -> Mapping[str, End]:
    """It ends so before it matters which engine it is."""
    return {"machines": end}


def fault(effect: str, operation: str, *, nth: int = 1, times: int = 1, **more: object) -> Given:
    """What flysim does wrong on order."""
    when = When(operation=operation, nth=nth, times=times)
    return situations.goes_wrong(Fault(when=when, effect=effect, **more))  # type: ignore[arg-type]


API = "The platform's API"
ROWS = (
    Row(
        group=API,
        name="update-refused-503",
        wrong="The update of a machine is answered with 503, and is not made",
        given=fault("answer", "update_machine", status=503),
        ends=both(End.UNTOUCHED),
    ),
    Row(
        group=API,
        name="update-cut-before",
        wrong="The connection is cut before the update is made",
        given=fault("cut", "update_machine"),
        ends=both(End.UNTOUCHED),
    ),
    Row(
        group=API,
        name="update-cut-after",
        wrong="The update is made, and its answer is lost",
        given=fault("cut_after", "update_machine"),
        ends={"machines": End.VERIFIED, "flyctl": End.ROLLED_BACK},
    ),
)

"""Who changes things on the platform: one protocol, one file for each way. None of them is believed: see verifying."""

from collections.abc import Callable, Mapping
from typing import Protocol

from code_insight_deploy.proofs import Applied, Plan

Say = Callable[[str], None]
Journal = Callable[[str], None]
"""Keeps, durably, what is about to be changed: called before each change, with words for people."""


class Engine(Protocol):
    """One way to make a plan true."""

    @property
    def name(self) -> str:
        """As an operator asks for it."""

    def apply(self, plan: Plan, journal: Journal, say: Say) -> Applied:
        """Make all changes of `plan`, in its order.

        Raises DeployError when the platform refuses one or does not do it; some may have been made then.
        """


def applied(plan: Plan, versions: Mapping[str, str], release: str = "") -> Applied:
    """That the platform has taken all changes of a plan: for engines alone."""
    return Applied(plan=plan, versions=dict(versions), release=release)

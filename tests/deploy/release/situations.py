"""What is so while a release is tried: each a `with` statement around an operator, undone at its end."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from code_insight_deploy.flysim import Fault

from tests.deploy.release.places import Operator


def goes_wrong(*faults: Fault) -> Callable[[Operator], AbstractContextManager[None]]:
    """flysim is told to do these things wrong, to calls that are about the operator's app or its images."""

    @contextlib.contextmanager
    def given(operator: Operator) -> Iterator[None]:
        operator.sim.faults.add(*(_for(operator, fault) for fault in faults))
        try:
            yield
            assert 0 not in operator.sim.faults.happened(), "a fault that was ordered has not happened"
        finally:
            operator.sim.faults.clear()

    return given


def _for(operator: Operator, fault: Fault) -> Fault:
    app = "code-insight" if fault.when.operation.startswith("registry_") else operator.app
    return dataclasses.replace(fault, when=dataclasses.replace(fault.when, app=app))

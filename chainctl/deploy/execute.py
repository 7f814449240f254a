"""A DeployPlan in; the target changed accordingly, or everything new taken back, out. Decides nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from chainctl.deploy.operations import AwaitReady, Operation, Route, StopService
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit, OperationFinished, OperationStarted


class Applies(Protocol):
    """The part of a DeployTarget that executing needs."""

    def apply(self, operation: Operation, emit: Emit) -> None: ...


def execute(plan: DeployPlan, target: Applies, emit: Emit, clock: Callable[[], float]) -> None:
    """Apply all operations in order.

    When one fails before the route has flipped, services that this plan started are stopped
    again (the failed one is kept, stopped, to look into) and the error is raised: what served
    before still serves. After the flip nothing is taken back: it has the traffic.
    Raises DeployError, or EngineError when the engine is lost.
    """
    done: list[Operation] = []
    for operation in plan.operations:
        line = line_of(operation)
        started = clock()
        emit(OperationStarted(line))
        try:
            target.apply(operation, emit)
        except DeployError:
            if not any(isinstance(op, Route) for op in done):
                _take_back(plan, operation, done, target, emit)
            raise
        done.append(operation)
        emit(OperationFinished(line, clock() - started))


def _take_back(
    plan: DeployPlan, failed: Operation, done: list[Operation], target: Applies, emit: Emit
) -> None:
    """Stop what the plan has started so far, except the service that failed."""
    culprit = failed.service.name if isinstance(failed, AwaitReady) else None
    new = [op.service for op in plan.started if op in done and op.service.name != culprit]
    for service in reversed(new):
        stop = StopService(plan.chain, service.name, service.chainlet, "the release failed")
        with contextlib.suppress(ChainctlError):
            target.apply(stop, emit)

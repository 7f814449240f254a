"""A DeployPlan in; the target changed accordingly, or everything new taken back, out. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chainctl.deploy.operations import (
    AwaitReady,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.release import replica_name
from chainctl.deploy.take_back import undoing
from chainctl.errors import CanaryError, ChainctlError, DeployError, UsageError
from chainctl.events import Emit, Notice, OperationFinished, OperationStarted

Watch = Callable[[SplitRoute], None]
"""Looks on while a new release has a part of the traffic. Raises CanaryError when it may not have all."""


_FOR_GOOD = (Route, TurnCallers, StopService, RemoveFrontDoor, RemoveNetwork)


class Applies(Protocol):
    """The part of a DeployTarget that executing needs."""

    def apply(self, operation: Operation, emit: Emit) -> None: ...


Gates = Callable[[PassGates], None]
"""Lets a new release pass its gates. Raises DeployError when it does not pass one."""
Turn = Callable[[TurnCallers], None]
"""Turns callers to what stands in. Raises DeployError where that can not be; they go on as before then."""


def unwatched(_split: SplitRoute) -> None:
    """Let the flip follow at once."""


def ungated(operation: PassGates) -> None:
    """Refuse: a plan with gates needs somebody who knows them."""
    raise DeployError(f"nobody knows the gates {', '.join(operation.gates)}")


def unturned(operation: TurnCallers) -> None:
    """Refuse: only who watches a chain knows its generations."""
    raise DeployError(f"nobody turns callers to edit {operation.generation}")


def execute(
    plan: DeployPlan,
    target: Applies,
    emit: Emit,
    clock: Callable[[], float],
    watch: Watch = unwatched,
    gates: Gates = ungated,
    turn: Turn = unturned,
    *,
    keeps_ready: bool = False,
) -> None:
    """Apply all operations in order.

    When one fails before the route has flipped, or the user interrupts it, all is taken back: services
    that this plan started are stopped again (the failed one is kept, stopped, to look into), those that
    had to end are started again, and the error is raised: what served before still serves. After the
    flip nothing is taken back: it has the traffic. With `keeps_ready` neither is what became ready before: one
    replica more is of use without those that should have followed. A second interruption ends at once.
    Raises DeployError, CanaryError, or EngineError when the engine is lost.
    """
    begun: list[Operation] = []
    try:
        for operation in plan.operations:
            line, started = line_of(operation), clock()
            emit(OperationStarted(line))
            begun.append(operation)
            if isinstance(operation, PassGates):
                gates(operation)
            elif isinstance(operation, TurnCallers):
                turn(operation)
            else:
                target.apply(operation, emit)
            if isinstance(operation, SplitRoute):
                watch(operation)
            emit(OperationFinished(line, clock() - started))
    except (DeployError, UsageError, CanaryError) as error:
        _undo_failed(plan, _without_ready(begun) if keeps_ready else begun, target, emit, error)
        raise
    except KeyboardInterrupt:
        _undo_interrupted(plan, begun, target, emit)
        raise


def _undo_failed(
    plan: DeployPlan, begun: list[Operation], target: Applies, emit: Emit, error: ChainctlError
) -> None:
    """What failed has not been done, but for a split: that was done, and what followed from it is the error."""
    *done, failed = begun
    culprit = replica_name(failed.service.name, failed.replica) if isinstance(failed, AwaitReady) else None
    _take_back(
        plan, begun if isinstance(failed, SplitRoute) else done, target, emit, kept=culprit, error=error
    )


def _without_ready(begun: list[Operation]) -> list[Operation]:
    """Leave out the starts of replicas that were awaited; the last operation is the one that failed."""
    ready = {(op.service.name, op.replica) for op in begun[:-1] if isinstance(op, AwaitReady)}
    return [
        op for op in begun if not (isinstance(op, StartService) and (op.service.name, op.replica) in ready)
    ]


def _undo_interrupted(plan: DeployPlan, begun: list[Operation], target: Applies, emit: Emit) -> None:
    """The operation that was cut off may have been done, so it is taken back as well."""
    if undoing(plan, begun):
        emit(Notice("Interrupted: what was begun is taken back. Interrupt again to leave it as it is."))
        _take_back(plan, begun, target, emit)
    elif any(isinstance(op, _FOR_GOOD) for op in begun):
        emit(Notice("Interrupted. The same command goes on where this one ended."))
        return
    emit(Notice(f"{plan.chain} is as it was before."))


def _take_back(
    plan: DeployPlan,
    begun: list[Operation],
    target: Applies,
    emit: Emit,
    *,
    kept: str | None = None,
    error: ChainctlError | None = None,
) -> None:
    """Undo what was begun; what can not be undone is told with the error, which is not hidden by it."""
    for operation in undoing(plan, begun, kept=kept):
        try:
            target.apply(operation, emit)
            if isinstance(operation, AwaitReady):
                emit(Notice(f"{operation.service.name} runs again, as before"))
        except ChainctlError as another:
            told = f"{line_of(operation)}: {another.message}"
            if error is None:
                emit(Notice(told))
            else:
                error.details = (*error.details, told)

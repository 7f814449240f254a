"""A DeployPlan and the names of gates in; the plan in which they are passed before any traffic flips, out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainctl.deploy.operations import Operation, PassGates, Route, SplitRoute
from chainctl.deploy.plan import DeployPlan


def with_gates(plan: DeployPlan, gates: Sequence[str]) -> DeployPlan:
    """Return the plan with its gates before the first operation that gives a new service traffic.

    The same plan where the entrypoint stays: then nothing flips.
    """
    operations: list[Operation] = []
    is_placed = not gates
    for operation in plan.operations:
        if (
            not is_placed
            and isinstance(operation, Route | SplitRoute)
            and operation.before != operation.service
        ):
            operations.append(PassGates(plan.chain, operation.service, tuple(gates), "traffic waits for it"))
            is_placed = True
        operations.append(operation)
    return replace(plan, operations=tuple(operations))

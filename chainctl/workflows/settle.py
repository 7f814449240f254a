"""A way to look and a way to act in; both done until there is nothing left to do, out."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.state import ObservedState
from chainctl.errors import DeployError
from chainctl.events import Emit, Notice

TIMES = 3

Look = Callable[[], tuple[DeployPlan, ObservedState]]


def settle(look: Look, act: Callable[[DeployPlan], None], emit: Emit) -> tuple[DeployPlan, ObservedState]:
    """Carry out plans until nothing is left to do; return the first plan, and what was observed last.

    What a plan keeps may end while it is carried out: a machine restarts, somebody kills a supervisor.
    A push that did not look again would say that all is well. Raises what `look` and `act` raise, and
    DeployError when it does not stay as it was made.
    """
    plan, observed = first, _ = look()
    for _ in range(TIMES):
        if plan.is_empty:
            return first, observed
        if plan is not first:
            emit(Notice(f"What runs of {plan.chain} has changed in the meantime"))
        act(plan)
        plan, observed = look()
    if plan.is_empty:
        return first, observed
    raise DeployError(
        f"{plan.chain} does not stay as it was released",
        hint=f"see why with `chainctl ps {plan.chain}` and `chainctl logs {plan.chain}`, then push again",
        details=[line_of(operation) for operation in plan.operations],
    )

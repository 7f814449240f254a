"""A target's chains and their ledger in; what no release needs removed, or only named, out."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.deploy.execute import execute
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.prune import plan_prune
from chainctl.deploy.target import DeployTarget
from chainctl.errors import LockHeldError
from chainctl.events import Emit, Notice
from chainctl.state.ledger import Ledger


def planned(chain: str, target: DeployTarget, ledger: Ledger, *, is_warm_kept: bool) -> DeployPlan:
    """Say what goes of a chain. Raises EngineError."""
    last = ledger.latest(chain)
    return plan_prune(target.observe(chain), last.release if last else None, is_warm_kept=is_warm_kept)


def prune(
    chain: str,
    target: DeployTarget,
    ledger: Ledger,
    emit: Emit,
    clock: Callable[[], float],
    *,
    is_warm_kept: bool,
) -> DeployPlan:
    """Remove it, as it is decided anew under the chain's lock; a chain that is being changed is left alone."""
    try:
        with ledger.lock(chain):
            plan = planned(chain, target, ledger, is_warm_kept=is_warm_kept)
            execute(plan, target, emit, clock)
    except LockHeldError as error:
        emit(Notice(f"{chain} is left alone: {error.message}"))
        return DeployPlan(chain, ())
    return plan

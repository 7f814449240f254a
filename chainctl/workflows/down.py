"""The name of a chain in; nothing of it on the target any more, out."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.deploy.execute import execute
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.state import nothing
from chainctl.deploy.target import DeployTarget
from chainctl.events import Emit
from chainctl.state.ledger import Ledger


def down(
    chain: str,
    target: DeployTarget,
    ledger: Ledger,
    emit: Emit,
    clock: Callable[[], float],
    clean_up: Callable[[], None] = lambda: None,
) -> DeployPlan:
    """Remove a chain: its address, its services, its network, its history here.

    `clean_up` removes its components first, while it still answers. Raises LockHeldError, and what
    `clean_up` raises: then nothing was removed yet.
    """
    with ledger.lock(chain):
        clean_up()
        plan = reconcile(nothing(chain), target.observe(chain))
        execute(plan, target, emit, clock)
        ledger.forget(chain)
    return plan

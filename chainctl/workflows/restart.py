"""A chain and one of its chainlets, or none, in; its services anew, beside the old and then in place of them, out."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.deploy.generations import restarted
from chainctl.errors import UsageError
from chainctl.events import Emit
from chainctl.workflows.redeploy import Redeployed, Site, latest_of, redeploy


def restart(
    chain: str, chainlet: str | None, site: Site, keep_warm: int, emit: Emit, clock: Callable[[], float]
) -> Redeployed:
    """Start the services of the last release anew: one chainlet and all that call it, or all.

    Raises UsageError for a chainlet that is not in it, LockHeldError, and what `redeploy` raises.
    """
    with site.ledger.lock(chain):
        last = latest_of(site.ledger, chain)
        names = [service.chainlet for service in last.release.services]
        if chainlet is not None and chainlet not in names:
            raise UsageError(
                f"{chain} has no chainlet called {chainlet}", hint=f"it has {', '.join(sorted(names))}."
            )
        release = restarted(last.release, names if chainlet is None else [chainlet])
        return redeploy(last, release, site, keep_warm, emit, clock)

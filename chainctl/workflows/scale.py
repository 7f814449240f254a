"""The name of a chain and counts in; so many replicas of its chainlets serving, recorded, out. Nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainctl.deploy.release import Release
from chainctl.deploy.scale import scaled
from chainctl.errors import UsageError
from chainctl.events import Emit
from chainctl.workflows.redeploy import Redeployed, Site, latest_of, redeploy


def scale(
    chain: str, counts: Mapping[str, int], site: Site, emit: Emit, clock: Callable[[], float]
) -> Redeployed:
    """Start or stop replicas of the last release until there are as many as `counts` says, by chainlet.

    Raises UsageError for a chainlet that is not in it, LockHeldError, and what `redeploy` raises.
    """
    with site.ledger.lock(chain):
        last = latest_of(site.ledger, chain)
        _require_known(chain, counts, last.release)
        release = scaled(last.release, counts)
        ours = {service.name for service in release.services}
        others = {service.name for service in site.target.observe(chain).services} - ours
        return redeploy(last, release, site, 0, emit, clock, warm=frozenset(others))


def _require_known(chain: str, counts: Mapping[str, int], release: Release) -> None:
    names = sorted(service.chainlet for service in release.services)
    unknown = sorted(counts.keys() - set(names))
    if unknown:
        raise UsageError(
            f"{chain} has no chainlet called {', '.join(unknown)}", hint=f"it has {', '.join(names)}."
        )

"""The name of a chain and counts in; so many replicas of its chainlets serving, recorded, out. Nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainctl.deploy.release import Release, Scaling
from chainctl.deploy.scale import bounds_text, scaled
from chainctl.errors import UsageError
from chainctl.events import Emit
from chainctl.workflows.redeploy import Redeployed, Site, latest_of, redeploy


def scale(
    chain: str, counts: Mapping[str, int], site: Site, emit: Emit, clock: Callable[[], float]
) -> Redeployed:
    """Start or stop replicas of the last release until there are as many as `counts` says, by chainlet.

    Where they follow the load they do so from there on, if they are scaled by `chainctl autoscale`.
    Raises UsageError for a chainlet that is not in it or a count beyond its bounds, LockHeldError, and what
    `redeploy` raises.
    """
    with site.ledger.lock(chain):
        last = latest_of(site.ledger, chain)
        _require_known(chain, counts, last.release)
        release = scaled(last.release, counts)
        ours = {service.name for service in release.services}
        others = {service.name for service in site.target.observe(chain).services} - ours
        warm, asked = frozenset(others), frozenset(counts)
        return redeploy(last, release, site, 0, emit, clock, warm=warm, asked=asked)


def _require_known(chain: str, counts: Mapping[str, int], release: Release) -> None:
    names = sorted(service.chainlet for service in release.services)
    unknown = sorted(counts.keys() - set(names))
    if unknown:
        raise UsageError(
            f"{chain} has no chainlet called {', '.join(unknown)}", hint=f"it has {', '.join(names)}."
        )
    beyond = [s for s in release.services if s.scaling and not _is_within(s.scaling, counts.get(s.chainlet))]
    if beyond:
        bounds = [f"{s.chainlet}: {bounds_text(s.scaling)}" for s in beyond if s.scaling]
        raise UsageError(
            f"{chain} may not have so many replicas of {', '.join(s.chainlet for s in beyond)}",
            hint="ask for a number within the bounds, or change `min_replicas` and `max_replicas` and push.",
            details=bounds,
        )


def _is_within(scaling: Scaling, count: int | None) -> bool:
    return count is None or scaling.least <= count <= scaling.most

"""A chain and the chainlets that somebody debugs in; the calls whose deadlines must not hold then, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chainctl.deploy.release import Release
from chainctl.graph.graph import ChainGraph
from chainctl.graph.replace import above

NEVER_SEC = 10 * 365 * 86400.0


def unbounded_calls(graph: ChainGraph, debugged: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map each chainlet that a debugged one can hold up to those callees for which it may wait for ever.

    For a debugged one these are all: its clock goes on while it stands still. For one that calls it,
    directly or not, they are those on the way to it. All other calls keep their limits.
    """
    stopped = frozenset(debugged)
    held = stopped.union(*(above(graph, name) for name in stopped))
    return {
        name: tuple(sorted({e.callee for e in graph.callees(name) if name in stopped or e.callee in held}))
        for name in sorted(held)
    }


def patient(release: Release, chainlets: Iterable[str]) -> Release:
    """Return the release with all the time in the world for these chainlets to become ready."""
    held = frozenset(chainlets)
    services = (
        replace(service, start_timeout_sec=NEVER_SEC) if service.chainlet in held else service
        for service in release.services
    )
    return replace(release, services=tuple(services))

"""A ChainGraph and what stands for some of its chainlets in; the graph of what is still to be run, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chainctl.graph.graph import ChainGraph, ChainletSpec


def replaced_graph(graph: ChainGraph, outside: Iterable[str], fakes: Iterable[ChainletSpec]) -> ChainGraph:
    """Leave out chainlets that run elsewhere (`outside`), put fakes in the place of others.

    What only these called is left out as well: a fake calls nobody.
    """
    gone = frozenset(outside)
    standing = {spec.name: spec for spec in fakes}
    edges = [e for e in graph.edges if e.callee not in gone and e.caller not in gone | standing.keys()]
    callees: dict[str, list[str]] = {}
    for edge in edges:
        callees.setdefault(edge.caller, []).append(edge.callee)
    reached = _reached(graph.entrypoint, callees)
    return replace(
        graph,
        chainlets=tuple(standing.get(s.name, s) for s in graph.chainlets if s.name in reached),
        edges=tuple(edge for edge in edges if edge.caller in reached),
    )


def above(graph: ChainGraph, name: str) -> frozenset[str]:
    """Return a chainlet and all that call it, directly or not."""
    callers: dict[str, list[str]] = {}
    for edge in graph.edges:
        callers.setdefault(edge.callee, []).append(edge.caller)
    return _reached(name, callers)


def _reached(start: str, following: dict[str, list[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += following.get(name, [])
    return frozenset(found)

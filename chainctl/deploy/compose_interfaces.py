"""A ChainGraph in; the interfaces that its release is recorded with, out. Pure."""

from __future__ import annotations

from chainctl.deploy.interfaces import Interface, Interfaces
from chainctl.graph.graph import ChainGraph


def compose_interfaces(graph: ChainGraph) -> Interfaces:
    """Take the schemas that the graph was checked with; nothing is asked for a second time."""
    chainlets = tuple(
        Interface(
            spec.name,
            spec.input_schema,
            spec.output_schema,
            is_stream=spec.is_stream,
            takes_stream=spec.takes_stream,
            is_websocket=spec.is_websocket,
        )
        for spec in graph.chainlets
    )
    edges = tuple(sorted({(edge.caller, edge.callee) for edge in graph.edges}))
    return Interfaces(graph.entrypoint, chainlets, edges)

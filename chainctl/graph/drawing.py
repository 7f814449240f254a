"""A ChainGraph in; a picture of it as text out: tree, Mermaid, DOT, JSON."""

from __future__ import annotations

from typing import Any

from chainctl.graph.graph import ChainGraph


def tree(graph: ChainGraph) -> str:
    """Draw the graph as a tree from the entrypoint; a chainlet that was drawn before is not repeated."""
    lines = [graph.chain]
    seen: set[str] = set()

    def draw(name: str, prefix: str, *, is_last: bool, argument: str) -> None:
        again = " (see above)" if name in seen and graph.callees(name) else ""
        label = f"{name} as {argument}" if argument else name
        lines.append(f"{prefix}{'└─ ' if is_last else '├─ '}{label}{again}")
        if name in seen:
            return
        seen.add(name)
        edges = graph.callees(name)
        for index, edge in enumerate(edges):
            deeper = prefix + ("   " if is_last else "│  ")
            draw(edge.callee, deeper, is_last=index == len(edges) - 1, argument=edge.argument)

    draw(graph.entrypoint, "", is_last=True, argument="")
    return "\n".join(lines)


def mermaid(graph: ChainGraph) -> str:
    """Draw the graph in Mermaid's flowchart language."""
    ids = {spec.name: f"c{index}" for index, spec in enumerate(graph.chainlets)}
    lines = ["flowchart TD", f'  door(("{graph.chain}")) --> {ids[graph.entrypoint]}']
    lines += [f'  {ids[spec.name]}["{spec.name}"]' for spec in graph.chainlets]
    lines += [f"  {ids[e.caller]} -->|{e.argument}| {ids[e.callee]}" for e in graph.edges]
    return "\n".join(lines)


def dot(graph: ChainGraph) -> str:
    """Draw the graph in Graphviz's language."""
    lines = [f'digraph "{graph.chain}" {{', "  rankdir=TB;"]
    for spec in graph.chainlets:
        shape = " [shape=box, style=bold]" if spec.name == graph.entrypoint else " [shape=box]"
        lines.append(f'  "{spec.name}"{shape};')
    lines += [f'  "{e.caller}" -> "{e.callee}" [label="{e.argument}"];' for e in graph.edges]
    return "\n".join([*lines, "}"])


def graph_json(graph: ChainGraph) -> dict[str, Any]:
    """Describe the graph as a JSON value."""
    return {
        "chain": graph.chain,
        "entrypoint": graph.entrypoint,
        "chainlets": [
            {
                "name": spec.name,
                "class": f"{spec.module}.{spec.qualname}",
                "file": spec.path,
                "line": spec.line,
                "is_async": spec.is_async,
                "is_stream": spec.is_stream,
                "takes_stream": spec.takes_stream,
                "is_websocket": spec.is_websocket,
                "input_schema": spec.input_schema,
                "output_schema": spec.output_schema,
                "remote_config": spec.config,
                "files": [file.path for file in spec.files],
            }
            for spec in graph.chainlets
        ],
        "edges": [
            {
                "caller": e.caller,
                "callee": e.callee,
                "argument": e.argument,
                "retries": e.retries,
                "timeout_sec": e.timeout_sec,
            }
            for e in graph.edges
        ],
    }

"""`chainctl graph chain.py`: who calls whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from chainctl.cli.options import FileArgument


def graph(
    file: FileArgument,
    format: Annotated[str, typer.Option("--format", metavar="tree|mermaid|dot|json")] = "tree",
) -> None:
    """Print the graph of a chain."""
    from chainctl.cli.loading import load_graph
    from chainctl.cli.output import json_text, print_result
    from chainctl.errors import UsageError
    from chainctl.graph.drawing import dot, graph_json, mermaid, tree
    from chainctl.graph.graph import ChainGraph

    loaded = load_graph(file)
    drawings: dict[str, Callable[[ChainGraph], str]] = {
        "tree": tree,
        "mermaid": mermaid,
        "dot": dot,
        "json": lambda shown: json_text(graph_json(shown)),
    }
    if format not in drawings:
        raise UsageError(f"there is no format {format}", hint=f"use one of {', '.join(drawings)}.")
    print_result(drawings[format](loaded), {}, as_json=False)

"""What the user wrote for FILE in; the checked graph of the chain out."""

from __future__ import annotations

import os

from chainctl.cli.wiring import python_executable
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph
from chainctl.graph.load import load


def load_graph(file: str) -> ChainGraph:
    """Load a chain file in a child interpreter. Raises ChainDefinitionError with all problems."""
    return load(ChainFile.parse(file), python=python_executable(), environ=os.environ)

"""What the user wrote for FILE in; the checked graph of the chain out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load, prepare

if TYPE_CHECKING:
    from chainctl.graph.graph import ChainGraph


def load_graph(file: str, meanwhile: Callable[[], None] = prepare) -> ChainGraph:
    """Load a chain file in a child interpreter. Raises ChainDefinitionError with all problems.

    `meanwhile` is called when the child has begun: the place for imports that take time.
    """
    return load(ChainFile.parse(file), python=sys.executable, environ=os.environ, meanwhile=meanwhile)

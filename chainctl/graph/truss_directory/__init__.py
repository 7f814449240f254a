"""A Truss directory in; its checked configuration, and what is wrong with it and its model's class, out."""

from __future__ import annotations

from chainctl.graph.truss_directory.directory import TrussDirectory, read_directory
from chainctl.graph.truss_directory.model_checks import model_problems

__all__ = ["TrussDirectory", "model_problems", "read_directory"]

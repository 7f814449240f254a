"""A loaded chain module in; the components that it declares, as JSON, or what is wrong with them, out.

Child interpreter only. A file without components imports nothing for it.
"""

from __future__ import annotations

import ast
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainctl.errors import ComponentError, Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.sdk.locate import SourceFile

if TYPE_CHECKING:
    from chainctl.sdk.component import Component


def component_text(module: types.ModuleType, file: ChainFile) -> str | Problem:
    """Encode the components at module level and all that they refer to; "" when there are none."""
    declared = _declared(module)
    if not declared:
        return ""
    from chainctl.components.nodes import encoded, found_text, nodes_of

    for name, component in declared.items():
        try:
            encoded(component)
        except ComponentError as error:
            return _problem(file, name, error)
    try:
        return found_text(nodes_of(*declared.values()))
    except ComponentError as error:  # two of one name
        return _problem(file, list(declared)[-1], error)


def _declared(module: types.ModuleType) -> dict[str, Component]:
    """The components that names of a module stand for, each once, in the order of the file."""
    sdk: Any = sys.modules.get("chainctl.sdk.component")
    if sdk is None:
        return {}
    built_in: Any = sys.modules.get("chainctl.sdk.built_in")
    placeholder = built_in.ChainDeployment if built_in is not None else ()
    found = {name: value for name, value in vars(module).items() if isinstance(value, sdk.Component)}
    own = {name: value for name, value in found.items() if not isinstance(value, placeholder)}
    first = {id(value): name for name, value in reversed(own.items())}
    return {name: value for name, value in own.items() if first[id(value)] == name}


def _problem(file: ChainFile, name: str, error: ComponentError) -> Problem:
    source = SourceFile.read(str(file.path))
    body = source.tree.body if source.tree else []
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            span = source.of_node(node)
            return span.problem(error.code, error.message.rstrip("."), help=error.hint.rstrip("."))
    return Problem(error.code, error.message.rstrip("."), str(Path(file.path)), help=error.hint.rstrip("."))

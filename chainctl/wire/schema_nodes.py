"""A core schema of pydantic in; a copy of it with other nodes, or whether some node is of a kind, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Node = dict[str, Any]
# What is no part of the schema: values of the user's, and settings.
_OPAQUE = frozenset(["config", "default", "metadata"])


def rebuilt(node: Any, change: Callable[[Node], Any], kept: frozenset[str] = frozenset()) -> Any:
    """Copy a schema with `change` done to each node, inner ones first; what lies under `kept` stays as it is."""
    if type(node) in (list, tuple):
        return type(node)(rebuilt(item, change, kept) for item in node)
    if not isinstance(node, dict):
        return node
    stays = _OPAQUE | kept if is_schema(node) else ()
    copy = {key: value if key in stays else rebuilt(value, change, kept) for key, value in node.items()}
    return change(copy) if is_schema(copy) else copy


def any_node(node: Any, test: Callable[[Node], bool], kept: frozenset[str] = frozenset()) -> bool:
    """Say whether `test` holds of some node that is not under `kept`."""
    if isinstance(node, dict) and is_schema(node) and test(node):
        return True
    return any(any_node(child, test, kept) for child in _children(node, kept))


def is_schema(node: Node) -> bool:
    """Tell a node from a dictionary of them, one of which may well be called `type`."""
    return isinstance(node.get("type"), str)


def _children(node: Any, kept: frozenset[str]) -> Iterator[Any]:
    if type(node) in (list, tuple):
        yield from node
    elif isinstance(node, dict):
        stays = _OPAQUE | kept if is_schema(node) else ()
        yield from (value for key, value in node.items() if key not in stays)

"""A chain's module in; uses of the SDK that only its syntax tree shows out."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

from chainctl.errors import Problem
from chainctl.sdk.chainlet import is_chainlet
from chainctl.sdk.locate import SourceFile
from chainctl.sdk.markers import depends, depends_context


def misuse_problems(module: types.ModuleType) -> Iterator[Problem]:
    """Report chainlets that are created inside chainlets, and `depends` where nothing answers it."""
    source = SourceFile.of_module(module.__name__)
    tree = source.tree or ast.Module([], [])
    allowed = {id(node) for node in _defaults_of_init(tree)}
    for owner in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
        if not is_chainlet(getattr(module, owner.name, None)):
            continue
        for node in ast.walk(owner):
            if isinstance(node, ast.Call) and id(node) not in allowed:
                yield from _call_problems(source, module, owner, node)


def _defaults_of_init(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "__init__":
            yield from node.args.defaults
            yield from (d for d in node.args.kw_defaults if d)


def _call_problems(
    source: SourceFile, module: types.ModuleType, owner: ast.ClassDef, call: ast.Call
) -> Iterator[Problem]:
    called = _value(module, call.func)
    at = source.of_node(call)
    if called is depends or called is depends_context:
        yield at.problem(
            "CH0208",
            f"`{ast.unparse(call)}` in `{owner.name}` is no default of an `__init__` argument, so"
            " nothing answers it",
            help=f"write `def __init__(self, dep={ast.unparse(call)})`",
        )
    elif is_chainlet(called):
        name = getattr(called, "__name__", "")
        yield at.problem(
            "CH0209",
            f"`{owner.name}` creates `{name}` itself; deployed, that would raise",
            help=f"declare it: `def __init__(self, {name.lower()}=chains.depends({name}))`",
        )


def _value(module: types.ModuleType, node: ast.expr) -> Any:
    """What a name or a dotted name means in a module, None where that cannot be told."""
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    if isinstance(node, ast.Attribute):
        try:
            return getattr(_value(module, node.value), node.attr, None)
        except Exception:  # noqa: BLE001  # a user's own `__getattr__` runs here
            return None
    return None

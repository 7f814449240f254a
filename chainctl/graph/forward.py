"""A NameError from `depends(Later)` in; the cycle or self-reference that the user wrote out."""

from __future__ import annotations

import ast

from chainctl.errors import Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.sdk.locate import SourceFile


def forward_reference_problem(error: NameError, file: ChainFile) -> Problem | None:
    """Explain a `depends` on a class that does not exist yet; None when it is something else."""
    source = SourceFile.read(str(file.path))
    depends = _depends_calls(source)
    for owner, call in depends:
        target = _target(call)
        if isinstance(target, ast.Name) and target.id == error.name:
            return _explained(source, depends, owner, target)
    return None


def _explained(
    source: SourceFile, depends: list[tuple[str, ast.Call]], owner: str, target: ast.Name
) -> Problem | None:
    at = source.of_node(target)
    if target.id == owner:
        return at.problem(
            "CH0202",
            f"`{owner}` depends on itself",
            help="move the repeated part into a chainlet of its own, or call a method",
        )
    if source.class_node(target.id) is None:
        return None
    path = _path(depends, target.id, owner)
    if path:
        circle = " → ".join([owner, *path])
        return at.problem(
            "CH0201",
            f"these chainlets depend on each other in a circle: {circle}",
            note="a call would never end, and no order of starting them works",
            help="take one of the dependencies out, or put the shared part into a third chainlet",
        )
    return at.problem(
        "CH0207",
        f"`{owner}` depends on `{target.id}`, which is defined further down",
        help=f'move `{target.id}` above `{owner}`, or name it: `chains.depends("{target.id}")`',
    )


def _depends_calls(source: SourceFile) -> list[tuple[str, ast.Call]]:
    """All `depends(…)` calls with the class that they stand in."""
    classes = [n for n in ast.walk(source.tree or ast.Module([], [])) if isinstance(n, ast.ClassDef)]
    return [(c.name, n) for c in classes for n in ast.walk(c) if isinstance(n, ast.Call) and _is_depends(n)]


def _is_depends(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "depends"


def _target(call: ast.Call) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "chainlet_cls"]
    return next(iter([*call.args, *named]), None)


def _path(depends: list[tuple[str, ast.Call]], start: str, goal: str) -> list[str]:
    """Names from `start` to `goal` along dependencies, both included; empty when there is no way."""
    edges: dict[str, list[str]] = {}
    for owner, call in depends:
        target = _target(call)
        if isinstance(target, ast.Name):
            edges.setdefault(owner, []).append(target.id)
    waiting = [[start]]
    seen = {start}
    while waiting:
        path = waiting.pop()
        if path[-1] == goal:
            return path
        for following in edges.get(path[-1], []):
            if following not in seen:
                seen.add(following)
                waiting.append([*path, following])
    return []

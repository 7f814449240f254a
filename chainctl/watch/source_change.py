"""Two texts of one Python file in; what differs between them, by the names of definitions, out. Pure."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator
from dataclasses import dataclass

WHOLE_MODULE = "*"
"""Stands for statements of a module that define no name: what they do can not be told from the text."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Extent(enum.StrEnum):
    """How far an edit of a file reaches."""

    NONE = "nothing"
    LAYOUT = "comments and layout"
    BODIES = "bodies of functions"
    MODULE = "more than bodies of functions"


@dataclass(frozen=True, slots=True)
class SourceChange:
    """What an edit changes in one file.

    `bodies` are the qualified names of functions whose body differs and nothing else of them; `names` those of
    all other definitions that came, went or differ, members of classes each by itself.
    """

    extent: Extent
    bodies: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def all_names(self) -> tuple[str, ...]:
        return (*self.bodies, *self.names)


def source_change(old: str, new: str, path: str = "<file>") -> SourceChange:
    """Compare two texts of a file. Raises SyntaxError for one that is no Python."""
    if old == new:
        return SourceChange(Extent.NONE)
    defined_before, defined_after = (list(_defined(ast.parse(text, path).body, "")) for text in (old, new))
    before, after = _parts(defined_before), _parts(defined_after)
    names = sorted(
        name for name in before.keys() | after.keys() if _outer(before, name) != _outer(after, name)
    )
    bodies = sorted(
        name
        for name in before.keys() & after.keys()
        if name not in names and before[name].body != after[name].body
    )
    if not names and [name for name, _ in defined_before] != [name for name, _ in defined_after]:
        names = [WHOLE_MODULE]  # the same definitions in another order
    extent = Extent.MODULE if names else Extent.BODIES if bodies else Extent.LAYOUT
    return SourceChange(extent, tuple(bodies), tuple(names))


@dataclass(frozen=True, slots=True)
class _Part:
    """A definition: all of it but a function's body, and that body."""

    outer: str
    body: str = ""


def _outer(parts: dict[str, _Part], name: str) -> str | None:
    return parts[name].outer if name in parts else None


def _parts(defined: list[tuple[str, _Part]]) -> dict[str, _Part]:
    """By name; what defines one name twice counts as a whole."""
    found: dict[str, _Part] = {}
    for name, part in defined:
        earlier = found.get(name)
        if earlier is not None:
            part = _Part(f"{earlier.outer}\n{earlier.body}\n{part.outer}\n{part.body}")
        found[name] = part
    return found


def _defined(statements: list[ast.stmt], prefix: str) -> Iterator[tuple[str, _Part]]:
    for statement in statements:
        if isinstance(statement, _FUNCTIONS):
            yield prefix + statement.name, _function(statement)
        elif isinstance(statement, ast.ClassDef):
            name = prefix + statement.name
            yield name, _Part(_dump(_without_body(statement)))
            yield from _defined(statement.body, f"{name}.")
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            where = (getattr(statement, "module", ""), getattr(statement, "level", 0))
            for alias in statement.names:
                name = WHOLE_MODULE if alias.name == "*" else (alias.asname or alias.name).partition(".")[0]
                yield prefix + name, _Part(f"import {where} {alias.name} as {alias.asname}")
        else:
            outer = _dump(statement)
            for name in _bound(statement) or [WHOLE_MODULE]:
                yield prefix + name, _Part(outer)


def _function(function: _Function) -> _Part:
    """A body that makes it a generator, or makes it none, is a matter of what it is, not of what it does."""
    kind = f"{type(function).__name__} {'generator' if _yields(function) else ''}"
    return _Part(f"{kind} {_dump(_without_body(function))}", "\n".join(map(_dump, function.body)))


def _without_body(node: ast.ClassDef | _Function) -> ast.AST:
    fields = {name: getattr(node, name) for name in node._fields if name != "body"}
    return type(node)(**fields, body=[])


def _yields(function: _Function) -> bool:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return False


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a simple statement binds; none where it does more than that."""
    match statement:
        case ast.Assign(targets=targets):
            return _names_of(targets)
        case ast.AnnAssign(target=target):
            return _names_of([target])
        case _:
            return []


def _names_of(targets: list[ast.expr]) -> list[str]:
    names: list[str] = []
    for target in targets:
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            inner = _names_of(target.elts)
            if len(inner) < len(target.elts):
                return []
            names += inner
        else:
            return []
    return names


def _dump(node: ast.AST) -> str:
    return ast.dump(node)

"""Source texts of a module before and after an edit in; each code object before and its successor out."""

from __future__ import annotations

import ast
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union

_KIND = 0x20 | 0x80 | 0x200  # generator, coroutine, async generator
_VARIADIC = 0x04 | 0x08  # *args, **kwargs
Place = tuple[tuple[str, int], ...]
Functions = Union[ast.FunctionDef, ast.AsyncFunctionDef]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Successor:
    """What an edit makes of one code object.

    `code` is None where it has none any more; `is_same` when it differs at most in its lines; `obstacle`
    says why a function cannot go on with it.
    """

    name: str
    line: int
    code: Optional[types.CodeType] = None
    is_same: bool = False
    obstacle: str = ""


class CodeTree:
    """The code objects of one module's text, each with its place: names from the outside in."""

    def __init__(self, text: str, filename: str) -> None:
        self.tree = ast.parse(text, filename)
        self.module = compile(text, filename, "exec", dont_inherit=True)
        self.places = dict(_places(self.module, ()))

    def headers(self) -> dict[tuple[str, int], list[str]]:
        """What stands above the bodies of functions: decorators, arguments, defaults."""
        found: dict[tuple[str, int], list[str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, _FUNCTIONS):
                line = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                header = [*node.decorator_list, node.args]
                found.setdefault((node.name, line), []).append("".join(map(ast.dump, header)))
            elif isinstance(node, ast.Lambda):
                found.setdefault(("<lambda>", node.lineno), []).append(ast.dump(node.args))
        return found


def is_bodies_only(old: CodeTree, new: CodeTree) -> bool:
    """Say whether two texts differ in nothing but the bodies of functions."""
    return _without_bodies(old.tree) == _without_bodies(new.tree)


def successors(old: CodeTree, new: CodeTree) -> dict[types.CodeType, Successor]:
    """Return what becomes of each code object of a text."""
    found: dict[types.CodeType, Successor] = {}
    before, after = old.headers(), new.headers()
    for place, code in old.places.items():
        key = (code.co_name, code.co_firstlineno)
        header = before.get(key)
        successor = _successor(code, new.places.get(place), header, after)
        known = found.get(code)
        if known is not None and (
            known.code is None or successor.code is None or known.code != successor.code
        ):
            successor = Successor(code.co_name, code.co_firstlineno, obstacle="it stands twice in one line")
        found[code] = successor
    return found


def _successor(
    code: types.CodeType,
    new: Optional[types.CodeType],
    header: Optional[list[str]],
    headers: dict[tuple[str, int], list[str]],
) -> Successor:
    name, line = code.co_name, code.co_firstlineno
    if new is None:
        return Successor(name, line, obstacle="it is not there any more")
    if header != headers.get((new.co_name, new.co_firstlineno)):
        return Successor(name, line, obstacle="its arguments or decorators differ")
    if bare(code) == bare(new):
        return Successor(name, line, new, is_same=True)
    obstacle = _obstacle(code, new)
    return Successor(name, line, None if obstacle else new, obstacle=obstacle)


def _obstacle(old: types.CodeType, new: types.CodeType) -> str:
    if old.co_freevars != new.co_freevars:
        return "it uses other variables of what surrounds it"
    if old.co_flags & _KIND != new.co_flags & _KIND:
        return "it is another kind of function"
    if _arguments(old) != _arguments(new):
        return "its arguments differ"
    return ""


def _arguments(code: types.CodeType) -> tuple[Any, ...]:
    variadic = code.co_flags & _VARIADIC
    count = code.co_argcount + code.co_kwonlyargcount + bin(variadic).count("1")
    counts = (code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount, variadic)
    return (*counts, *code.co_varnames[:count])


def bare(code: types.CodeType) -> types.CodeType:
    """Return a code object without its lines and its file: equal ones do the same."""
    constants = tuple(bare(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_firstlineno=1, co_linetable=b"", co_filename="")


def _places(code: types.CodeType, place: Place) -> Iterator[tuple[Place, types.CodeType]]:
    seen: Counter[str] = Counter()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = (*place, (constant.co_name, seen[constant.co_name]))
            seen[constant.co_name] += 1
            yield inner, constant
            yield from _places(constant, inner)


def _without_bodies(tree: ast.Module) -> str:
    """The text of a tree in which functions do nothing."""
    return "\n".join(_outlines(tree.body))


def _outlines(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        kept: list[tuple[Any, list[ast.stmt]]] = []
        for node in _own_functions(statement):
            kept.append((node, node.body))
            node.body = []
        try:
            yield ast.dump(statement)
        finally:
            for node, whole in kept:
                node.body = whole


def _own_functions(node: ast.AST) -> Iterator[Functions]:
    """The functions in a statement that are in no other function."""
    if isinstance(node, _FUNCTIONS):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _own_functions(child)

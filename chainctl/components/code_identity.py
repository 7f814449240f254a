"""A function in; its code without lines, files and comments, and the globals that it loads, out."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from typing import Any

from chainctl.components.canonical import sorted_text_of

_ABSENT = object()
Reference = tuple[str, ...]


def code_value(code: types.CodeType) -> list[Any]:
    """Return what a code object does as JSON: two that differ only in places are equal."""
    table = getattr(code, "co_exceptiontable", b"")
    return [
        "code",
        code.co_name,
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags],
        code.co_code.hex(),
        table.hex(),
        [_constant(value) for value in code.co_consts],
        *(list(names) for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
    ]


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return code_value(value)
    if isinstance(value, tuple):
        return ["tuple", *map(_constant, value)]
    if isinstance(value, frozenset):
        return ["frozenset", *sorted(map(_constant, value), key=sorted_text_of)]
    return [type(value).__name__, ascii(value)]


def references(code: types.CodeType) -> list[Reference]:
    """Return the globals that a code object loads, each with the attributes that are taken of it at once."""
    found = {reference for each in _codes(code) for reference in _loads(each)}
    return sorted(found)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _codes(value)


def _loads(code: types.CodeType) -> Iterator[Reference]:
    """Names of attributes are in `co_names` as well: only instructions tell which ones are globals."""
    current: list[str] = []
    for step in dis.get_instructions(code):
        name = step.argval if isinstance(step.argval, str) else ""
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM") and current:
            current.append(name)
            continue
        if current:
            yield tuple(current)
        current = []
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            current = [name]
        elif step.opname == "IMPORT_NAME":
            yield ("import", name)
    if current:
        yield tuple(current)


def cell_values(function: types.FunctionType) -> dict[str, Any]:
    """Return what a function closes over, by name."""
    cells = function.__closure__ or ()
    pairs = ((name, _content(cell)) for name, cell in zip(function.__code__.co_freevars, cells, strict=True))
    return {name: value for name, value in pairs if value is not _ABSENT}


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return _ABSENT

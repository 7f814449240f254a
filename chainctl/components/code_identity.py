"""A function in; its code without lines, files and comments, and the globals that it loads, out."""

from __future__ import annotations

import dis
import itertools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainctl.components.canonical import sorted_text_of

_ABSENT = object()


@dataclass(frozen=True, slots=True, order=True)
class Load:
    """A global that code loads, and the attributes that are taken of it at once."""

    name: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """An import inside of code. `level` counts the dots before the name."""

    name: str
    names: tuple[str, ...] = ()
    level: int = 0


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


def loads(code: types.CodeType) -> list[Load]:
    """Return the globals that a code object loads, sorted."""
    return sorted({found for each in _codes(code) for found in _loads(each)})


def imports(code: types.CodeType) -> list[Import]:
    """Return the imports inside of a code object, sorted."""
    return sorted({found for each in _codes(code) for found in _imports(each)})


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _codes(value)


def _steps(code: types.CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]


def _loads(code: types.CodeType) -> Iterator[Load]:
    """Names of attributes are in `co_names` as well: only instructions tell which ones are globals."""
    steps = _steps(code)
    for index, step in enumerate(steps):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            after = itertools.takewhile(
                lambda s: s.opname in ("LOAD_ATTR", "LOAD_METHOD"), steps[index + 1 :]
            )
            yield Load(str(step.argval), tuple(str(each.argval) for each in after))


def _imports(code: types.CodeType) -> Iterator[Import]:
    steps = _steps(code)
    for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname == "IMPORT_NAME":
            given = names.argval if isinstance(names.argval, tuple) else ()
            yield Import(str(step.argval), tuple(given), level.argval if isinstance(level.argval, int) else 0)


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

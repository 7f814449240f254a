"""A function's code and something that chooses in; code of the same kind and signature that runs the choice out."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

_MARK = "chainctl: the chooser"
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_SYNC = "return {call}"
_BODIES = {
    0: f"def f({{parameters}}):\n  {_SYNC}",
    _GENERATOR: "def f({parameters}):\n  return (yield from {call})",
    _COROUTINE: "async def f({parameters}):\n  return await {call}",
    _ASYNC_GENERATOR: """async def f({parameters}):
  _chainctl_inner = {call}
  try:
    _chainctl_item = await _chainctl_inner.__anext__()
    while True:
      try:
        _chainctl_sent = yield _chainctl_item
      except GeneratorExit:
        await _chainctl_inner.aclose()
        raise
      except BaseException as _chainctl_error:
        _chainctl_item = await _chainctl_inner.athrow(_chainctl_error)
      else:
        _chainctl_item = await _chainctl_inner.asend(_chainctl_sent)
  except StopAsyncIteration:
    return""",
}


def trampoline(code: types.CodeType, choose: Callable[[], Any]) -> types.CodeType:
    """Return code that takes what `code` takes and calls what `choose` returns with it.

    It is of the same kind, so that a coroutine function stays one, and has the same free variables, so
    that it fits into the same function object. Its file is this one: tracebacks leave it out.
    """
    made = _template(_shape(code), code.co_freevars)
    constants = tuple(choose if c == _MARK else c for c in made.co_consts)
    qualified = {"co_qualname": code.co_qualname} if hasattr(code, "co_qualname") else {}
    changes: dict[str, Any] = {"co_consts": constants, "co_name": code.co_name, **qualified}
    return made.replace(**changes)


_Shape = tuple[int, tuple[str, ...], tuple[str, ...], tuple[str, ...], str, str]


def _shape(code: types.CodeType) -> _Shape:
    names = iter(code.co_varnames)
    positional = tuple(next(names) for _ in range(code.co_argcount))
    keywords = tuple(next(names) for _ in range(code.co_kwonlyargcount))
    varargs = next(names) if code.co_flags & _VARARGS else ""
    varkeywords = next(names) if code.co_flags & _VARKEYWORDS else ""
    kind = code.co_flags & (_GENERATOR | _COROUTINE | _ASYNC_GENERATOR)
    first, rest = positional[: code.co_posonlyargcount], positional[code.co_posonlyargcount :]
    return (kind, first, rest, keywords, varargs, varkeywords)


@functools.lru_cache(1024)
def _template(shape: _Shape, free: tuple[str, ...]) -> types.CodeType:
    body = _BODIES[shape[0]].format(
        parameters=_parameters(shape), call=f"({_MARK!r}).__call__()({_given(shape)})"
    )
    uses = f"\n  ({', '.join(free)},)" if free else ""  # never reached; it makes them free variables
    text = "def outer():\n" + "".join(f" {name} = None\n" for name in free)
    text += "".join(f" {line}\n" for line in (body + uses).splitlines())
    outer = next(c for c in compile(text, __file__, "exec").co_consts if isinstance(c, types.CodeType))
    made = next(c for c in outer.co_consts if isinstance(c, types.CodeType))
    assert made.co_freevars == free
    return made


def _parameters(shape: _Shape) -> str:
    _, first, rest, keywords, varargs, varkeywords = shape
    star = [f"*{varargs}"] if varargs else ["*"] if keywords else []
    slash = ["/"] if first else []
    last = [f"**{varkeywords}"] if varkeywords else []
    return ", ".join([*first, *slash, *rest, *star, *keywords, *last])


def _given(shape: _Shape) -> str:
    _, first, rest, keywords, varargs, varkeywords = shape
    given = [*first, *rest, *([f"*{varargs}"] if varargs else []), *(f"{name}={name}" for name in keywords)]
    return ", ".join([*given, *([f"**{varkeywords}"] if varkeywords else [])])

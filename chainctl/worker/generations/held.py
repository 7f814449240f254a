"""A chainlet's state and the modules that were executed anew in; what in the state is of the old ones out."""

from __future__ import annotations

import gc
import sys
import time
import types
from collections.abc import Collection, Mapping
from typing import Any, Optional

from chainctl.calls.remote import RemoteChainlet

_LONGEST_SEC = 3.0
_LOOKS = 10_000
_LEAVES = (str, bytes, int, float, complex, bool, bytearray, type(None))


class Held:
    """What is reachable from the state of a live chainlet.

    `stale` names a class or function of a module that was executed anew, which would run old code, and
    `stubs` are the stand-ins for other chainlets, which can be made to speak of the new classes.
    """

    def __init__(self) -> None:
        self.stale: Optional[str] = None
        self.stubs: list[RemoteChainlet] = []


def held_by(state: Mapping[str, Any], old: Collection[types.ModuleType]) -> Held:
    """Look through a state. One that takes too long to look through is said to be stale."""
    held = Held()
    names = {module.__name__ for module in old}
    spaces = {id(vars(module)) for module in old}
    ends = {id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)}
    seen: set[int] = {id(state)}
    waiting: list[Any] = list(state.values())
    deadline, count = time.monotonic() + _LONGEST_SEC, 0
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in _LEAVES or id(value) in seen:
            continue
        seen.add(id(value))
        count += 1
        if count % _LOOKS == 0 and time.monotonic() > deadline:
            held.stale = "more than can be looked through"
            return held
        if kind is RemoteChainlet:
            held.stubs.append(value)
            continue
        held.stale = _stale(value, kind, names, spaces)
        if held.stale is not None:
            return held
        if isinstance(value, (type, types.ModuleType, types.CodeType)) or not gc.is_tracked(value):
            continue
        waiting += [one for one in gc.get_referents(value) if id(one) not in ends]
    return held


def _stale(value: Any, kind: type, names: set[str], spaces: set[int]) -> Optional[str]:
    """The name of what an object is of a module that was executed anew, None when it is of none."""
    if kind is types.FunctionType:
        return f"the function `{value.__qualname__}`" if id(value.__globals__) in spaces else None
    if isinstance(value, type):
        return f"the class `{value.__qualname__}`" if value.__module__ in names else None
    return f"an instance of `{kind.__qualname__}`" if kind.__module__ in names else None

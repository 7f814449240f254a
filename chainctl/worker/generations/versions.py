"""One function object in; the same object, running the code of the generation of whoever calls it, out."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.worker.generations.trampoline import trampoline

Committed = Callable[[], int]


class Versions:
    """The codes of a function by generation, oldest first; as long as there are two, the function chooses.

    What runs outside of a call, as a task of `__init__`'s does, gets the committed one.
    """

    def __init__(self, function: types.FunctionType, committed: Committed) -> None:
        self.function = function
        self._committed = committed
        self._all: tuple[tuple[int, types.FunctionType], ...] = ((0, _copy(function, function.__code__)),)

    @property
    def newest(self) -> types.CodeType:
        """The code of the newest generation."""
        return self._all[-1][1].__code__

    @property
    def copies(self) -> tuple[types.FunctionType, ...]:
        """The functions that are chosen from."""
        return tuple(function for _, function in self._all)

    @property
    def is_settled(self) -> bool:
        """Whether there is one code only, which the function has directly."""
        return len(self._all) == 1

    def add(self, number: int, code: types.CodeType) -> None:
        """Let calls from a generation on run this code."""
        self._all = (*self._all, (number, _copy(self.function, code)))
        if len(self._all) == 2:
            self.function.__code__ = trampoline(code, self.choose)

    def drop(self, number: int) -> None:
        """Forget the code of a generation that is not to be."""
        self._settle(tuple(version for version in self._all if version[0] != number))

    def drop_before(self, number: int) -> None:
        """Forget the codes that no call of this generation or a newer one runs."""
        old = [at for at, _ in self._all if at <= number]
        base = old[-1] if old else 0
        self._settle(tuple(version for version in self._all if version[0] >= base))

    def relabel(self, code: types.CodeType) -> None:
        """Give the newest code other lines."""
        self._all[-1][1].__code__ = code

    def choose(self) -> Any:
        """Return the function that the current call is to run."""
        call = CURRENT_CALL.get()
        number = call.generation if call is not None else None
        if number is None:
            number = self._committed()
        for at, function in reversed(self._all):
            if at <= number:
                return function
        return self._all[0][1]

    def _settle(self, left: tuple[tuple[int, types.FunctionType], ...]) -> None:
        was_choosing, self._all = not self.is_settled, left
        if was_choosing and self.is_settled:
            self.function.__code__ = self.newest


def _copy(function: types.FunctionType, code: types.CodeType) -> types.FunctionType:
    """A function that does the same with another code; defaults and closure are the very ones."""
    copy = types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy

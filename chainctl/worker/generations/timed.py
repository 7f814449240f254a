"""Work that may never end in; its result in time, or the work given up, out."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import Generic, Optional, TypeVar

T = TypeVar("T")


class GivenUp(BaseException):
    """Raised in a thread whose work nobody waits for any more."""


class TimedWork(Generic[T]):
    """Does work in a thread of its own. `give_up` may be called from any other thread."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: Optional[T] = None
        self._error: Optional[BaseException] = None
        self._is_done = threading.Event()
        self._has_ended = False
        self._was_given_up = False
        self._thread = threading.Thread(target=self._run, name="chainctl-edit", daemon=True)

    @property
    def is_at_work(self) -> bool:
        """Whether the work goes on, given up or not."""
        return self._thread.is_alive() and not self._has_ended

    def result(self, seconds: float) -> T:
        """Return what the work returns, or raise what it raises. Raises GivenUp when it does not end in time."""
        self._thread.start()
        if not self._is_done.wait(seconds):
            self.give_up()
        if self._was_given_up:
            raise GivenUp
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it is done

    def give_up(self) -> None:
        """Wait no longer. Python code is ended where it is; a call into a library goes on until it returns."""
        self._was_given_up = True
        self._is_done.set()
        if self._thread.ident is not None and self.is_at_work:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(GivenUp)
            )

    def _run(self) -> None:
        with contextlib.suppress(GivenUp):  # it may come a moment after the end
            self._run_once()

    def _run_once(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is waited for
            self._error = error
        self._has_ended = True
        self._is_done.set()

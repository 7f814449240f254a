"""Work and a number of seconds in; its result, or TimeoutError when they are over, out."""

from __future__ import annotations

import asyncio
from typing import Any


class TimeLimit:
    """Cancels the enclosed work after some seconds and raises TimeoutError.

    It does what `asyncio.timeout` does, which Python 3.10 lacks.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.has_expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task: Any = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._timer.cancel()
        if self.has_expired and self._took_back() and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self.has_expired = True
        self._cancels_before = self._cancels()
        self._task.cancel()

    def _took_back(self) -> bool:
        """Take our cancellation back; say whether it was the only one since. Python 3.10 does not count."""
        if not hasattr(self._task, "uncancel"):
            return True
        return bool(self._task.uncancel() <= self._cancels_before)

    def _cancels(self) -> int:
        return self._task.cancelling() if hasattr(self._task, "cancelling") else 0

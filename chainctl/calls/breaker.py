"""How calls ended in; whether the next one may be made out."""

from __future__ import annotations

import time
from typing import Optional


class CircuitBreaker:
    """Refuses calls for some seconds when most of the last ones failed; then lets one try.

    After M. Nygard, "Release It!", 2007. It looks at the last `window` calls.
    """

    def __init__(self, *, window: int = 20, pause_sec: float = 5.0) -> None:
        self._window = window
        self.pause_sec = pause_sec
        self._failures = 0
        self._calls = 0
        self._opened_at: Optional[float] = None
        self._is_probing = False

    def admits(self) -> bool:
        """Say whether a call may be made now."""
        if self._opened_at is None:
            return True
        if self._is_probing or time.monotonic() - self._opened_at < self.pause_sec:
            return False
        self._is_probing = True
        return True

    def note(self, *, failed: bool) -> None:
        """Count how a call ended."""
        if self._opened_at is not None:
            self._close() if not failed else self._open()
            return
        if self._calls >= self._window:  # halve, so that old calls weigh less and less
            self._calls, self._failures = self._calls // 2, self._failures // 2
        self._calls += 1
        self._failures += failed
        if self._calls >= self._window // 2 and self._failures * 2 >= self._calls:
            self._open()

    def note_given_up(self) -> None:
        """Count a call whose end nobody saw, such as a cancelled one."""
        self._is_probing = False

    def _open(self) -> None:
        self._opened_at, self._is_probing = time.monotonic(), False

    def _close(self) -> None:
        self._opened_at, self._is_probing, self._calls, self._failures = None, False, 0, 0

"""Times in; a function called when the last of them that was set has come, out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Optional


class LazyAlarm:
    """An alarm that is set and unset for call after call, and nearly always unset before its time.

    Times are of the loop's clock, in seconds. One timer is kept for many calls: when it goes off it looks
    at the time that is set by then, and waits again for what is left. A later time costs nothing so.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._when = math.inf
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_when = math.inf

    def set(self, when: float) -> None:
        """Ring at a time, once; what was set before is forgotten."""
        self._when = when
        if self._timer_when > when:
            self._stop()
            self._start(when)

    def unset(self) -> None:
        """Do not ring."""
        self._when = math.inf

    def cancel(self) -> None:
        """Do not ring, and keep no timer either."""
        self.unset()
        self._stop()

    def _start(self, when: float) -> None:
        self._timer_when = when
        self._timer = self._loop.call_at(when, self._went_off)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_when = None, math.inf

    def _went_off(self) -> None:
        when, due = self._when, self._timer_when
        self._timer, self._timer_when = None, math.inf
        if when <= due:
            self._when = math.inf
            self._ring()
        elif when != math.inf:
            self._start(when)

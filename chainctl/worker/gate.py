"""Calls that want to run in; no more of them at once than the limit, in order, out.

A call that would wait beyond its deadline is refused at once, so that its caller can still do
something else. After "Handling Overload" in "Site Reliability Engineering", O'Reilly, 2016.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import Optional

MOST_WITHOUT_LIMIT = 4096
_DEFAULT_QUEUE = 1024
_WEIGHT = 0.1


class Overloaded(Exception):
    """There is no room for one more call. `retry_after_sec` is a guess, in whole seconds."""

    def __init__(self, message: str, retry_after_sec: int) -> None:
        super().__init__(message)
        self.retry_after_sec = retry_after_sec


class Gate:
    """Admits `limit` calls at once and lets `queue_limit` more wait. For one event loop."""

    def __init__(self, limit: Optional[int], queue_limit: Optional[int] = None) -> None:
        self._limit = MOST_WITHOUT_LIMIT if limit is None else limit
        self._queue_limit = _DEFAULT_QUEUE if queue_limit is None else queue_limit
        self._queue: deque[asyncio.Future[None]] = deque()
        self._mean_sec = 0.0
        self.in_flight = 0

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def queue_limit(self) -> int:
        return self._queue_limit

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter_now(self) -> Optional[float]:
        """Take a place if there is one; return its start time for `leave`, None when all are taken."""
        if self.in_flight >= self._limit:
            return None
        self.in_flight += 1
        return time.monotonic()

    async def enter(self, remaining_sec: Optional[float] = None) -> float:
        """Wait for a place; return its start time for `leave`. Raises Overloaded."""
        since = self.enter_now()
        if since is None:
            self._refuse_more()
            self.refuse_hopeless(remaining_sec, len(self._queue))
            await self._wait()
            since = time.monotonic()
        return since

    async def place(self) -> float:
        """Wait for a place as `enter` does, for work that was admitted already; `give_back` what is not used."""
        since = self.enter_now()
        if since is None:
            await self._wait()
            since = time.monotonic()
        return since

    def give_back(self) -> None:
        """Give back a place in which nothing ran."""
        self._hand_on()

    def leave(self, since: float) -> None:
        """Give the place to the one that waits longest."""
        took = time.monotonic() - since
        self._mean_sec += _WEIGHT * (took - self._mean_sec) if self._mean_sec else took
        self._hand_on()

    def expected_wait_sec(self, ahead: Optional[int] = None) -> float:
        """How long one more would wait: those `ahead` of it, by default the queue, at the pace of the last ones."""
        ahead = len(self._queue) if ahead is None else ahead
        return (ahead + 1) * self._mean_sec / self._limit

    def refuse_hopeless(self, remaining_sec: Optional[float], ahead: int) -> None:
        """Refuse what would wait beyond its deadline with so many ahead of it. Raises Overloaded."""
        if remaining_sec is None or self.in_flight < self._limit:
            return
        expected = self.expected_wait_sec(ahead)
        if expected > remaining_sec:
            raise Overloaded(
                f"the call would wait about {expected:.3g} s, its deadline is in {remaining_sec:.3g} s",
                _retry_after(expected),
            )

    def _refuse_more(self) -> None:
        if len(self._queue) >= self._queue_limit:
            raise Overloaded(
                f"{len(self._queue)} calls wait already, the limit is reached",
                _retry_after(self.expected_wait_sec()),
            )

    async def _wait(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except BaseException:
            if not place.cancelled():
                self._hand_on()
            elif place in self._queue:
                self._queue.remove(place)
            raise

    def _hand_on(self) -> None:
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.in_flight -= 1


def _retry_after(expected_sec: float) -> int:
    return max(1, min(60, math.ceil(expected_sec)))

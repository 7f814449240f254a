"""A service that may sleep, and calls of it, in; the calls, held until it is there, out.

Nobody listens for a service without replicas. A call of it is counted, so that whoever scales it
starts one, and goes on when that takes calls: after the activator of Knative Serving.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Optional

from chainctl.calls.answer import Answer, NotSentError
from chainctl.calls.awaited import Awaited
from chainctl.calls.replica_watch import WAKE_SEC
from chainctl.calls.retry import is_not_begun

IsThere = Callable[[], Awaitable[bool]]


class StillAsleep(TimeoutError):
    """Nobody was there to take a call until its deadline."""


class Sleeper:
    """Holds the calls of one service from one event loop; all that are held share one look at a time."""

    def __init__(self, service: str, awaited: Awaited, is_there: IsThere) -> None:
        self._service = service
        self._awaited = awaited
        self._is_there = is_there
        self._waking: Optional[asyncio.Task[bool]] = None
        self._held = 0

    async def answered(self, once: Callable[[], Awaitable[Answer]], deadline: float) -> Answer:
        """Make a call, again as long as nobody is there to begin it, and once more if somebody is by now.

        Raises StillAsleep at the deadline, of `time.monotonic()`, and what the call raises else.
        """
        has_failed = False
        while True:
            answer, failure = await _outcome(once)
            if answer is not None and not is_not_begun(answer):
                return answer
            was_asleep = await self.woken(deadline)
            if was_asleep or not has_failed:
                has_failed = not was_asleep
                continue
            if answer is not None:
                return answer
            assert failure is not None
            raise failure

    async def woken(self, deadline: float) -> bool:
        """Wait until a replica takes calls; say whether that took more than a look. Raises StillAsleep."""
        self._held += 1
        try:
            with self._awaited.held(self._service):
                if self._waking is None or self._waking.done():
                    self._waking = asyncio.ensure_future(self._until_there())
                waking = self._waking
                await asyncio.wait((waking,), timeout=max(0.0, deadline - time.monotonic()))
            if not waking.done():
                raise StillAsleep
            return waking.result()
        finally:
            self._held -= 1
            if not self._held and self._waking is not None:
                self._waking.cancel()

    async def _until_there(self) -> bool:
        was_asleep = False
        while not await self._is_there():
            was_asleep = True
            await asyncio.sleep(WAKE_SEC)
        return was_asleep


async def _outcome(once: Callable[[], Awaitable[Answer]]) -> tuple[Optional[Answer], Optional[NotSentError]]:
    try:
        return await once(), None
    except NotSentError as error:
        return None, error

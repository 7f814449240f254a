"""Functions of user code in; their results out, each run in a thread beside the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from chainctl.worker.call_context import CURRENT_CALL

_MOST_THREADS = 1024
_END: Any = object()
T = TypeVar("T")


class CallThreads:
    """Threads for `limit` calls at once, and one more for health checks."""

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(min(limit, _MOST_THREADS) + 1, "chainlet")

    async def run(self, function: Callable[[], T], done: Callable[[], None] = lambda: None) -> T:
        """Run a function, return its result or raise what it raised.

        `done` is called on the event loop when the thread is free again. That is later than the end
        of a cancelled call: a thread cannot be stopped, only the calls that it makes are.
        """
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, context.run, _without_stop_iteration, function)
        try:
            result = await asyncio.shield(work)
        except asyncio.CancelledError:
            if not work.done():
                _stop_calls()
                work.add_done_callback(lambda ended: _end(ended, done))
                raise
            done()
            raise
        except BaseException:
            done()
            raise
        done()
        return result

    async def items(self, iterator: Iterator[T]) -> Any:
        """Yield the items of a sync iterator, each taken in a thread."""
        try:
            while (item := await self.run(lambda: next(iterator, _END))) is not _END:
                yield item
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                await self.run(close)


def _stop_calls() -> None:
    """End the calls that the thread's code has under way, now and later."""
    context = CURRENT_CALL.get()
    if context is not None:
        context.scope.cancel()


def _end(ended: asyncio.Future[Any], done: Callable[[], None]) -> None:
    """Take note that a call ended that nobody waits for any more."""
    if not ended.cancelled():
        ended.exception()
    done()


def _without_stop_iteration(function: Callable[[], T]) -> T:
    """Turn StopIteration into RuntimeError, as a coroutine does: a future that gets one never ends."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("run_remote raised StopIteration") from error

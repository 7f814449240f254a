"""Functions of user code in; their results out, each run in a thread beside the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional, TypeVar

from chainctl.calls.call_context import CURRENT_CALL

_LOG = logging.getLogger("chainctl.worker")
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

    async def items(self, iterator: Iterator[T], done: Callable[[], None]) -> AsyncGenerator[T, None]:
        """Yield the items of a sync iterator, each taken in a thread; it is closed at the end.

        `done` is called on the event loop when that is over, which is later than the end of a
        cancelled stream: an iterator cannot be closed while a thread takes an item from it.
        """
        taking = _Taking(self, iterator, done)
        try:
            while (item := await taking.next()) is not _END:
                yield item
        finally:
            await taking.close()


class _Taking:
    """Takes the items of an iterator, and closes it when no thread is busy with it."""

    def __init__(self, threads: CallThreads, iterator: Iterator[Any], done: Callable[[], None]) -> None:
        self._threads = threads
        self._iterator = iterator
        self._done = done
        self._is_busy = False
        self._is_left = False
        self._closing: Optional[asyncio.Task[None]] = None

    async def next(self) -> Any:
        self._is_busy = True
        return await self._threads.run(lambda: next(self._iterator, _END), self._free)

    async def close(self) -> None:
        """Close the iterator, now or when its thread is free."""
        self._is_left = True
        if not self._is_busy:
            await self._closed()

    def _free(self) -> None:
        self._is_busy = False
        if self._is_left:
            self._closing = asyncio.get_running_loop().create_task(self._closed_quietly())

    async def _closed(self) -> None:
        close: Callable[[], None] = getattr(self._iterator, "close", _nothing)
        await self._threads.run(close, self._done)

    async def _closed_quietly(self) -> None:
        try:
            await self._closed()
        except Exception:  # noqa: BLE001  # the user's own clean-up runs here
            _LOG.exception("a stream that nobody reads any more could not be closed")


def _nothing() -> None:
    """Close nothing."""


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

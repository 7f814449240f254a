"""Coroutines from sync code in, their results out: an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, Optional, TypeVar

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.sync_bridge import await_here, can_await_here

T = TypeVar("T")


class ClientLoop:
    """A thread with an event loop, in which sync code has its calls made. Starts when first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None

    def run(self, call: Coroutine[Any, Any, T], *, always: bool = False) -> T:
        """Run a coroutine to its end and return its result, or raise what it raised.

        It is cancelled when the call that is being run is, unless it is to run `always`. In a task
        that bridges sync calls it runs there, and the task's event loop goes on.
        """
        if can_await_here():
            result: T = await_here(call)
            return result
        context = CURRENT_CALL.get()
        if context is not None and context.scope.is_cancelled and not always:
            call.close()
            raise CancelledError
        future = asyncio.run_coroutine_threadsafe(call, self._running())
        if context is not None and not always:
            context.scope.enter(future)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel the calls under way, and end the thread. The next call starts another one."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = new_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="chainctl-calls", daemon=True
                )
                self._thread.start()
            return self._loop


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, the fast one where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop

"""The thread in which sync code has its calls made: until it is closed."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from chainctl.calls.client_loop import ClientLoop


async def thread_name() -> str:
    return threading.current_thread().name


def threads() -> int:
    return sum(thread.name == "chainctl-calls" for thread in threading.enumerate())


def test_the_thread_ends_when_it_is_closed() -> None:
    """It begins with the first call, and again with one after the end."""
    before, loop = threads(), ClientLoop()
    loop.close()
    for _ in range(2):
        assert loop.run(thread_name()) == "chainctl-calls"
        assert threads() == before + 1
        loop.close()
        assert threads() == before


def test_a_call_under_way_is_cancelled() -> None:
    """Its caller does not wait for a thread that is gone."""
    loop, began = ClientLoop(), threading.Event()

    async def endless() -> None:
        began.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(loop.run, endless())
        assert began.wait(10)
        loop.close()
        with pytest.raises(CancelledError):
            call.result(10)

"""An attempt in; one that is made a second time when the first takes long, the faster one winning, out.

After J. Dean and L. A. Barroso, "The Tail at Scale", CACM 2013.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chainctl.calls.answer import Answer
from chainctl.calls.retry import RetryBudget


def hedged(
    attempt: Callable[[], Awaitable[Answer]], after_sec: float, budget: RetryBudget
) -> Callable[[], Awaitable[Answer]]:
    """Return an attempt that is doubled after `after_sec` without an answer, if the budget lets.

    The loser is cancelled, which stops it at the other side. Only for idempotent edges.
    """

    async def once() -> Answer:
        tasks = [asyncio.ensure_future(attempt())]
        try:
            await asyncio.wait(tasks, timeout=after_sec)
            if not tasks[0].done() and budget.take():
                tasks.append(asyncio.ensure_future(attempt()))
            return await _first_good(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return once


async def _first_good(tasks: Sequence[asyncio.Future[Answer]]) -> Answer:
    """The first that did not fail; when all fail, the first failure."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None:
                return task.result()
    return tasks[0].result()

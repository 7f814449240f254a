"""Many calls over two hops, some of which are cancelled, in; nothing left behind, or an error that says what, out.

`python -m tests.soak.calls [CALLS]`; a test does the same with fewer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import chainctl as chains
from tests.unit.worker.fabric import Net, net_of, run, until

_AT_ONCE = 50
_CANCELLED = 0.01
_STREAMED = 0.1
_PATIENCE_SEC = 30
_SEC_PER_CALL = 0.05


class Leaf(chains.ChainletBase):
    """Answers after a turn of the loop."""

    async def run_remote(self, number: int) -> int:
        await asyncio.sleep(0)
        return number


class Counts(chains.ChainletBase):
    """Streams a few numbers."""

    async def run_remote(self, number: int) -> AsyncIterator[int]:
        for i in range(3):
            yield number + i
            await asyncio.sleep(0)


class Front(chains.ChainletBase):
    """Asks one or the other."""

    def __init__(self, leaf: Any = chains.depends(Leaf), counts: Any = chains.depends(Counts)) -> None:
        self.leaf = leaf
        self.counts = counts

    async def run_remote(self, number: int, streamed: bool) -> int:
        if streamed:
            return int(max([item async for item in self.counts.run_remote(number)])) - 2
        return int(await self.leaf.run_remote(number))


def soak(calls: int, seed: int = 1) -> None:
    """Make calls, cancel some of them, and check that no task, place, connection or file is left."""
    run(_soaked(calls, random.Random(seed)), patience_sec=_PATIENCE_SEC + calls * _SEC_PER_CALL)


async def _soaked(calls: int, dice: random.Random) -> None:
    async with net_of(Leaf) as net:  # the loop opens a file of its own with its first server
        await net.stub(Leaf).run_remote(1)
    gc.collect()
    files, tasks = _open_files(), len(asyncio.all_tasks())
    async with net_of(Leaf, Counts, Front) as net:
        stub = net.stub(Front)
        for first in range(0, calls, _AT_ONCE):
            await asyncio.gather(
                *(_called(stub, n, dice) for n in range(first, min(calls, first + _AT_ONCE)))
            )
        await until(lambda: all(worker.gate.in_flight == 0 for worker in net.workers.values()))
        _check_pools(net)
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    await until(lambda: _open_files() == files)


async def _called(stub: Any, number: int, dice: random.Random) -> None:
    call = asyncio.ensure_future(stub.run_remote(number, dice.random() < _STREAMED))
    if dice.random() < _CANCELLED:
        for _ in range(dice.randrange(12)):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled() or call.result() == number
    else:
        assert await call == number


def _check_pools(net: Net) -> None:
    for transport in net.transports:
        for client in transport._clients.values():
            assert len(client.http._idle) <= _AT_ONCE, "connections are reused"
            assert not client.permits.locked(), "permits are given back"


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0  # noqa: PTH208  # a count


if __name__ == "__main__":
    soak(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

"""Many calls over two hops, some of which are cancelled, in; nothing left behind, or an error that says what, out.

`python -m tests.soak.calls [CALLS]`; a test does the same with fewer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import chainctl as chains
from chainctl.calls.http_client import HttpClient
from chainctl.calls.shared_buffers import SharedBuffers
from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.segments.sharing import SegmentSharing
from tests.unit.worker.fabric import Net, net_of, run, until

_AT_ONCE = 50
_CANCELLED = 0.01
_STREAMED = 0.1
_SHARED = 0.002
_SHARED_ITEMS = 300_000  # more than a megabyte, so that they go by shared memory
_GROWN_BYTES = 16 << 20
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


class Adds(chains.ChainletBase):
    """Changes an array in place."""

    async def run_remote(self, array: NumpyArrayField) -> NumpyArrayField:
        array.array[...] += 1
        return array


class Front(chains.ChainletBase):
    """Asks one of the others."""

    def __init__(
        self,
        leaf: Any = chains.depends(Leaf),
        counts: Any = chains.depends(Counts),
        adds: Any = chains.depends(Adds),
    ) -> None:
        self.leaf = leaf
        self.counts = counts
        self.adds = adds

    async def run_remote(self, number: int, how: str) -> int:
        if how == "stream":
            return int(max([item async for item in self.counts.run_remote(number)])) - 2
        if how == "array":
            sent = NumpyArrayField(array=np.full(_SHARED_ITEMS, number, "float32"))
            return int((await self.adds.run_remote(sent)).array[-1]) - 1
        return int(await self.leaf.run_remote(number))


def soak(calls: int, seed: int = 1) -> str:
    """Make calls, cancel some of them, and return what was checked.

    No task, place, connection, file or segment may be left, and memory must not grow after the first tenth.
    """
    patience_sec = _PATIENCE_SEC + calls * _SEC_PER_CALL
    grown, seconds = run(_soaked(calls, random.Random(seed)), patience_sec=patience_sec)
    return (
        f"{calls:,} calls in {seconds:.0f} s, {_CANCELLED:.0%} of them cancelled: no task, place, connection,"
        f" file or segment is left; memory grew by {grown / (1 << 20):.1f} MiB after the first tenth"
    )


async def _soaked(calls: int, dice: random.Random) -> tuple[int, float]:
    async with net_of(Leaf) as net:  # the loop opens a file of its own with its first server
        await net.stub(Leaf).run_remote(1)
    gc.collect()
    files, tasks, began = _open_files(), len(asyncio.all_tasks()), time.monotonic()
    with _sharing() as sharing:
        async with net_of(Leaf, Counts, Adds, Front, buffers=SharedBuffers(sharing)) as net:
            grown = await _all_called(net, calls, dice)
            await until(lambda: all(worker.gate.in_flight == 0 for worker in net.workers.values()))
            _check_pools(net)
        await until(lambda: not sharing.pool._holds)
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    gc.collect()
    await until(lambda: _open_files() == files)
    return grown, time.monotonic() - began


@contextmanager
def _sharing() -> Iterator[SegmentSharing]:
    """Shared memory of a directory in which no segment may be left."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        sharing = SegmentSharing.opened({"CHAINCTL_SHARED_DIR": directory})
        assert sharing is not None
        own = {path.name for path in Path(directory).iterdir()}
        yield sharing
        placed = {path.name for path in Path(directory).iterdir()} - own
        assert placed, "arrays went by shared memory"
        sharing.close()
        assert not [name for name in placed if (Path(directory) / name).exists()], "segments are removed"


async def _all_called(net: Net, calls: int, dice: random.Random) -> int:
    """Make the calls; return by how many bytes memory grew after the first tenth of them."""
    stub, resident = net.stub(Front), 0
    for first in range(0, calls, _AT_ONCE):
        if not resident and first >= calls // 10:
            resident = _resident_bytes()
        numbers = range(first, min(calls, first + _AT_ONCE))
        await asyncio.gather(*(_called(stub, number, dice) for number in numbers))
    grown = _resident_bytes() - resident
    assert grown < _GROWN_BYTES, f"memory grew by {grown:,} bytes"
    return grown


async def _called(stub: Any, number: int, dice: random.Random) -> None:
    what = dice.random()
    how = "array" if what < _SHARED else "stream" if what < _SHARED + _STREAMED else "plain"
    call = asyncio.ensure_future(stub.run_remote(number, how))
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
            assert isinstance(client.http, HttpClient)
            assert len(client.http._idle) <= _AT_ONCE, "connections are reused"
            assert not client.permits.locked(), "permits are given back"


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0  # noqa: PTH208  # a count


def _resident_bytes() -> int:
    """Without what is shared: segments come and go."""
    pages = Path("/proc/self/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(soak(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))

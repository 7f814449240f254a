"""Arrays between services that share memory: the same results, changeable in place, and no segment kept for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainctl as chains
from chainctl.calls.shared_buffers import SharedBuffers
from chainctl.pydantic_numpy import NumpyArrayField
from chainctl.segments.sharing import SegmentSharing
from tests.unit.segments.segment_process import directory
from tests.unit.worker.fabric import net_of, run

__all__ = ["directory"]
pytestmark = pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no shared memory here")
SIZE = 1_000_000


class Adds(chains.ChainletBase):
    """Changes an array in place and sends it back."""

    async def run_remote(self, array: NumpyArrayField) -> NumpyArrayField:
        array.array[...] += 10
        return array


class Makes(chains.ChainletBase):
    """Makes an array that says which call it is of."""

    async def run_remote(self, number: int) -> NumpyArrayField:
        await asyncio.sleep(0)
        return NumpyArrayField(array=np.full(SIZE, number, "float32"))


class Passes(chains.ChainletBase):
    """Hands on what it gets."""

    def __init__(self, adds: Any = chains.depends(Adds)) -> None:
        self.adds = adds

    async def run_remote(self, array: NumpyArrayField) -> NumpyArrayField:
        result: NumpyArrayField = await self.adds.run_remote(array)
        return result


@contextmanager
def two_sides(directory: Path) -> Iterator[tuple[SegmentSharing, SegmentSharing]]:
    """What a service and its caller have of one directory."""
    environ = {"CHAINCTL_SHARED_DIR": str(directory)}
    one, other = SegmentSharing.opened(environ), SegmentSharing.opened(environ)
    assert one is not None
    assert other is not None
    try:
        yield one, other
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("cls", [Adds, Passes])
def test_arrays_through_shared_memory(directory: Path, cls: Any) -> None:
    """From the second call on large arrays are mapped; whoever gets one may change it, and nobody else sees that."""

    async def work() -> None:
        with two_sides(directory) as (serving, calling):
            async with net_of(Adds, Passes, buffers=SharedBuffers(serving)) as net:
                stub = net.stub(cls, SharedBuffers(calling))
                for i in range(4):
                    sent = np.full(SIZE, i, "float32")
                    found = (await stub.run_remote(NumpyArrayField(array=sent))).array
                    assert (found == i + 10).all()
                    found += 1
                    assert (sent == i).all()
                assert list(directory.glob("*-*")), "segments were used"
                assert calling.pool._holds == {}
            assert serving.pool._holds == {}

    run(work())


@pytest.mark.parametrize("hedged", [False, True])
def test_many_shared_answers_at_once(directory: Path, hedged: bool) -> None:
    """Each caller gets its own array, also when connections and segments are used again at once."""
    options: dict[str, Any] = {"idempotent": True, "hedge_after_sec": 30} if hedged else {}

    async def work() -> None:
        with two_sides(directory) as (serving, calling):
            async with net_of(Makes, buffers=SharedBuffers(serving)) as net:
                stub = net.stub(Makes, SharedBuffers(calling), **options)

                async def one_after_the_other(first: int) -> None:
                    for number in range(first, first + 15):
                        assert ((await stub.run_remote(number)).array == number).all()

                await asyncio.gather(*(one_after_the_other(100 * i) for i in range(6)))
            assert serving.pool._holds == {}

    run(work())

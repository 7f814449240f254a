"""Five chainlets in a row; the last one waits. Each notes the times at which it begins and is stopped."""

import asyncio
import os
import time

import chainctl as chains


def note(what: str) -> None:
    """Append a line in one write: all processes of the machine share this clock."""
    line = f"{what} {time.monotonic_ns()}\n".encode()
    out = os.open(os.environ["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, line)
    os.close(out)


async def noted(name, work):
    note(f"begun {name}")
    try:
        return await work
    finally:
        note(f"over {name}")


class Fifth(chains.ChainletBase):
    async def run_remote(self, n: int) -> int:
        await noted("Fifth", asyncio.sleep(600))
        return n


class Fourth(chains.ChainletBase):
    def __init__(self, inner: Fifth = chains.depends(Fifth)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await noted("Fourth", self._inner.run_remote(n))


class Third(chains.ChainletBase):
    def __init__(self, inner: Fourth = chains.depends(Fourth)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await noted("Third", self._inner.run_remote(n))


class Second(chains.ChainletBase):
    def __init__(self, inner: Third = chains.depends(Third)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await noted("Second", self._inner.run_remote(n))


@chains.mark_entrypoint
class First(chains.ChainletBase):
    def __init__(self, inner: Second = chains.depends(Second)) -> None:
        self._inner = inner

    async def run_remote(self, n: int) -> int:
        return await noted("First", self._inner.run_remote(n))

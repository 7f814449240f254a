"""Stages around a model: five places and 100 ms of I/O before them, or one place and the order kept."""

import time

import chainctl as chains


class Fetching(chains.ChainletBase):
    """Fetches for 100 ms, then computes for 100 ms, both in threads."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=5))

    def preprocess(self, number: int) -> int:
        time.sleep(0.1)
        return number

    def run_remote(self, number: int) -> int:
        time.sleep(0.1)
        return number


class Ordered(chains.ChainletBase):
    """Computes for 10 ms, one call at a time; `busy` keeps the interpreter, as Python code does."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=1))

    def __init__(self) -> None:
        self._came = self._ran = 0

    async def preprocess(self, busy: bool) -> tuple[bool, int]:
        self._came += 1
        return busy, self._came

    def run_remote(self, given: tuple[bool, int]) -> tuple[int, int]:
        busy, came = given
        until = time.perf_counter() + 0.01
        while busy and time.perf_counter() < until:
            pass
        if not busy:
            time.sleep(0.01)
        self._ran += 1
        return came, self._ran


class Batching(chains.ChainletBase):
    """Computes for 20 ms, whatever the number of calls."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=1))

    @chains.batched(max_size=10, max_latency=0.005, argument="number")
    def run_remote(self, numbers: list[int]) -> list[int]:
        time.sleep(0.02)
        return numbers


@chains.mark_entrypoint
class Entry(chains.ChainletBase):
    def __init__(
        self,
        fetching: Fetching = chains.depends(Fetching),
        ordered: Ordered = chains.depends(Ordered),
        batching: Batching = chains.depends(Batching),
    ) -> None:
        self._all = (fetching, ordered, batching)

    def run_remote(self, number: int) -> int:
        return number

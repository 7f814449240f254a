"""A chain of three hops whose last one fails half of the time in; calls at its end per call made out."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import httptools

from tests.bench.floor.client import Address, PooledClient, post_head
from tests.bench.floor.receiver import Buffer, Receiver
from tests.bench.peers.chain_services import ChainRun, Package
from tests.bench.stage import Stage

_CALLS = 400
_AT_ONCE = 8
_BODY = b'{"n": 1}'
_FAULT = b'{"error": {"kind": "not_ready", "message": "an injected fault"}}'
_NOT_STARTED = b"HTTP/1.1 503 Unavailable\r\nx-chainctl-not-started: 1\r\ncontent-type: application/json\r\n"
_FINE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def calls_per_call(package: Package, times: int) -> list[float]:
    """Make calls over three hops (each may try three times) and count what arrives at the end.

    The end is a stand-in that answers every second call, by chance, that no work was begun: a
    fault that may be tried again at every hop.
    """
    return [asyncio.run(_measured(package, seed)) for seed in range(min(times, 3))]


async def _measured(package: Package, seed: int) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-retries-") as directory:
        stage = Stage(Path(directory))
        faults = _Faults(random.Random(seed))
        server = await asyncio.get_running_loop().create_server(lambda: _Last(faults), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            run = ChainRun(package, stage, {})
            via = {"Fourth": f"http://127.0.0.1:{port}"}
            places = await asyncio.to_thread(run.start, "faulty", ("First", "Second", "Third"), via)
            await _call_all(PooledClient(Address.of(places["First"].address)))
            return faults.calls / _CALLS
        finally:
            server.close()
            stage.end()


async def _call_all(client: PooledClient) -> None:
    left = iter(range(_CALLS))

    async def calls() -> None:
        for _ in left:
            await client.post(post_head("/run_remote", len(_BODY), "application/json"), (_BODY,))

    await asyncio.gather(*(calls() for _ in range(_AT_ONCE)))
    client.close()


class _Faults:
    """Decides which calls fail, and counts all of them."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.calls = 0

    def next_fails(self) -> bool:
        self.calls += 1
        return self._chance.random() < 0.5


class _Last(Receiver):
    """A connection of the stand-in for the last chainlet."""

    parser_type = httptools.HttpRequestParser

    def __init__(self, faults: _Faults) -> None:
        super().__init__()
        self._faults = faults

    def received(self, body: Buffer) -> None:
        if self._faults.next_fails():
            self.send(_NOT_STARTED + b"content-length: %d\r\n\r\n" % len(_FAULT), (_FAULT,))
        else:
            self.send(_FINE + b"content-length: 1\r\n\r\n", (b"2",))

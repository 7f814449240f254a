"""`python -m tests.bench.stages [--quick]`: calls through stages and batches, measured; docs/benchmarks-stages.md.

Exits with 1 when a bound is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

from tests.bench.floor.client import post_head
from tests.bench.host import load_average, this_host
from tests.bench.peers.chain_services import ChainRun, Package
from tests.bench.peers.peer import ROOT
from tests.bench.stage import Stage
from tests.bench.staged_models import PREDICT, READY, staged_models
from tests.bench.stages_report import BATCHED, FETCHED, QUEUED, Measured, Modelled, Queue, report
from tests.bench.venvs import cache_directory

_ROW = ("Fetching", "Ordered", "Batching")
_GAP_SEC = 0.005
_HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


class OwnPython(Package):
    """Services run in the environment of this checkout, which has all that they need."""

    __slots__ = ()

    def python(self, rendered: Path) -> Path:
        """Return the interpreter that runs this."""
        return Path(sys.executable)


class Client:
    """One connection that stays."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, value: Any, path: str = "/run_remote") -> Any:
        """Make a call; return the result. Raises ValueError for another answer than a result."""
        body = json.dumps(value).encode()
        return await self._exchange(post_head(path, len(body), "application/json") + body)

    async def health(self, path: str = "/healthz") -> Any:
        return await self._exchange(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())

    def close(self) -> None:
        self._writer.close()

    async def _exchange(self, request: bytes) -> Any:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if b" 200 " not in head.splitlines()[0]:
            raise ValueError(body.decode())
        return json.loads(body)


async def at_once(
    port: int, calls: Sequence[Any], path: str = "/run_remote", health: str = "/healthz"
) -> tuple[float, list[Any]]:
    """Make calls at once, each on a connection that is there already; return the seconds and the results."""
    clients = [await Client.connected(port) for _ in calls]
    try:
        await asyncio.gather(*(client.health(health) for client in clients))
        began = time.perf_counter()
        results = await asyncio.gather(*(c.post(call, path) for c, call in zip(clients, calls, strict=True)))
        return time.perf_counter() - began, list(results)
    finally:
        for client in clients:
            client.close()


async def queued(port: int, kind: str, directory: Path) -> Queue:
    """Fill the one place and its queue, while another process asks for health until all have run."""
    stop, begun = directory / f"{kind}-over", directory / f"{kind}-begun"
    calls = [{"busy": kind == "busy"}] * QUEUED
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        asking = pool.submit(health_ms, port, begun, stop)
        try:
            while not begun.exists():
                await asyncio.sleep(_GAP_SEC)
            _, order = await at_once(port, calls)
        finally:
            stop.touch()
        took = await asyncio.wrap_future(asking)
    return Queue(kind, kind == "asleep", tuple(took), tuple(sorted((came, ran) for came, ran in order)))


def health_ms(port: int, begun: Path, stop: Path) -> list[float]:
    """Ask for health on one connection until a file is there; return how long each answer took."""
    took = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not stop.exists():
            began = time.perf_counter()
            connection.sendall(_HEALTH)
            answer = connection.recv(65536)
            took.append((time.perf_counter() - began) * 1000)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise ValueError(answer.decode())
            begun.touch()
            Event().wait(_GAP_SEC)
    return took


async def modelled(stage: Stage, times: int) -> tuple[Modelled, ...]:
    """Measure one Truss directory under both servers, in turns."""
    ports = staged_models(stage, cache_directory(os.environ))
    took: dict[str, list[float]] = {name: [] for name in ports}
    for turn in range(times + 1):
        for name, port in ports.items():
            seconds, results = await at_once(port, range(FETCHED), PREDICT, READY)
            if results != list(range(FETCHED)):
                raise ValueError(f"calls got the results of others: {results}")
            if turn:  # the first ones warm up
                took[name].append(seconds)
    return tuple(Modelled(name, tuple(seconds)) for name, seconds in took.items())


async def measured(run: ChainRun, times: int) -> Measured:
    """Start what is measured, warm it up with a call of each kind, and measure."""
    places = run.start("staged", _ROW)
    fetching, ordered, batching = (int(places[name].address.removeprefix("tcp:")) for name in _ROW)
    numbers = [{"number": number} for number in range(max(FETCHED, BATCHED))]
    await at_once(fetching, numbers[:FETCHED])
    await at_once(batching, numbers[:BATCHED])
    fetched = [await at_once(fetching, numbers[:FETCHED]) for _ in range(times)]
    batched = [await at_once(batching, numbers[:BATCHED]) for _ in range(times)]
    for _, results in (*fetched, *batched):
        if results != list(range(len(results))):
            raise ValueError(f"calls got the results of others: {results}")
    queues = [await queued(ordered, "asleep", run.stage.directory)]
    places["Ordered"].service.process.terminate()
    again = ChainRun(run.package, Stage(run.stage.directory / "again"), {})
    again.stage.directory.mkdir()
    try:
        port = int(again.start("staged", ("Ordered",))["Ordered"].address.removeprefix("tcp:"))
        queues.append(await queued(port, "busy", again.stage.directory))
    finally:
        again.stage.end()
    run.stage.end()
    models = await modelled(run.stage, times)
    return Measured(tuple(s for s, _ in fetched), tuple(queues), tuple(s for s, _ in batched), models)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure once, and print only")
    given = parser.parse_args(arguments)
    started, load = time.time(), load_average()
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as directory:
        stage = Stage(Path(directory))
        try:
            found = asyncio.run(measured(ChainRun(OwnPython(), stage, {}), 1 if given.quick else 5))
        finally:
            stage.end()
    text = report(found, this_host(), started, time.time() - started, load, os.nice(0))
    if not given.quick:
        (ROOT / "docs" / "benchmarks-stages.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(0 if found.passes else 1)


if __name__ == "__main__":
    main(sys.argv[1:])

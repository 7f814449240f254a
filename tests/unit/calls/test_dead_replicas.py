"""Replicas in processes of their own, killed and stopped under load; after a second none of the calls goes there."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chainctl.calls.address import Address
from chainctl.calls.answer import NotSentError
from chainctl.calls.fleet import Fleet
from chainctl.calls.http_client import request_head
from chainctl.calls.replica_watch import LOOK_SEC

HEAD = request_head(Address("replicas", 8000), "POST", "/-/run_remote", {})
PROGRAM = "tests.bench.unequal_replica"
CALL_SEC = 10.0


@pytest.fixture
def replicas() -> Iterator[dict[Address, subprocess.Popen[bytes]]]:
    """Three processes that take calls."""
    running = {}
    try:
        for _ in range(3):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            command = [sys.executable, "-m", PROGRAM, "127.0.0.1", str(port), "0.001"]
            running[Address("127.0.0.1", port)] = subprocess.Popen(command)
        for address in running:
            until = time.monotonic() + 20
            while not listens(address):
                assert time.monotonic() < until
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait(20)


def listens(address: Address) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((address.host, address.port)) == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_replica_is_out_within_a_second(
    replicas: dict[Address, subprocess.Popen[bytes]], end: signal.Signals
) -> None:
    """Ended or hung: only calls that it had begun are lost with it, and after a second there are none."""

    async def work() -> None:
        loop, fleet = asyncio.get_running_loop(), Fleet(lambda: None)
        fleet.set(replicas, are_proven=True)
        began: dict[asyncio.Task[object], float] = {}
        killed, looked = 0.0, -1.0

        async def call() -> object:
            return await fleet.request(HEAD, (b"1",), loop.time() + CALL_SEC)

        while not killed or loop.time() < killed + 2.5:
            now = loop.time()
            if now - looked > LOOK_SEC * 1.1:
                looked = now
                fleet.probe(loop)
            if not killed and len(began) == 50:
                killed = now
                os.kill(next(iter(replicas.values())).pid, end)
            began[asyncio.ensure_future(call())] = now
            await asyncio.sleep(0.01)
        await asyncio.wait(began, timeout=1)
        lost = [at - killed for task, at in began.items() if not task.done() or task.exception() is not None]
        never_begun = [task for task in began if task.done() and isinstance(task.exception(), NotSentError)]
        for task in began:
            task.cancel()
        await asyncio.wait(began)
        fleet.close()
        assert never_begun == []
        assert max(lost, default=0.0) <= 1.0
        assert len(lost) < 60
        assert len(began) > 150

    asyncio.run(work())

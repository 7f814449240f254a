"""A service says how many calls run, wait, and are held for services that sleep."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import chainctl as chains
from chainctl.calls.call_context import CallContext
from chainctl.sdk.declaration import declaration_of
from chainctl.server.service import ChainletService
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Call, Load

TOKEN = {b"x-chainctl-token": b"t"}
IDLE = {"under_way": 0, "waiting": 0, "awaited": {}}


class Busy(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(predict_concurrency=2))

    go_on: asyncio.Event

    async def run_remote(self) -> int:
        await self.go_on.wait()
        return 1


async def told(service: ChainletService) -> Any:
    reply = await service.answer("/-/load", TOKEN)
    assert reply.status == 200
    return json.loads(b"".join(reply.parts or ()))


def test_calls_that_run_and_those_that_wait_are_told_apart() -> None:
    """Five calls of a chainlet that runs two at once; none is left afterwards."""

    async def work() -> None:
        chainlet = Busy()
        chainlet.go_on = asyncio.Event()
        service = ChainletService("Busy", "t")
        service.worker = InProcessWorker(declaration_of(Busy), chainlet)
        assert await told(service) == IDLE
        calls = [asyncio.ensure_future(service.worker.call(Call(b"{}", context=CallContext())))]
        calls += [asyncio.ensure_future(service.answer("/-/run_remote", TOKEN, b"{}")) for _ in range(4)]
        while (await told(service))["waiting"] < 3:
            await asyncio.sleep(0)
        assert await told(service) == {"under_way": 2, "waiting": 3, "awaited": {}}
        chainlet.go_on.set()
        await asyncio.gather(*calls)
        assert await told(service) == IDLE

    asyncio.run(work())


def test_one_that_starts_says_for_whom_it_waits() -> None:
    """Its `__init__` may call a service that sleeps, which has to be woken."""

    async def work() -> None:
        service = ChainletService("Busy", "t")
        with service.awaited.held("shop-embed-1"), service.awaited.held("shop-embed-1"):
            assert (await told(service))["awaited"] == {"shop-embed-1": 2}
        assert await told(service) == IDLE

    asyncio.run(work())


def test_only_the_chain_may_ask() -> None:
    """Neither strangers, nor callers at the front door, nor by another method."""
    service = ChainletService("Busy", "t")
    assert service.refusal("GET", "/-/load", TOKEN) is None
    for method, path, headers, status in (
        ("GET", "/-/load", {}, 401),
        ("GET", "/-/load", {**TOKEN, b"x-chainctl-door": b"1"}, 404),
        ("GET", "/load", TOKEN, 404),
        ("POST", "/-/load", TOKEN, 405),
    ):
        refusal = service.refusal(method, path, headers)
        assert refusal is not None
        assert refusal.status == status


def test_what_waits_is_never_more_than_what_is_here() -> None:
    """A count that is taken between two others does not go below nothing."""
    assert Load.of(1, 2) == Load(0, 2)
    assert Load.of(5, 2) == Load(3, 2)

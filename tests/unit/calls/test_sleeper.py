"""Calls of a service that may have no replica: held until there is one, counted, given up at their deadline."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import chainctl as chains
from chainctl.calls.answer import Answer
from chainctl.calls.awaited import Awaited
from chainctl.calls.buffers import Buffers
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault
from chainctl.calls.transport import Transport
from chainctl.server.service import ChainletService
from chainctl.wire.fault import error_body
from chainctl.worker.boot import ChainletManifest, StubResolver
from tests.unit.worker.loopback import answer, loopback, run

STARTING = answer(error_body("not_ready", "starting"), 503, "x-chainctl-not-started: 1")
MESSAGE = Message((b"{}",))


def transport_to(path: Path, awaited: Awaited | None, **options: Any) -> Transport:
    service = chains.DeployedServiceDescriptor(
        name="Dep", display_name="Dep", internal_url=f"unix:{path}", options=chains.RPCOptions(**options)
    )
    return Transport(service, {}, ClientLoop(), sleeper=awaited)


def close(transport: Transport) -> None:
    for client in transport._clients.values():
        client.http.close()


def body_of(answer: Answer) -> bytes:
    return bytes(answer.body)


async def until_held(awaited: Awaited, count: int) -> None:
    while sum(awaited.counts().values()) < count:
        await asyncio.sleep(0)


def test_calls_are_held_until_a_replica_takes_them(tmp_path: Path) -> None:
    """All that came, though retries are off; while they are held they are counted by the name of the service."""

    async def work() -> None:
        awaited, path = Awaited(), tmp_path / "dep-12345678"
        transport = transport_to(path, awaited, retries=1, timeout_sec=15)
        calls = [asyncio.ensure_future(transport.call(MESSAGE, body_of)) for _ in range(5)]
        await until_held(awaited, 5)
        assert awaited.counts() == {"dep-12345678": 5}
        async with loopback(answer(b"3"), path=path) as woken:
            assert await asyncio.gather(*calls) == [b"3"] * 5
            close(transport)
        assert sum("POST" in request.line for request in woken.requests) == 5
        assert awaited.counts() == {}

    run(work())


def test_one_that_still_starts_is_waited_for(tmp_path: Path) -> None:
    """It listens before it takes calls."""

    async def work() -> None:
        awaited, path = Awaited(), tmp_path / "dep"
        transport = transport_to(path, awaited, retries=1, timeout_sec=15)
        async with loopback(*[STARTING] * 4, answer(b"3"), path=path) as starting:
            assert await transport.call(MESSAGE, body_of) == b"3"
            close(transport)
            probes = sum(request.line.startswith("GET /openz") for request in starting.requests)
        assert probes >= 1

    run(work())


def test_a_deadline_holds_while_a_service_sleeps(tmp_path: Path) -> None:
    """The error says that it sleeps, and with what it is woken."""

    async def work() -> None:
        awaited = Awaited()
        transport = transport_to(tmp_path / "dep", awaited, timeout_sec=0.3)
        with pytest.raises(
            TimeoutError, match=r"`Dep` sleeps, and did not wake within 0\.3.* s: `chainctl auto"
        ):
            await transport.call(MESSAGE, body_of)
        assert awaited.counts() == {}
        close(transport)

    run(work())


def test_a_call_that_is_given_up_is_held_no_longer(tmp_path: Path) -> None:
    """Else a service would be woken for nobody."""

    async def work() -> None:
        awaited = Awaited()
        transport = transport_to(tmp_path / "dep", awaited, timeout_sec=15)
        call = asyncio.ensure_future(transport.call(MESSAGE, body_of))
        await until_held(awaited, 1)
        call.cancel()
        await asyncio.wait([call])
        assert awaited.counts() == {}
        close(transport)

    run(work())


def test_a_stream_of_items_waits_before_it_is_begun(tmp_path: Path) -> None:
    """What was sent once is gone, so it is sent when somebody is there."""

    async def items() -> Any:
        yield (b"one",)
        yield (b"two",)

    async def work() -> None:
        awaited, path = Awaited(), tmp_path / "dep"
        transport = transport_to(path, awaited, timeout_sec=15)

        async def sent() -> bytes:
            async with transport.stream(MESSAGE, items()) as incoming:
                return b"".join([chunk async for chunk in incoming.chunks])

        call = asyncio.ensure_future(sent())
        await until_held(awaited, 1)
        async with loopback(answer(b"3"), path=path) as woken:
            assert await call == b"3"
            close(transport)
            assert next(r.body for r in woken.requests if "POST" in r.line).endswith(b"onetwo")

    run(work())


def test_one_that_may_not_sleep_fails_as_ever(tmp_path: Path) -> None:
    """At once, as there is nothing to wait for."""

    async def work() -> None:
        transport = transport_to(tmp_path / "dep", None, retries=1, timeout_sec=15)
        with pytest.raises(RemoteFault, match="cannot be reached"):
            await transport.call(MESSAGE, body_of)
        close(transport)

    run(work())


def test_one_that_is_there_and_refuses_is_not_waited_for(tmp_path: Path) -> None:
    """It is asked once more, then its answer is the call's."""

    async def work() -> None:
        awaited, path = Awaited(), tmp_path / "dep"
        transport = transport_to(path, awaited, retries=1, timeout_sec=15)
        full = answer(error_body("overloaded", "too many"), 503, "x-chainctl-not-started: 1")
        async with loopback(full, answer(b"{}"), full, answer(b"{}"), path=path):
            with pytest.raises(RemoteFault, match="too many"):
                await transport.call(MESSAGE, body_of)
            close(transport)

    run(work())


class Leaf(chains.ChainletBase):
    async def run_remote(self) -> int:
        return 1


class Root(chains.ChainletBase):
    def __init__(self, leaf: Leaf = chains.depends(Leaf)) -> None:
        self._leaf = leaf

    async def run_remote(self) -> int:
        return await self._leaf.run_remote()


def test_a_service_that_was_told_who_may_sleep_holds_calls(tmp_path: Path) -> None:
    """The variables of a deployment lead there, and the counts to where the service tells of them."""

    async def work() -> None:
        told = {
            "CHAINCTL_SERVICES": json.dumps({"Leaf": f"unix:{tmp_path / 'shop-leaf-1'}"}),
            "CHAINCTL_SLEEPERS": '["Leaf"]',
        }
        service = ChainletService("Root")
        resolver = StubResolver(ChainletManifest.of(told, None), Buffers(), awaited=service.awaited)
        resolver.is_booting = False
        leaf: Any = resolver.arguments(Root, {})["leaf"]
        call = asyncio.ensure_future(leaf.run_remote())
        await until_held(service.awaited, 1)
        reply = await service.answer("/-/load", {})
        assert json.loads(b"".join(reply.parts or ()))["awaited"] == {"shop-leaf-1": 1}
        async with loopback(answer(b"3"), path=tmp_path / "shop-leaf-1"):
            assert await call == 3

    run(work())

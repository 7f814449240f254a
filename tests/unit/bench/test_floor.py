"""The floor's client and server over real sockets, and the bodies that the load sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.bench.bodies import FAN_SUM, FORMS, body_of
from tests.bench.floor.client import Address, Answer, PooledClient, post_head
from tests.bench.floor.server import FloorConnection, Segments

MIB = 1 << 20


def with_floor(work: Callable[[PooledClient], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run work against an entrypoint that calls an inner service, both in this process."""

    async def run() -> Answer:
        loop = asyncio.get_running_loop()
        segments = Segments()
        inner = await loop.create_server(lambda: FloorConnection(None, segments), "127.0.0.1", 0)
        caller = PooledClient(Address(port=inner.sockets[0].getsockname()[1]))
        entry = await loop.create_server(lambda: FloorConnection(caller, segments), "127.0.0.1", 0)
        client = PooledClient(Address(port=entry.sockets[0].getsockname()[1]))
        try:
            return await work(client)
        finally:
            segments.remove_own("floor-")
            for end in (client, caller, inner, entry):
                end.close()

    return asyncio.run(run())


@pytest.mark.parametrize(("path", "expected"), [("/hop", 2), ("/fan", FAN_SUM)])
def test_numbers_go_there_and_back(path: str, expected: int) -> None:
    """One call and sixteen at once."""
    body = body_of("number", expected)
    answer = with_floor(lambda c: c.post(post_head(path, body.length, "application/json"), body.parts))
    assert answer.status == 200
    assert body.is_right(answer.body)


@pytest.mark.parametrize(
    ("path", "size"), [("/array", 64), ("/array", 100 * 1024), ("/array", MIB), ("/shared", MIB)]
)
def test_arrays_go_there_and_back(path: str, size: int) -> None:
    """Small ones through the parser, large ones received in place or into a segment."""
    body = body_of("raw", size)
    answer = with_floor(lambda c: c.post(post_head(path, size, "application/octet-stream"), body.parts))
    assert body.is_right(answer.body)


def test_a_connection_is_used_again() -> None:
    """Two calls, one after the other, over the same connection: the second is not mixed with the first."""

    async def twice(client: PooledClient) -> Answer:
        large, small = body_of("raw", MIB), body_of("number", 2)
        await client.post(post_head("/array", MIB, "application/octet-stream"), large.parts)
        return await client.post(post_head("/hop", small.length, "application/json"), small.parts)

    assert body_of("number", 2).is_right(with_floor(twice).body)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"number"}))
def test_every_form_of_an_array_knows_its_own_and_refuses_another(form: str) -> None:
    """What is sent would be a right answer, what is changed would not."""
    body = body_of(form, 4096)
    sent = b"".join(bytes(part) for part in body.parts)
    assert body.is_right(sent)
    assert not body.is_right(sent[:300] + b"?" + sent[301:])

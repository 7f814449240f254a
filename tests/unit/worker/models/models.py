"""A model object in; its worker, calls of it, and what they answer, out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from chainctl.wire.media import JSON
from chainctl.worker.models.model_worker import ModelWorker
from chainctl.worker.worker import Call, Heading, Reply

PREDICT = "/v1/models/model:predict"


def worker_of(model: Any, concurrency: int = 1) -> ModelWorker:
    """A worker, as a service has it."""
    return ModelWorker("greeter", model, concurrency)


def call(value: Any = None, *, accept: str = "", path: str = PREDICT, **headers: str) -> Call:
    """A call from outside, with JSON as its body."""
    return raw(json.dumps(value).encode(), accept=accept, path=path, **headers)


def raw(body: bytes, media: str = JSON, *, accept: str = "", path: str = PREDICT, **headers: str) -> Call:
    """A call from outside, with any body."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    heading = Heading("POST", path, "", {b"content-type": media.encode(), **given})
    return Call(body, media, accept, heading=heading)


def inner(body: bytes, media: str = JSON, accept: str = JSON) -> Call:
    """A call from another chainlet of the chain."""
    return Call(body, media, accept, is_inner=True, heading=Heading("POST", "/-/run_remote"))


def bytes_of(reply: Reply) -> bytes:
    """The body of an answer that is there as a whole."""
    assert reply.parts is not None
    return b"".join(reply.parts)


def value_of(reply: Reply) -> Any:
    """The value of a good answer in JSON."""
    assert (reply.status, reply.content_type) == (200, JSON), bytes_of(reply)
    return json.loads(bytes_of(reply))


def error_of(reply: Reply) -> tuple[int, str, str]:
    """Status, kind and message of an error answer."""
    error = json.loads(bytes_of(reply))["error"]
    return reply.status, error["kind"], error["message"]


async def chunks_of(reply: Reply) -> list[bytes]:
    """The chunks of an answer that comes as it is made."""
    assert reply.parts is None
    stream: Any = reply.body
    return [chunk async for chunk in stream]


async def until(is_so: Callable[[], bool]) -> None:
    """Let the event loop turn until something is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0)

"""What a model yields in; the answer out: chunks as they come, or all of it together for who wants that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from chainctl.calls.time_limit import TimeLimit
from chainctl.wire.media import EVENTS, JSON, OCTETS
from chainctl.worker.models.body import json_bytes, value_reply
from chainctl.worker.stream_reply import StreamForm
from chainctl.worker.worker import Call, Reply

_STREAMS_JSON = b"openai"  # its client asks for JSON whatever it wants


async def items_reply(
    items: AsyncGenerator[Any, None], call: Call, of: str, name: str, silence_sec: float
) -> Reply:
    """Answer with what is yielded. Raises what is raised before the first item; later it breaks the answer off.

    A stream that is silent for longer than `silence_sec` has failed: that is a TimeoutError.
    """
    if call.is_inner:
        return value_reply(_together(await _all(items)), call, of)
    if _is_gathered(call):
        chunks = [chunk_of(item, of) for item in await _all(items)]
        return Reply(200, json_bytes(b"".join(chunks).decode(errors="replace"), of))
    paced = _paced(items, silence_sec)
    media, method = EVENTS if EVENTS in call.accept else OCTETS, of.rpartition(".")[2]
    form = StreamForm(media, lambda item: chunk_of(item, of), chainlet=name, method=method)
    try:
        first = [form.item(await anext(paced))]
    except StopAsyncIteration:
        first = []
    except BaseException:
        await paced.aclose()
        raise
    return Reply(200, form.body(first, paced, call.span), form.content_type)


def chunk_of(item: Any, of: str) -> bytes:
    """Write one item: text and bytes as they are, everything else as a line of JSON. Raises OutputMismatch."""
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    return json_bytes(item, of) + b"\n"


def _is_gathered(call: Call) -> bool:
    """Say whether the caller takes JSON only, as Truss understands it."""
    if call.accept.strip().lower() != JSON:
        return False
    headers = {} if call.heading is None else call.heading.headers
    return _STREAMS_JSON not in headers.get(b"user-agent", b"").lower()


async def _paced(items: AsyncGenerator[Any, None], silence_sec: float) -> AsyncGenerator[Any, None]:
    """Yield items as they come, each in time. Raises TimeoutError."""
    async with aclosing(items):
        while True:
            limit = TimeLimit(silence_sec)
            try:
                with limit:
                    item = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                if not limit.has_expired:
                    raise
                raise TimeoutError(f"nothing was yielded for {silence_sec:g} s") from error
            yield item


async def _all(items: AsyncGenerator[Any, None]) -> list[Any]:
    async with aclosing(items) as all_items:
        return [item async for item in all_items]


def _together(items: list[Any]) -> Any:
    """Text, or bytes, as one; else all items."""
    if items and all(isinstance(item, str) for item in items):
        return "".join(items)
    if items and all(isinstance(item, bytes) for item in items):
        return b"".join(items)
    return items

"""A response of starlette or fastapi that a model returned in; the same answer as ours out.

Nothing of starlette is imported here: where a model returns its responses, they are there.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, MutableMapping
from contextlib import aclosing
from typing import Any, Optional

from pydantic_core import to_json

from chainctl.errors import ChainsRuntimeError
from chainctl.telemetry.span import Span
from chainctl.wire.media import JSON, OCTETS
from chainctl.worker.failure import log_text
from chainctl.worker.worker import Call, Reply

_LOG = logging.getLogger("chainctl.worker")
Message = MutableMapping[str, Any]
_LOWEST_ERROR = 400
_OWN = ("content-length", "transfer-encoding", "connection")
_LEFT_TO_THEMSELVES: set[asyncio.Task[None]] = set()
"""What responses do after their body; the event loop alone would forget it."""


def is_response(value: object) -> bool:
    """Say whether a value is an answer by itself."""
    starlette = sys.modules.get("starlette.responses")
    return starlette is not None and isinstance(value, starlette.Response)


def is_whole(response: Any) -> bool:
    """Say whether a response has its body already, and does nothing after it."""
    plain = sys.modules["starlette.responses"].Response
    return type(response).__call__ is plain.__call__ and response.background is None


def whole_reply(response: Any) -> Reply:
    """Answer with a response that has its body."""
    content_type, headers, lines = _headers(response.raw_headers)
    return Reply(response.status_code, bytes(response.body), content_type, headers, lines=lines)


async def streamed_reply(response: Any, call: Call, leave: Callable[[], None]) -> Reply:
    """Begin a response, and answer with what it sends; `leave` is called when its body ended."""
    parts = _parts(_Sending(response, call), leave, call.span)
    start = await anext(parts)
    content_type, headers, lines = _headers(start["headers"])
    return Reply(start["status"], parts, content_type, headers, lines=lines)


async def gathered_reply(response: Any, call: Call, leave: Callable[[], None], of: str) -> Reply:
    """Answer another chainlet with all that a response sends: JSON as it is, text as one text.

    Raises ChainsRuntimeError for anything else: who wants that calls by hand. `of` names the method.
    """
    reply = await streamed_reply(response, call, leave)
    stream: Any = reply.body
    async with aclosing(stream) as chunks:
        body = b"".join([chunk async for chunk in chunks])
    media = reply.content_type.partition(";")[0].strip().lower()
    if media == JSON or reply.status >= _LOWEST_ERROR:
        return Reply(reply.status, body, JSON)
    if media.startswith("text/"):
        return Reply(reply.status, to_json(body.decode(errors="replace")))
    raise ChainsRuntimeError(
        f"`{of}` answered with {media}, which `run_remote` of a handle cannot return",
        hint="call it by hand: `http_call_args()` of the handle says where and how.",
    )


async def _parts(
    sending: _Sending, leave: Callable[[], None], span: Optional[Span]
) -> AsyncGenerator[Any, None]:
    """Yield the message that a response begins with, then its body."""
    try:
        yield await sending.next()
        has_more = True
        while has_more:
            message = await sending.next()
            has_more = message.get("more_body", False)
            if message.get("body"):
                if span is not None:
                    span.items += 1
                yield bytes(message["body"])
        sending.let_go()
    finally:
        try:
            await sending.end()
        finally:
            leave()


class _Sending:
    """Runs a response as the application that it is. It is at most one message ahead of who reads them."""

    def __init__(self, response: Any, call: Call) -> None:
        self._messages: asyncio.Queue[Optional[Message]] = asyncio.Queue()
        self._room = asyncio.Semaphore(1)
        self._is_let_go = False
        self._task = asyncio.get_running_loop().create_task(response(_scope(call), _never, self._send))
        self._task.add_done_callback(lambda _: self._messages.put_nowait(None))

    async def next(self) -> Message:
        """Return the next message. Raises what the response raises, EOFError where it ends early."""
        message = await self._messages.get()
        if message is None:
            await self._task
            raise EOFError("the response ended before its body did")
        self._room.release()
        return message

    def let_go(self) -> None:
        """Let it do what it does after its body."""
        self._is_let_go = True
        if not self._task.done():
            _LEFT_TO_THEMSELVES.add(self._task)
            self._task.add_done_callback(_forget)

    async def end(self) -> None:
        """Stop it where it is, unless it was let go."""
        if self._is_let_go:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()

    async def _send(self, message: Message) -> None:
        if not self._is_let_go:
            await self._room.acquire()
            self._messages.put_nowait(message)


def _scope(call: Call) -> dict[str, Any]:
    method = "POST" if call.heading is None else call.heading.method
    asgi = {"version": "3.0", "spec_version": "2.4"}
    return {
        **{"type": "http", "asgi": asgi, "http_version": "1.1"},
        **{"method": method, "path": "/", "query_string": b"", "headers": []},
    }


def _forget(task: asyncio.Task[None]) -> None:
    _LEFT_TO_THEMSELVES.discard(task)
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _LOG.error("what a response does after its body raised %s", log_text(error))


async def _never() -> Message:
    """Tell of no disconnect: a response whose client is gone is cancelled."""
    message: Message = await asyncio.get_running_loop().create_future()
    return message


Lines = list[tuple[str, str]]


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> tuple[str, dict[str, str], Optional[Lines]]:
    """The content type, and the other headers by name; all of them as lines where one is there twice."""
    lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]
    lines = [(name, value) for name, value in lines if name not in _OWN]
    headers = dict(lines)
    content_type = headers.pop("content-type", OCTETS)
    is_repeated = len({name for name, _ in lines}) < len(lines)
    return content_type, headers, lines if is_repeated else None

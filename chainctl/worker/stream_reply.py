"""The items of a stream and what the caller takes in; the bytes of the answer, as they come, out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.telemetry.span import Span
from chainctl.wire.item import ItemCodec
from chainctl.wire.media import EVENTS, STREAM
from chainctl.wire.stream_frame import Kind, whole_frame
from chainctl.worker.error_reply import PASSING, error_fault


@dataclass(frozen=True)
class StreamForm:
    """How items are written: `end` goes last, `failure` makes the last words of an error's JSON body.

    Without a `failure` an error breaks the connection off, so that nobody takes the answer for whole.
    """

    content_type: str
    item: Callable[[Any], bytes]
    end: bytes = b""
    failure: Optional[Callable[[bytes], bytes]] = None
    chainlet: str = ""
    method: str = "run_remote"

    async def body(
        self, first: Sequence[bytes], rest: AsyncGenerator[Any, None], span: Optional[Span] = None
    ) -> AsyncIterator[bytes]:
        """Yield the answer's bytes; `first` are written already. Closing it closes the items.

        Items are counted in the span of the call.
        """
        async with aclosing(rest):
            try:
                for chunk in first:
                    _count(span)
                    yield chunk
                async for item in rest:
                    written = self.item(item)
                    _count(span)
                    yield written
            except PASSING:
                raise
            except BaseException as error:  # the boundary to user code
                last_words = self._last_words(error)
                if last_words is None:
                    raise
                yield last_words
                return
            if self.end:
                yield self.end

    def _last_words(self, error: BaseException) -> Optional[bytes]:
        body = error_fault(error, self.chainlet, self.method).body
        return None if self.failure is None else self.failure(body)


def stream_form(codec: ItemCodec, accept: str) -> StreamForm:
    """Choose frames for our own services, events when they are asked for, else plain items."""
    if STREAM in accept:
        return StreamForm(STREAM, codec.frame, whole_frame(Kind.END), _error_frame)
    if EVENTS in accept:
        return StreamForm(EVENTS, codec.event, b"event: end\ndata:\n\n", _error_event)
    return StreamForm(codec.plain_type, codec.plain)


def _count(span: Optional[Span]) -> None:
    if span is not None:
        span.items += 1


def _error_frame(body: bytes) -> bytes:
    return whole_frame(Kind.ERROR, body)


def _error_event(body: bytes) -> bytes:
    return b"event: error\ndata: %b\n\n" % body

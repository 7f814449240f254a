"""The frames of a request that is a stream in; its arguments, one of which yields the items that follow, out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from chainctl.wire.frame import Buffer
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import FRAME, JSON
from chainctl.wire.stream_frame import FrameReader, Kind, StreamGarbage
from chainctl.worker.call import EndpointCall

_ARGUMENTS = {Kind.ARGUMENTS: JSON, Kind.FRAMED_ARGUMENTS: FRAME}


class ArgumentsStream:
    """Reads the first frame as arguments and the others as items, when they are asked for."""

    def __init__(
        self, call: EndpointCall, chunks: AsyncIterator[Buffer], find: Callable[[str, int], memoryview]
    ) -> None:
        self._call = call
        self._frames = _frames(chunks)
        self._find = find

    async def arguments(self) -> dict[str, Any]:
        """Return the arguments; the items come as their argument is iterated. Raises InvalidValue."""
        name = self._call.declaration.endpoint.item_parameter
        first = await anext(self._frames, None)
        if first is None or first[0] not in _ARGUMENTS:
            raise InvalidValue.malformed("the stream does not begin with the arguments")
        arguments = self._call.decode(_ARGUMENTS[first[0]], first[1], self._find)
        if name is None:
            raise InvalidValue.malformed("no argument of this endpoint is a stream")
        return {**arguments, name: self._items()}

    async def _items(self) -> AsyncIterator[Any]:
        codec = self._call.input_codec
        assert codec is not None
        async for kind, payload in self._frames:
            if kind is Kind.END:
                return
            if kind is Kind.ERROR:
                raise ConnectionError("the caller's stream failed in the middle")
            yield codec.parse(kind, payload, self._find)
        raise ConnectionError("the caller's stream ended early")


async def _frames(chunks: AsyncIterator[Buffer]) -> AsyncIterator[tuple[Kind, Buffer]]:
    reader = FrameReader()
    try:
        async for chunk in chunks:
            for frame in reader.feed(chunk):
                yield frame
    except StreamGarbage as error:
        raise InvalidValue.malformed(str(error)) from None

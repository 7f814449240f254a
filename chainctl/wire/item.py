"""The type of a stream's items in; codecs for one item, between services and for strangers, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from chainctl.wire.frame import joined
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import NDJSON, OCTETS, TEXT
from chainctl.wire.signature import ResultCodec
from chainctl.wire.stream_frame import Kind, whole_frame

Find = Callable[[str, int], memoryview]


class ItemCodec:
    """Turns items into frames and back: text and bytes as they are, everything else as values."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation
        self._codec = ResultCodec(annotation)
        self._is_plain = annotation in (str, bytes)

    @property
    def plain_type(self) -> str:
        """The content type in which strangers get the items one after the other."""
        return {str: TEXT, bytes: OCTETS}.get(self._annotation, NDJSON)

    def frame(self, item: Any) -> bytes:
        """Return an item as a frame. Raises InvalidValue."""
        if self._is_plain:
            return whole_frame(Kind.TEXT if self._annotation is str else Kind.BYTES, self._raw(item))
        if self._codec.prefers_frames:
            return whole_frame(Kind.FRAMED, joined(self._codec.encode_frame(item)))
        return whole_frame(Kind.ITEM, self._codec.encode(item))

    def plain(self, item: Any) -> bytes:
        """Return an item as strangers get it: as it is, or as one line of JSON. Raises InvalidValue."""
        return self._raw(item) if self._is_plain else self._codec.encode(item) + b"\n"

    def event(self, item: Any) -> bytes:
        """Return an item as a server-sent event. Raises InvalidValue."""
        data = self._raw(item) if self._annotation is str else self._codec.encode(item)
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return b"".join(b"data: %b\n" % line for line in lines) + b"\n"

    def parse(self, kind: Kind, payload: bytes, find: Optional[Find] = None) -> Any:
        """Return the item of a frame. Raises InvalidValue."""
        if kind is Kind.TEXT and self._annotation is str:
            try:
                return payload.decode()
            except UnicodeDecodeError as error:
                raise InvalidValue.single(str(error)) from None
        if kind is Kind.BYTES and self._annotation is bytes:
            return payload
        if kind is Kind.ITEM:
            return self._codec.decode(payload)
        if kind is Kind.FRAMED:
            return self._codec.decode_frame(bytearray(payload), find)
        raise InvalidValue.single(f"a frame of kind {kind.name} is no item of this stream")

    def round_trip(self, item: Any) -> Any:
        """Send an item to itself. Raises InvalidValue."""
        frame = self.frame(item)
        return self.parse(Kind(frame[0]), frame[8:])

    def schema(self) -> dict[str, Any]:
        """JSON Schema of one item."""
        return self._codec.schema()

    def _raw(self, item: Any) -> bytes:
        wanted = self._annotation
        if not isinstance(item, wanted) and not (
            wanted is bytes and isinstance(item, (bytearray, memoryview))
        ):
            raise InvalidValue.single(f"yielded {type(item).__name__}, not {wanted.__name__}")
        return item.encode() if isinstance(item, str) else bytes(item)

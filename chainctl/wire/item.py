"""The type of a stream's items in; codecs for one item, between services and for strangers, out."""

from __future__ import annotations

from typing import Any, Optional, Union

from chainctl.wire.frame import Buffer, Find, joined
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import NDJSON, OCTETS, TEXT
from chainctl.wire.signature import ResultCodec
from chainctl.wire.stream_frame import Kind, frame_parts, whole_frame


class ItemCodec:
    """Turns items into frames and back: text and bytes as they are, everything else as values."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation
        self._codec = ResultCodec(annotation)
        self._is_plain = annotation in (str, bytes)

    @property
    def plain_type(self) -> str:
        """The content type in which strangers get the items one after the other."""
        return {str: TEXT, bytes: OCTETS}.get(self._annotation, NDJSON) if self._is_plain else NDJSON

    def frame(self, item: Any) -> bytes:
        """Return an item as a frame. Raises InvalidValue."""
        return joined(self.parts(item))

    def parts(self, item: Any) -> list[Buffer]:
        """Return an item as the parts of a frame; large buffers are not copied. Raises InvalidValue."""
        try:
            if self._is_plain:
                kind = Kind.TEXT if self._annotation is str else Kind.BYTES
                return frame_parts(kind, [self._raw(item)])
            if self._codec.prefers_frames:
                return frame_parts(Kind.FRAMED, self._codec.encode_frame(item))
            return [whole_frame(Kind.ITEM, self._codec.encode(item))]
        except InvalidValue:
            raise
        except ValueError as error:
            raise InvalidValue.single(str(error)) from None

    def plain(self, item: Any) -> bytes:
        """Return an item as strangers get it: as it is, or as one line of JSON. Raises InvalidValue."""
        return bytes(self._raw(item)) if self._is_plain else self._codec.encode(item) + b"\n"

    def event(self, item: Any) -> bytes:
        """Return an item as a server-sent event. Raises InvalidValue."""
        data = bytes(self._raw(item)) if self._annotation is str else self._codec.encode(item)
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return b"".join(b"data: %b\n" % line for line in lines) + b"\n"

    def parse(self, kind: Kind, payload: Buffer, find: Optional[Find] = None) -> Any:
        """Return the item of a frame. Raises InvalidValue."""
        if kind is Kind.TEXT and self._annotation is str:
            try:
                return str(payload, "utf-8")
            except UnicodeDecodeError as error:
                raise InvalidValue.malformed(str(error)) from None
        if kind is Kind.BYTES and self._annotation is bytes:
            return bytes(payload)
        if kind is Kind.ITEM:
            return self._codec.decode(payload)
        if kind is Kind.FRAMED:
            return self._codec.decode_frame(payload, find)
        raise InvalidValue.single(f"a frame of kind {kind.name} is no item of this stream")

    def round_trip(self, item: Any) -> Any:
        """Send an item to itself. Raises InvalidValue."""
        frame = memoryview(bytearray(self.frame(item)))
        return self.parse(Kind(frame[0]), frame[8:])

    def schema(self) -> dict[str, Any]:
        """JSON Schema of one item."""
        return self._codec.schema()

    def _raw(self, item: Any) -> Union[bytes, memoryview]:
        """The bytes of a text, or of anything that has bytes. Raises InvalidValue."""
        wanted = self._annotation
        if wanted is str and isinstance(item, str):
            try:
                return item.encode()
            except UnicodeEncodeError as error:
                raise InvalidValue.single(str(error)) from None
        if wanted is bytes and isinstance(item, (bytes, bytearray, memoryview)):
            view = memoryview(item)
            return view.cast("B") if view.c_contiguous else view.tobytes()
        raise InvalidValue.single(f"yielded {type(item).__name__}, not {wanted.__name__}")

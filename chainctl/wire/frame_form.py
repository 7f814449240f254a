"""A type in; its form in frames out: a JSON header in which bytes and arrays stand for raw buffers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Optional

import pydantic
from pydantic_core import SchemaSerializer, SchemaValidator, core_schema

from chainctl.wire.frame import Buffer, BufferSink, BufferSource, Find, Place, framed, unframed
from chainctl.wire.json_form import FRESH, SETTINGS, configured

BUFFERS = "chainctl_buffers"
"""Where a value's own code finds the buffers in its context, and how its schema says that it looks for them."""


class FrameForm:
    """Validates values of a type, and turns them into frames and back."""

    def __init__(self, annotation: Any) -> None:
        schema = configured(_buffered(pydantic.TypeAdapter(annotation).core_schema))
        self._validator = SchemaValidator(schema, SETTINGS, **FRESH)
        self._serializer = SchemaSerializer(schema, SETTINGS, **FRESH)

    def dump(self, value: Any, place: Optional[Place] = None) -> list[Buffer]:
        """Validate and serialise. Raises pydantic.ValidationError, ValueError, TypeError."""
        sink = BufferSink()
        valid = self._validator.validate_python(value)
        header = self._serializer.to_json(valid, context={BUFFERS: sink}, warnings="error")
        return framed(header, sink.buffers, place)

    def parse(self, message: Buffer, find: Optional[Find] = None) -> Any:
        """Parse and validate. Raises InvalidValue, pydantic.ValidationError."""
        header, buffers = unframed(message, find)
        return self._validator.validate_json(bytes(header), context={BUFFERS: BufferSource(buffers)})


def holds_buffers(annotation: Any) -> bool:
    """Say whether values of a type may hold bytes or arrays."""
    return _any_node(pydantic.TypeAdapter(annotation).core_schema, _is_buffer)


def _is_buffer(node: dict[str, Any]) -> bool:
    metadata = node.get("metadata")
    return node.get("type") == "bytes" or (isinstance(metadata, dict) and BUFFERS in metadata)


def _any_node(node: Any, test: Callable[[dict[str, Any]], bool]) -> bool:
    if isinstance(node, (list, tuple)):
        return any(_any_node(item, test) for item in node)
    if not isinstance(node, dict):
        return False
    return test(node) or any(_any_node(value, test) for key, value in node.items() if key != "metadata")


def _buffered(node: Any) -> Any:
    """Copy a core schema in which bytes are buffers, but for the keys of dictionaries."""
    if isinstance(node, (list, tuple)):
        return type(node)(map(_buffered, node)) if type(node) in (list, tuple) else node
    if not isinstance(node, dict):
        return node
    if node.get("type") == "bytes" and "serialization" not in node:
        return _buffer_schema(node)
    kept = ("config", "default", "metadata", "keys_schema")
    return {key: value if key in kept else _buffered(value) for key, value in node.items()}


def _buffer_schema(node: dict[str, Any]) -> core_schema.CoreSchema:
    """A schema of bytes that takes them from a frame; the name of a definition stays with it."""
    inner: Any = {key: value for key, value in node.items() if key != "ref"}
    return core_schema.with_info_before_validator_function(
        _bytes_of,
        inner,
        ref=node.get("ref"),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _stand_in, info_arg=True, when_used="json"
        ),
    )


def _bytes_of(value: Any, info: core_schema.ValidationInfo) -> Any:
    if info.mode != "json":
        return value
    if isinstance(value, dict) and "$buffer" in value and isinstance(info.context, dict):
        return bytes(info.context[BUFFERS].get(value["$buffer"]))
    if isinstance(value, str):
        return _base64(value)
    return value


def _base64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None


def _stand_in(value: bytes, info: core_schema.SerializationInfo) -> dict[str, int]:
    context: Any = info.context
    return {"$buffer": context[BUFFERS].add(value)}

"""A type's core schema in; its form in frames out: a JSON header in which bytes and arrays stand for buffers.

Bytes are `{"$buffer": index}` there, or `{"$bytes": base64}` where a buffer would not be worth it.
Everything else is as in JSON, so that strict models take what they take from JSON.
"""

from __future__ import annotations

import base64
import sys
from typing import Any, Optional

from pydantic_core import (
    PydanticSerializationUnexpectedValue,
    SchemaSerializer,
    SchemaValidator,
    core_schema,
    from_json,
)

from chainctl.wire.frame import Buffer, BufferSink, BufferSource, Find, Place, framed, unframed
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.json_form import FRESH, SETTINGS
from chainctl.wire.schema_nodes import Node, any_node, rebuilt

BUFFERS = "chainctl_buffers"
"""Where a value's own code finds the buffers in its context, and how its schema says that it looks for them."""
SMALL_BYTES = 1024
# Keys of dictionaries are texts in JSON, so bytes stay base64 there.
_KEYS = frozenset(["keys_schema"])
_LIMITS = frozenset(["strict", "min_length", "max_length"])
_UNIONS = ("union", "tagged-union")


class FrameForm:
    """Validates values of a type, and turns them into frames and back."""

    def __init__(self, schema: core_schema.CoreSchema) -> None:
        with_buffers = rebuilt(schema, _with_buffers, _KEYS)
        self._validator = SchemaValidator(with_buffers, SETTINGS, **FRESH)
        self._serializer = SchemaSerializer(with_buffers, SETTINGS, **FRESH)

    def dump(self, value: Any, place: Optional[Place] = None) -> list[Buffer]:
        """Validate and serialise. Raises pydantic.ValidationError, ValueError, TypeError."""
        context = {BUFFERS: BufferSink()}
        valid = self._validator.validate_python(value, context=context)
        header = self._serializer.to_json(valid, context=context, warnings="error")
        return framed(header, context[BUFFERS].buffers, place)

    def parse(self, message: Buffer, find: Optional[Find] = None) -> Any:
        """Parse and validate. Raises InvalidValue, pydantic.ValidationError."""
        header, buffers = unframed(message, find)
        source = BufferSource(buffers)
        try:
            return self._validator.validate_json(bytes(header), context={BUFFERS: source})
        finally:
            if source.is_misled:
                raise InvalidValue.malformed(
                    "the message is no frame: its header names a buffer it does not have"
                )


def frame_value(message: Buffer, find: Optional[Find] = None) -> Any:
    """Return the value of a frame whose type nobody knows. Raises InvalidValue."""
    header, buffers = unframed(message, find)
    source = BufferSource(buffers)
    try:
        return _restored(from_json(bytes(header)), source)
    except (ValueError, TypeError, ImportError) as error:
        raise InvalidValue.malformed(f"the message is no frame: {error}") from None


def _restored(value: Any, source: BufferSource) -> Any:
    if isinstance(value, list):
        return [_restored(item, source) for item in value]
    if not isinstance(value, dict):
        return value
    found = _stood_for(value, source)
    return found if found is not value else {key: _restored(item, source) for key, item in value.items()}


def holds_buffers(schema: core_schema.CoreSchema) -> bool:
    """Say whether values of a type may hold bytes or arrays."""
    return any_node(schema, _is_buffer, _KEYS)


def _is_buffer(node: Node) -> bool:
    metadata = node.get("metadata")
    return _is_bytes(node) or (isinstance(metadata, dict) and BUFFERS in metadata)


def _may_be_buffer(node: Node) -> bool:
    return _is_buffer(node) or node["type"] == "definition-ref"


def _is_bytes(node: Node) -> bool:
    return node["type"] == "bytes" and "serialization" not in node


def _with_buffers(node: Node) -> Any:
    if _is_bytes(node):
        return _bytes_schema(node)
    is_mixed = node["type"] in _UNIONS and any_node(node, _may_be_buffer, _KEYS)
    return _union_schema(node) if is_mixed else node


def _bytes_schema(node: Node) -> core_schema.CoreSchema:
    """A schema of bytes that takes them from a frame; the name of a definition stays with it."""
    inner: Any = {key: value for key, value in node.items() if key not in ("ref", "metadata")}
    is_limited = not _LIMITS.isdisjoint(node)

    def validated(
        value: Any, handler: core_schema.ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo
    ) -> Any:
        if info.mode == "json":
            return handler(_resolved(value, info))
        is_view = isinstance(value, (bytearray, memoryview)) and memoryview(value).c_contiguous
        return value if is_view and not is_limited else handler(value)

    return core_schema.with_info_wrap_validator_function(
        validated,
        inner,
        ref=node.get("ref"),
        metadata={BUFFERS: True},
        serialization=core_schema.plain_serializer_function_ser_schema(
            _stand_in, info_arg=True, when_used="json"
        ),
    )


def _union_schema(node: Node) -> core_schema.CoreSchema:
    """A union that sees what a stand-in stands for, which else might pass for a dictionary of it."""
    inner: Any = {key: value for key, value in node.items() if key not in ("ref", "metadata")}
    return core_schema.with_info_before_validator_function(
        lambda value, info: _resolved(value, info) if info.mode == "json" else value,
        inner,
        ref=node.get("ref"),
        metadata=node.get("metadata"),
    )


def _stand_in(value: Any, info: core_schema.SerializationInfo) -> dict[str, Any]:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise PydanticSerializationUnexpectedValue(f"{type(value).__name__} is not bytes")
    if memoryview(value).nbytes < SMALL_BYTES:
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    context: Any = info.context
    return {"$buffer": context[BUFFERS].add(value)}


def _resolved(value: Any, info: core_schema.ValidationInfo) -> Any:
    """Return what a stand-in stands for; anything else as it is. Raises ValueError."""
    if not isinstance(value, dict) or not isinstance(info.context, dict):
        return value
    if (
        value.keys() == {"$buffer", "dtype", "shape", "order"}
        and "chainctl.pydantic_numpy" not in sys.modules
    ):
        return value  # no type that is read here has arrays
    return _stood_for(value, info.context[BUFFERS])


def _stood_for(value: dict[str, Any], source: BufferSource) -> Any:
    if value.keys() == {"$buffer"}:
        return source.get_bytes(value["$buffer"])
    if value.keys() == {"$bytes"} and isinstance(value["$bytes"], str):
        return base64.b64decode(value["$bytes"], validate=True)
    if value.keys() == {"$buffer", "dtype", "shape", "order"}:
        return _array(value, source)
    return value


def _array(form: dict[str, Any], source: BufferSource) -> Any:
    from chainctl.pydantic_numpy import array_over

    return array_over(source.get(form["$buffer"]), form["shape"], form["dtype"], form["order"])

"""The body of a call in, what a model is given out; what it returned in, the answer to the caller out.

A body as a whole is the value. Calls from other chainlets of the chain are as all of their calls: a
mapping of arguments, of which there is one, `model_input`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Optional

import pydantic
from pydantic_core import SchemaSerializer, core_schema, from_json, to_json

from chainctl.calls.answer import Buffer
from chainctl.wire.frame_form import frame_value
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import FRAME, JSON, MSGPACK, MSGPACK_TYPES
from chainctl.wire.msgpack_form import packed, unpacked
from chainctl.worker.output import OutputMismatch
from chainctl.worker.worker import Call, Reply

MODEL_INPUT = "model_input"
_PLAIN = SchemaSerializer(core_schema.any_schema())


class InputForm:
    """Reads what a method is given. A pydantic model as its annotation is made of the body, and checked by it."""

    def __init__(self, annotation: Any) -> None:
        is_model = isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)
        self._model: Optional[type[pydantic.BaseModel]] = annotation if is_model else None

    def value(self, call: Call) -> Any:
        """Parse a body. Raises InvalidValue, and what a model's own validators raise."""
        if call.is_inner:
            return self._made(inner_value(call.media, call.body))
        if call.media in MSGPACK_TYPES:
            return self._made(unpacked(call.body))
        return self._parsed(_bytes(call.body))

    def _parsed(self, body: bytes) -> Any:
        if self._model is None:
            return _json(body)
        try:
            return self._model.model_validate_json(body)
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error

    def _made(self, value: Any) -> Any:
        if self._model is None:
            return value
        try:
            return self._model.model_validate(value, strict=False)
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error


def inner_value(media: str, body: Buffer) -> Any:
    """The one argument of a call from the same chain. Raises InvalidValue."""
    if media == FRAME:
        arguments = frame_value(body)
    elif media in MSGPACK_TYPES:
        arguments = unpacked(body)
    else:
        arguments = _json(_bytes(body))
    if not isinstance(arguments, Mapping) or arguments.keys() != {MODEL_INPUT}:
        raise InvalidValue.single(f"a model of the chain is called with `{MODEL_INPUT}` alone")
    return arguments[MODEL_INPUT]


def value_reply(value: Any, call: Call, of: str) -> Reply:
    """Write a result: msgpack for who sent it or takes it, else JSON. `of` names the method in OutputMismatch."""
    sent_msgpack = call.media in MSGPACK_TYPES
    if call.is_inner and JSON in call.accept:
        sent_msgpack = False
    if sent_msgpack or "msgpack" in call.accept:
        return Reply(200, _packed(value, of), call.media if sent_msgpack else MSGPACK)
    return Reply(200, json_bytes(value, of))


def json_bytes(value: Any, of: str) -> bytes:
    """Write a value as JSON: arrays as lists, pydantic models dumped. Raises OutputMismatch."""
    unknown: list[str] = []

    def known(other: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(other, numpy.ndarray):
            return other.tolist()
        if numpy is not None and isinstance(other, numpy.generic):
            return other.item()
        unknown.append(_type_name(other))
        raise TypeError(unknown[0])

    try:
        return to_json(value, fallback=known, bytes_mode="base64", inf_nan_mode="constants")
    except (ValueError, TypeError, RecursionError) as error:
        why = f"an object of type {unknown[0]} has no form in JSON" if unknown else str(error)
        raise _mismatch(of, why) from None


def _packed(value: Any, of: str) -> bytes:
    try:
        return packed(_PLAIN.to_python(value))
    except (ValueError, TypeError, RecursionError) as error:
        raise _mismatch(of, str(error)) from None


def _mismatch(of: str, why: str) -> OutputMismatch:
    return OutputMismatch(f"`{of}` returned what cannot be sent: {why}", InvalidValue.single(why))


def _type_name(value: object) -> str:
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise InvalidValue.malformed(f"Invalid JSON: {error}") from None


def _bytes(body: Buffer) -> bytes:
    return body if isinstance(body, bytes) else bytes(body)

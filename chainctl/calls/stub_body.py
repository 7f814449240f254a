"""Inputs of a service outside the chain in; the message for it out, and its answer's value back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional, Union

import pydantic

from chainctl.calls.answer import Answer
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import JSON, MSGPACK_TYPES, OCTETS


def request_message(
    inputs: Union[pydantic.BaseModel, Mapping[str, Any]], *, is_binary: bool = False, accept: str = ""
) -> Message:
    """Serialise inputs as JSON, or as msgpack. Raises TypeError, ValueError for what has no such form."""
    if is_binary:
        from chainctl.wire.msgpack_form import (
            packed,
        )  # only where it is used: not every image has its library

        plain = inputs.model_dump() if isinstance(inputs, pydantic.BaseModel) else dict(inputs)
        return Message((packed(plain),), OCTETS, accept or f"{OCTETS}, {JSON}")
    if isinstance(inputs, pydantic.BaseModel):
        return Message((inputs.model_dump_json().encode(),), JSON, accept or "*/*")
    return Message((json.dumps(inputs).encode(),), JSON, accept or "*/*")


def answer_value(name: str, answer: Answer, model: Optional[type[pydantic.BaseModel]]) -> Any:
    """Read an answer by its content type. Raises RemoteFault when it is not what it says, or no such model."""
    try:
        if answer.media_type in MSGPACK_TYPES:
            from chainctl.wire.msgpack_form import unpacked

            value = unpacked(answer.body)
            return value if model is None else model.model_validate(value)
        if model is not None:
            return model.model_validate_json(bytes(answer.body))
        return json.loads(bytes(answer.body))
    except pydantic.ValidationError as error:
        problem = str(InvalidValue.of(error))
    except (InvalidValue, ValueError, RecursionError) as error:
        problem = str(error)
    form = f" as {answer.media_type}" if answer.media_type not in ("", JSON) else ""
    raise RemoteFault(f"`{name}` answered what cannot be read{form}: {problem}")

"""The types of one endpoint in; codecs for its arguments and its result, and their JSON Schemas, out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

import pydantic
from typing_extensions import NotRequired, TypedDict

from chainctl.wire.frame import Buffer, Find, Place, framed, unframed
from chainctl.wire.frame_form import FrameForm, holds_buffers
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.json_form import JsonForm
from chainctl.wire.msgpack_form import packed, unpacked

REQUIRED: Any = object()
T = TypeVar("T")


@dataclass(frozen=True)
class Field:
    """One argument: its name, its type, and its default (REQUIRED where it has none)."""

    name: str
    annotation: Any
    default: Any = REQUIRED


class Codec:
    """Turns values of a type into JSON, msgpack and frames, and back.

    All raise InvalidValue, naming each place that does not fit. JSON and frames are what a chain's
    own services speak, msgpack is for clients that bring msgpack_numpy.
    """

    def __init__(self, annotation: Any) -> None:
        self._form = JsonForm(annotation)

    @functools.cached_property
    def prefers_frames(self) -> bool:
        """Whether the type holds bytes or arrays, which JSON can only carry as base64."""
        return holds_buffers(self._form.core_schema)

    @functools.cached_property
    def _framed(self) -> FrameForm:
        return FrameForm(self._form.core_schema)

    def encode(self, value: Any) -> bytes:
        """Validate and serialise a value as JSON."""
        try:  # written out, as this is most of what a small call costs
            return self._form.dump(value)
        except (ValueError, TypeError) as error:
            raise _misfit(error) from error

    def decode(self, data: Buffer) -> Any:
        """Parse and validate JSON."""
        try:
            return self._form.parse(bytes(data) if type(data) is memoryview else data)
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error

    def encode_frame(self, value: Any, place: Optional[Place] = None) -> list[Buffer]:
        """Validate and serialise a value as the parts of a frame; large buffers are parts themselves.

        `place` may put a buffer elsewhere: it returns a reference then, else None.
        """
        if not self.prefers_frames:
            return framed(self.encode(value), [])
        return _encoded(lambda given: self._framed.dump(given, place), value)

    def decode_frame(self, message: Buffer, find: Optional[Find] = None) -> Any:
        """Parse and validate a frame. Arrays are views of the message, and can be written to.

        `find` returns the buffer of a reference and a length, or raises ValueError.
        """
        if not self.prefers_frames:
            return self.decode(unframed(message, find)[0])
        return _decoded(lambda given: self._framed.parse(given, find), message)

    def encode_msgpack(self, value: Any) -> bytes:
        """Validate and serialise a value as msgpack, arrays as msgpack_numpy has them."""
        return _encoded(lambda given: packed(self._form.dump_values(given)), value)

    def decode_msgpack(self, data: Buffer) -> Any:
        """Parse and validate msgpack. Arrays of a large message that can be written to are views of it."""
        return _decoded(lambda given: self._form.validate(unpacked(given)), data)


class ArgumentsCodec(Codec):
    """Turns the keyword arguments of a call into bytes and back.

    Arguments that were not given stay out, so that the function's own defaults hold.
    """

    def __init__(self, title: str, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        make: Any = TypedDict  # its members are known at run time only
        typed = make(title, {f.name: _member(f) for f in fields})
        typed.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
        super().__init__(typed)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the object of arguments, with the defaults that the function has."""
        schema = self._form.schema("validation")
        for field in self._fields:
            default = _default(field)
            if default is not None:
                schema["properties"][field.name].setdefault("default", default[0])
        return schema


class ResultCodec(Codec):
    """Turns the result of a call into bytes and back."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the result."""
        return self._form.schema("serialization")


def _member(field: Field) -> Any:
    return field.annotation if field.default is REQUIRED else NotRequired[field.annotation]


def _default(field: Field) -> Optional[tuple[Any]]:
    """A field's default in JSON form, None where there is none or where JSON has no form for it."""
    if field.default is REQUIRED:
        return None
    try:
        return (JsonForm(field.annotation).dump_python(field.default),)
    except (ValueError, TypeError):
        return None


def _encoded(write: Callable[[Any], T], value: Any) -> T:
    try:
        return write(value)
    except (ValueError, TypeError) as error:
        raise _misfit(error) from error


def _misfit(error: Exception) -> InvalidValue:
    if isinstance(error, pydantic.ValidationError):
        return InvalidValue.of(error)
    return InvalidValue.single(str(error))


def _decoded(read: Callable[[Any], T], data: Any) -> T:
    try:
        return read(data)
    except pydantic.ValidationError as error:
        raise InvalidValue.of(error) from error

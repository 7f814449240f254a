"""The types of one endpoint in; codecs for its arguments and its result, and their JSON Schemas, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pydantic
from typing_extensions import NotRequired, TypedDict

from chainctl.wire.invalid import InvalidValue
from chainctl.wire.json_form import JsonForm

REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """One argument: its name, its type, and its default (REQUIRED where it has none)."""

    name: str
    annotation: Any
    default: Any = REQUIRED


class ArgumentsCodec:
    """Turns the keyword arguments of a call into JSON bytes and back.

    Arguments that were not given stay out, so that the function's own defaults hold.
    """

    def __init__(self, title: str, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        make: Any = TypedDict  # its members are known at run time only
        typed = make(title, {f.name: _member(f) for f in fields})
        typed.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
        self._form = JsonForm(typed)

    def encode(self, arguments: Mapping[str, Any]) -> bytes:
        """Validate and serialise arguments. Raises InvalidValue naming the argument."""
        return _encoded(self._form, dict(arguments))

    def decode(self, data: bytes) -> dict[str, Any]:
        """Parse and validate a JSON object of arguments. Raises InvalidValue naming each path."""
        decoded: dict[str, Any] = _decoded(self._form, data)
        return decoded

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the object of arguments, with the defaults that the function has."""
        schema = self._form.schema("validation")
        for field in self._fields:
            default = _default(field)
            if default is not None:
                schema["properties"][field.name].setdefault("default", default[0])
        return schema


class ResultCodec:
    """Turns the result of a call into JSON bytes and back."""

    def __init__(self, annotation: Any) -> None:
        self._form = JsonForm(annotation)

    def encode(self, value: Any) -> bytes:
        """Validate and serialise a result. Raises InvalidValue naming the field that does not fit."""
        return _encoded(self._form, value)

    def decode(self, data: bytes) -> Any:
        """Parse and validate a result. Raises InvalidValue."""
        return _decoded(self._form, data)

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


def _encoded(form: JsonForm, value: Any) -> bytes:
    try:
        return form.dump(value)
    except pydantic.ValidationError as error:
        raise InvalidValue.of(error) from error
    except (ValueError, TypeError) as error:
        raise InvalidValue.single(str(error)) from error


def _decoded(form: JsonForm, data: bytes) -> Any:
    try:
        return form.parse(data)
    except pydantic.ValidationError as error:
        raise InvalidValue.of(error) from error

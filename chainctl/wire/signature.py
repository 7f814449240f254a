"""The types of one endpoint in; codecs for its arguments and its result, and their JSON Schemas, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pydantic
from pydantic_core import CoreConfig, SchemaSerializer
from typing_extensions import NotRequired, TypedDict

from chainctl.wire.invalid import InvalidValue

_CONFIG = pydantic.ConfigDict(
    ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants", extra="forbid"
)
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
        typed.__pydantic_config__ = _CONFIG
        self._adapter: pydantic.TypeAdapter[dict[str, Any]] = pydantic.TypeAdapter(typed)
        self._serializer = _serializer(self._adapter)

    def encode(self, arguments: Mapping[str, Any]) -> bytes:
        """Validate and serialise arguments. Raises InvalidValue naming the argument."""
        try:
            checked = self._adapter.validate_python(dict(arguments))
            return self._serializer.to_json(checked, warnings="error")
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error
        except (ValueError, TypeError) as error:
            raise InvalidValue.single(str(error)) from error

    def decode(self, data: bytes) -> dict[str, Any]:
        """Parse and validate a JSON object of arguments. Raises InvalidValue naming each path."""
        try:
            return self._adapter.validate_json(data)
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the object of arguments, with the defaults that the function has."""
        schema = self._adapter.json_schema(mode="validation")
        for field in self._fields:
            default = self._default(field)
            if default is not None:
                schema["properties"][field.name].setdefault("default", default[0])
        return schema

    def _default(self, field: Field) -> Optional[tuple[Any]]:
        """A field's default in JSON form, None where there is none or where JSON has no form for it."""
        if field.default is REQUIRED:
            return None
        try:
            return (pydantic.TypeAdapter(field.annotation).dump_python(field.default, mode="json"),)
        except (ValueError, TypeError):
            return None


def _member(field: Field) -> Any:
    return field.annotation if field.default is REQUIRED else NotRequired[field.annotation]


class ResultCodec:
    """Turns the result of a call into JSON bytes and back."""

    def __init__(self, annotation: Any) -> None:
        self._adapter: pydantic.TypeAdapter[Any] = _configured(annotation)
        self._serializer = _serializer(self._adapter)

    def encode(self, value: Any) -> bytes:
        """Validate and serialise a result. Raises InvalidValue naming the field that does not fit."""
        try:
            return self._serializer.to_json(self._adapter.validate_python(value), warnings="error")
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error
        except (ValueError, TypeError) as error:
            raise InvalidValue.single(str(error)) from error

    def decode(self, data: bytes) -> Any:
        """Parse and validate a result. Raises InvalidValue."""
        try:
            return self._adapter.validate_json(data)
        except pydantic.ValidationError as error:
            raise InvalidValue.of(error) from error

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the result."""
        return self._adapter.json_schema(mode="serialization")


def _serializer(adapter: pydantic.TypeAdapter[Any]) -> SchemaSerializer:
    """Make a serializer with our JSON settings, which a typed dict's own would not pass on."""
    settings = CoreConfig(ser_json_bytes="base64", ser_json_inf_nan="constants")
    return SchemaSerializer(adapter.core_schema, settings)


def _configured(annotation: Any) -> pydantic.TypeAdapter[Any]:
    """Make an adapter with our JSON settings; types that carry their own settings refuse ours."""
    try:
        return pydantic.TypeAdapter(annotation, config=_CONFIG)
    except pydantic.PydanticUserError:
        return pydantic.TypeAdapter(annotation)

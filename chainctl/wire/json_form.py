"""A type in; its JSON form out: how its values are written, read back, and described by a JSON Schema.

Bytes are base64 and floats may be infinite or NaN, at every depth: pydantic would take such settings
from each nested model, so that the same value had another form in a model than beside it. A model
that sets its own form (`ser_json_bytes` in its `model_config`) keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, core_schema

from chainctl.wire.schema_nodes import Node, rebuilt

SETTINGS = CoreConfig(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
_CONFIGURED = ("model", "dataclass", "typed-dict")

# Models carry a validator that was built without our settings; newer versions would use that one.
FRESH: dict[str, Any] = (
    {"_use_prebuilt": False} if "_use_prebuilt" in (SchemaValidator.__text_signature__ or "") else {}
)


class JsonForm:
    """Validates values of a type, and turns them into JSON bytes and back."""

    def __init__(self, annotation: Any) -> None:
        self.core_schema = schema = rebuilt(pydantic.TypeAdapter(annotation).core_schema, _configured)
        self._validator = SchemaValidator(schema, SETTINGS, **FRESH)
        self._serializer = SchemaSerializer(schema, SETTINGS, **FRESH)
        self.parse: Callable[[Union[bytes, bytearray]], Any] = self._validator.validate_json
        """Parse and validate. Raises pydantic.ValidationError."""

    def dump(self, value: Any) -> bytes:
        """Validate and serialise. Raises pydantic.ValidationError, ValueError, TypeError."""
        return self._serializer.to_json(self._validator.validate_python(value), warnings="error")

    def dump_python(self, value: Any) -> Any:
        """Return the JSON form as Python values. Raises ValueError, TypeError."""
        return self._serializer.to_python(value, mode="json", warnings="error")

    def dump_values(self, value: Any) -> Any:
        """Validate, and return plain containers of Python values, as `model_dump(mode="python")` does.

        Raises what `dump` raises.
        """
        return self._serializer.to_python(self._validator.validate_python(value), warnings="error")

    def validate(self, value: Any) -> Any:
        """Validate plain values as they come out of a parser. Raises pydantic.ValidationError.

        Strict types take them too: a parser gives lists and texts where they ask for tuples and dates.
        """
        return self._validator.validate_python(value, strict=False)

    def schema(self, mode: JsonSchemaMode) -> dict[str, Any]:
        """JSON Schema of what is read ("validation") or written ("serialization")."""
        return _Schema().generate(self.core_schema, mode)


class _Schema(GenerateJsonSchema):
    """Describes bytes as what they are in JSON."""

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        if "ser_json_bytes" in self._config.config_dict:
            return super().bytes_schema(schema)
        return {"type": "string", "format": "base64url"}


def _configured(node: Node) -> Node:
    """Put our settings on a type that has settings of its own."""
    if node["type"] not in _CONFIGURED:
        return node
    return {**node, "config": {**SETTINGS, **node.get("config", {})}}

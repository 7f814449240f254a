"""The JSON Schemas of an endpoint in; an OpenAPI 3.1 document out."""

from __future__ import annotations

from typing import Any

from chainctl.version import __version__

# With a dash, so that no model of the user's has one of our names.
_ERROR_NAME = "chainctl-error"
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"kind": {"type": "string"}, "message": {"type": "string"}},
            "required": ["kind", "message"],
        }
    },
    "required": ["error"],
}


def openapi(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe `POST /run_remote` of one chainlet."""
    given, made = (schemas[side].get("$defs", {}) for side in ("input", "output"))
    differ = any(given[name] != made[name] for name in given.keys() & made.keys())
    given_names = {name: name for name in given}
    made_names = {name: f"{name}-Output" if differ else name for name in made}
    components = {_ERROR_NAME: _ERROR, **_relinked_all(made, made_names), **_relinked_all(given, given_names)}
    body = _relinked(_bare(schemas["input"]), given_names)
    result = _relinked(_bare(schemas["output"]), made_names)
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": __version__},
        "paths": {
            "/run_remote": {
                "post": {
                    "operationId": "run_remote",
                    "requestBody": {"required": True, "content": _content(body)},
                    "responses": {
                        "200": {"description": "The result.", "content": _content(result)},
                        "400": _error("The body is no JSON."),
                        "422": _error("An argument is missing, unknown or of the wrong type."),
                        "500": _error("The chainlet raised an exception."),
                        "503": _error("The chainlet cannot take calls now."),
                    },
                }
            }
        },
        "components": {"schemas": components},
    }


def _content(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": _content({"$ref": f"#/components/schemas/{_ERROR_NAME}"})}


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$defs"}


def _relinked_all(definitions: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names[name]: _relinked(definition, names) for name, definition in definitions.items()}


def _relinked(node: Any, names: dict[str, str]) -> Any:
    """Point all references at the components. A `discriminator` has some that are no `$ref`."""
    if isinstance(node, dict):
        return {key: _relinked(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_relinked(item, names) for item in node]
    if isinstance(node, str) and node.startswith("#/$defs/"):
        name = node.removeprefix("#/$defs/")
        return f"#/components/schemas/{names.get(name, name)}"
    return node

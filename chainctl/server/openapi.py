"""The JSON Schemas of an endpoint in; an OpenAPI 3.1 document out."""

from __future__ import annotations

from typing import Any

from chainctl.version import __version__

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
    components: dict[str, Any] = {"Error": _ERROR}
    body = _lifted(schemas["input"], components)
    result = _lifted(schemas["output"], components)
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
    return {"description": description, "content": _content({"$ref": "#/components/schemas/Error"})}


def _lifted(schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """Move a schema's own definitions into the document's components.

    A name that is taken by something else gets a number: a model may have another form as a result
    than as an argument.
    """
    definitions = schema.get("$defs", {})
    names = {name: _free_name(name, definition, components) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        components[names[name]] = _relinked(definition, names)
    return _relinked({k: v for k, v in schema.items() if k != "$defs"}, names)


def _free_name(name: str, definition: Any, components: dict[str, Any]) -> str:
    same_names = {name: name}
    numbered = (f"{name}{number or ''}" for number in (0, *range(2, len(components) + 3)))
    return next(n for n in numbered if components.get(n) in (None, _relinked(definition, same_names)))


def _relinked(node: Any, names: dict[str, str]) -> Any:
    """Point all references at the components. `discriminator` has some that are no `$ref`."""
    if isinstance(node, dict):
        return {key: _relinked(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_relinked(item, names) for item in node]
    if isinstance(node, str) and node.startswith("#/$defs/"):
        name = node.removeprefix("#/$defs/")
        return f"#/components/schemas/{names.get(name, name)}"
    return node

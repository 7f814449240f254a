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
    """Move a schema's own definitions into the document's components."""
    for name, definition in schema.get("$defs", {}).items():
        components[name] = _relinked(definition)
    return _relinked({k: v for k, v in schema.items() if k != "$defs"})


def _relinked(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _link(v) if k == "$ref" else _relinked(v) for k, v in node.items()}
    return [_relinked(item) for item in node] if isinstance(node, list) else node


def _link(reference: Any) -> Any:
    return str(reference).replace("#/$defs/", "#/components/schemas/")

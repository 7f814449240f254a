"""A JSON Schema in; the name in it that could not be imported where it was made, out."""

from __future__ import annotations

from typing import Any, Optional

MISSING_KEY = "x-chainctl-missing"


def missing_in(schema: Any) -> Optional[str]:
    """Return the first missing name that a JSON Schema contains."""
    if isinstance(schema, dict):
        if MISSING_KEY in schema:
            return str(schema[MISSING_KEY])
        schema = list(schema.values())
    if isinstance(schema, list):
        return next(filter(None, map(missing_in, schema)), None)
    return None

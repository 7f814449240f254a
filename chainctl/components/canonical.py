"""JSON values in; one text for equal values out, and digests of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def text_of(value: Any) -> str:
    """Return JSON in ASCII, without spaces; keys keep their order."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def sorted_text_of(value: Any) -> str:
    """Return JSON in ASCII, without spaces, with sorted keys."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


def digest_of(value: Any) -> str:
    """Return the sha256 of a JSON value, the same for equal values."""
    return hashlib.sha256(sorted_text_of(value).encode()).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""The names of content types, and which of them a call may have."""

from __future__ import annotations

JSON = "application/json"
MSGPACK = "application/msgpack"
FRAME = "application/vnd.chainctl.frame"
STREAM = "application/vnd.chainctl.stream"
NDJSON = "application/x-ndjson"
EVENTS = "text/event-stream"
OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"

JSON_TYPES = frozenset([JSON, "text/json", ""])
MSGPACK_TYPES = frozenset([MSGPACK, "application/x-msgpack", OCTETS])
READABLE = JSON_TYPES | MSGPACK_TYPES | {FRAME, STREAM}
"""What the body of a call may be."""

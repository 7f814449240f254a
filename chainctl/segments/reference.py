"""A reference such as "0123456789abcdef-1:4096:16777216:7" in; where those bytes lie, and back, out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

OWNER_NAME = re.compile(r"[0-9a-f]{16}")
SEGMENT_NAME = re.compile(rf"({OWNER_NAME.pattern})-[0-9]{{1,9}}")
_REFERENCE = re.compile(
    rf"(?P<name>{SEGMENT_NAME.pattern}):(?P<offset>[0-9]{{1,15}}):(?P<length>[0-9]{{1,15}})"
    r":(?P<generation>[0-9]{1,18})"
)


class SegmentGoneError(LookupError):
    """What a reference names is not there any more, or can not be had: ask for the bytes themselves."""


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """Where bytes lie: the file's name, offset and length in bytes, and how often the file was filled."""

    name: str
    offset: int
    length: int
    generation: int

    @classmethod
    def parse(cls, text: str) -> SegmentReference:
        """Read a reference that came from outside. Raises ValueError for anything we never write."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:80]!r} is not a reference to a shared segment")
        return cls(found["name"], int(found["offset"]), int(found["length"]), int(found["generation"]))

    @property
    def end(self) -> int:
        return self.offset + self.length

    def __str__(self) -> str:
        return f"{self.name}:{self.offset}:{self.length}:{self.generation}"

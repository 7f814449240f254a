"""A value that does not fit its type, with the path of each place that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pydantic

_MALFORMED = ("json_invalid", "malformed")
_MOST_PLACES = 100


@dataclass(frozen=True)
class Mismatch:
    """One place: a path such as `names.0` ("" for the whole), what is wrong there, pydantic's error type."""

    path: str
    message: str
    kind: str = ""


class InvalidValue(ValueError):
    """Some value does not fit the type that its annotation names."""

    def __init__(self, mismatches: Sequence[Mismatch]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__("; ".join(f"`{m.path or 'value'}`: {m.message}" for m in self.mismatches))

    @classmethod
    def of(cls, error: pydantic.ValidationError) -> InvalidValue:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        places = [Mismatch(".".join(map(str, e["loc"])), e["msg"], e["type"]) for e in found[:_MOST_PLACES]]
        more = len(found) - len(places)
        return cls([*places, Mismatch("", f"and {more} more places")] if more else places)

    @classmethod
    def single(cls, message: str) -> InvalidValue:
        return cls([Mismatch("", message)])

    @classmethod
    def malformed(cls, message: str) -> InvalidValue:
        """Say that bytes are not what they claim to be."""
        return cls([Mismatch("", message, "malformed")])

    @property
    def is_malformed(self) -> bool:
        """Whether the bytes were not even well-formed."""
        return any(m.kind in _MALFORMED and not m.path for m in self.mismatches)

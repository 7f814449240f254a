"""What a database says of its schema in; a refusal of what this chainctl does not know out."""

from __future__ import annotations

from chainctl.errors import StateError

SCHEMA_VERSION = 1
"""The version of the tables that this chainctl writes and reads."""


def require_known_schema(found: str | None, place: object) -> None:
    """Raise StateError for a version that is newer than this chainctl, or none at all. None is one before the first."""
    if found is not None and not (found.isascii() and found.isdigit()):
        raise StateError(
            f"the state in {place} is damaged: its schema is {found!r}, which is no version",
            hint="move it away: what runs is not touched by that, and a push records it anew.",
        )
    if found is not None and int(found) > SCHEMA_VERSION:
        raise StateError(
            f"the state in {place} was written by a newer chainctl (schema {found},"
            f" this one knows {SCHEMA_VERSION})",
            hint="upgrade: `pip install -U chainctl`.",
        )

"""A call's body and its content type: what a caller hands to a Transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainctl.calls.answer import Parts


def _nothing() -> None:
    """Release nothing."""


@dataclass
class Message:
    """`parts` are sent without being joined; `release` is called when the exchange has ended.

    `shared` names the place where the caller can find large buffers, "" where there is none.
    """

    parts: Parts
    content_type: str = "application/json"
    accept: str = "*/*"
    shared: str = ""
    encode_ns: int = 0
    release: Callable[[], None] = _nothing

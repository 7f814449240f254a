"""Large buffers of messages in; references to where they are kept beside the message out, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

Release = Callable[[], None]


class Buffers:
    """Keeps every buffer in its message. What knows a better place for them derives from it."""

    def placing(self) -> Placing:
        """Begin a message."""
        return Placing()

    def find(self, reference: str, length: int) -> memoryview:
        """Return the buffer that a reference names. Raises ValueError when there is none."""
        raise ValueError(f"{reference!r} names no buffer: this service shares no memory")


class Placing:
    """The places of one message's buffers, held until `release`."""

    def place(self, buffer: memoryview) -> Optional[str]:
        """Put a buffer elsewhere and return a reference to it, None to leave it in the message."""
        return None

    def release(self) -> None:
        """Give the places free: whoever wanted the buffers has them."""

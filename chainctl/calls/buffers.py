"""Large buffers of messages in; references to where they are kept beside the message out, and back."""

from __future__ import annotations

from typing import Optional

SHARED_HEADER = "x-chainctl-shared"
"""Says where its sender can find buffers that are not in the message."""


class Buffers:
    """Keeps every buffer in its message. What knows a better place for them derives from it.

    `identity` names the place that both sides must see, "" where there is none.
    """

    identity = ""

    def placing(self, peer: str = "") -> Placing:
        """Begin a message to a service whose place has the identity `peer`."""
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

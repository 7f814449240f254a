"""What a caller may ask of the front door, as one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bounds on one connection.

    `head_bytes` caps request line and headers; `head_sec` is the time a caller has to send them,
    `idle_sec` the time a connection may stay without a request, `linger_sec` and `linger_bytes`
    what is still read of a body that nobody wants, so that the caller gets to see the answer. A request waits
    `hold_sec` for a chain that sleeps.
    """

    head_bytes: int = 64 * 1024
    head_sec: float = 60.0
    idle_sec: float = 300.0
    linger_sec: float = 5.0
    linger_bytes: int = 8 * 1024 * 1024
    hold_sec: float = 0.0

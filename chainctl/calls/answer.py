"""What comes back for a request: status, headers, body; or how the connection failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Union

Buffer = Union[bytes, bytearray, memoryview]
Parts = Sequence[Buffer]
"""A body in pieces, written one after the other without being joined."""


class NotSentError(ConnectionError):
    """The other side did not begin to work on the request, so that sending it again is safe."""


class NotConnectedError(NotSentError):
    """There was no connection to send the request on."""


class BrokenAnswerError(ConnectionError):
    """The connection ended before the answer did; the other side may have done the work."""


@dataclass
class Answer:
    """Status, headers (lower-case names) and the whole body of an answer.

    `body` is writable where it is large. `first_byte_at` is a time of `time.monotonic()`.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Buffer = b""
    first_byte_at: float = 0.0

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

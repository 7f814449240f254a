"""What the server asks of whatever runs a chainlet: call, health, schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, Union


@dataclass(frozen=True)
class Reply:
    """The answer to one call: HTTP status, content type, and the body, whole or as it comes."""

    status: int
    body: Union[bytes, AsyncIterator[bytes]]
    content_type: str = "application/json"
    not_started: bool = False


@dataclass(frozen=True)
class Health:
    """Whether a chainlet can take calls, and why not."""

    is_ready: bool
    reason: str = ""


class Worker(Protocol):
    """Runs one chainlet, in this process or elsewhere."""

    async def call(self, body: bytes) -> Reply:
        """Run one call; errors are replies too."""
        ...

    async def health(self) -> Health: ...

    def schemas(self) -> dict[str, Any]:
        """JSON Schemas of input and output."""
        ...

"""Request lines, status lines and headers as the parser gives them in, two frozen heads out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class Headers:
    """Header fields in the order they came, names in lower case."""

    __slots__ = ("_names", "pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self.pairs = tuple(pairs)
        self._names = {name for name, _ in self.pairs}

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header."""
        if name not in self._names:
            return []
        return [value for key, value in self.pairs if key == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """Return the comma-separated members of a header, in lower case."""
        if name not in self._names:
            return []
        members = b",".join(self.values(name)).lower().split(b",")
        return [member.strip() for member in members if member.strip()]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a caller asks for. `is_websocket` when it wants to leave HTTP for a WebSocket."""

    method: bytes
    target: bytes
    version: str
    headers: Headers
    is_keep_alive: bool
    is_upgrade: bool

    @property
    def is_websocket(self) -> bool:
        return self.is_upgrade and self.headers.tokens(b"upgrade") == [b"websocket"]

    @property
    def is_chunked(self) -> bool:
        return self.headers.tokens(b"transfer-encoding") == [b"chunked"]

    @property
    def has_unknown_coding(self) -> bool:
        return bool(self.headers.values(b"transfer-encoding")) and not self.is_chunked

    @property
    def content_length(self) -> bytes | None:
        return next(iter(self.headers.values(b"content-length")), None)

    @property
    def has_body(self) -> bool:
        return self.is_chunked or self.content_length not in (None, b"0")

    @property
    def expects_continue(self) -> bool:
        return b"100-continue" in self.headers.tokens(b"expect")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What a service answers. `has_body` is False for HEAD, 1xx, 204 and 304."""

    status: int
    reason: bytes
    headers: Headers
    is_keep_alive: bool
    has_body: bool

    @property
    def is_informational(self) -> bool:
        return 100 <= self.status < 200

    @property
    def is_chunked(self) -> bool:
        return self.headers.tokens(b"transfer-encoding") == [b"chunked"]

    @property
    def has_length(self) -> bool:
        return bool(self.headers.values(b"content-length"))

    @property
    def ends_by_closing(self) -> bool:
        return self.has_body and not self.is_chunked and not self.has_length

"""A head as it was received in, the bytes of the head that is passed on out.

What belongs to one connection only (RFC 9110 §7.6.1) and what only chainctl may say is taken out;
framing is written anew from what was parsed, so both sides cannot disagree on where a body ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from chainctl.adapters.local.front_door.heads import Headers, RequestHead, ResponseHead

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade content-length".split()
)
_OURS = b"x-chainctl-"


def request_bytes(head: RequestHead, token: str, *, credential: bytes | None) -> bytes:
    """Render the request for a service; `credential` names the header that held the door's key."""
    lines = [b"%s %s HTTP/1.1" % (head.method, head.target)]
    lines += _kept(head.headers, is_request=True, without=credential)
    lines += [b"x-chainctl-token: " + token.encode(), b"x-chainctl-door: 1"]
    if head.is_websocket:
        lines += [b"connection: Upgrade", b"upgrade: websocket"]
    elif head.is_chunked:
        lines.append(b"transfer-encoding: chunked")
    elif (length := head.content_length) is not None:
        lines.append(b"content-length: " + length)
    return _block(lines)


def response_bytes(head: ResponseHead, *, is_chunked: bool, connection: bytes | None) -> bytes:
    """Render a final answer for the caller; `connection` is what to say on keeping it."""
    lines = [b"HTTP/1.1 %d %s" % (head.status, head.reason)]
    lines += _kept(head.headers, is_request=False, without=None)
    lines += _length(head) if not is_chunked else [b"transfer-encoding: chunked"]
    if connection is not None:
        lines.append(b"connection: " + connection)
    return _block(lines)


def informational_bytes(head: ResponseHead) -> bytes:
    """Render a 1xx answer; a 101 keeps the two headers that make it one."""
    lines = [b"HTTP/1.1 %d %s" % (head.status, head.reason)]
    lines += _kept(head.headers, is_request=False, without=None)
    if head.status == 101:
        lines += [b"connection: Upgrade", b"upgrade: websocket"]
    return _block(lines)


def trailer_bytes(trailers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Render the end of a chunked body with its trailers."""
    return b"0\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in trailers) + b"\r\n"


def _kept(headers: Headers, *, is_request: bool, without: bytes | None) -> list[bytes]:
    named = headers.tokens(b"connection")
    dropped = _HOP_BY_HOP.union(named) - {b"host"} if named else _HOP_BY_HOP
    return [
        name + b": " + value
        for name, value in headers.pairs
        if name not in dropped and name != without and not (is_request and _is_ours(name))
    ]


def _is_ours(name: bytes) -> bool:
    return name.startswith(b"x") and name.replace(b"_", b"-").startswith(_OURS)


def _length(head: ResponseHead) -> list[bytes]:
    if head.is_chunked:
        return []
    return [b"content-length: " + value for value in head.headers.values(b"content-length")]


def _block(lines: list[bytes]) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"

"""A TCP connection in; one that ends by itself when the machine of its other side is gone, out.

A machine that loses power says nothing: without this a call waits for its answer until its deadline, or for ever.
A process that is merely busy is another thing, its kernel goes on to answer. After RFC 5482 and
"When TCP sockets refuse to die", Cloudflare, 2019: keep-alive sees a silent one, the user timeout
one that does not confirm what was sent.
"""

from __future__ import annotations

import socket


def end_when_lost(connection: socket.socket, within_sec: int) -> None:
    """Let a connection end about so many seconds after its other side is gone; whole seconds, three at least."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, within_sec - 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, within_sec * 1000)

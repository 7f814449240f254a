"""Connections and questions of callers in; whether all of them know where to turn now out.

A connection that is closed while its caller writes a request on it loses that request, and nobody can say
whether it was begun. So nothing is closed on a caller who may still write: each one asks, again and again,
whether it should turn here, and only once all have heard that they should not is there an end.

It runs in the stand-in of a chain as well, so it needs the standard library only, and Python 3.10.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TIMES = 2
"""So often it is asked before what was said is acted on: a front door wants to hear it twice."""
_SILENT_SEC = 5.0
"""Who has not asked for so long does not ask any more: it has ended, or has nothing to send."""
_SETTLE_SEC = 1.5
"""So long a caller that was told has for its other connections: each of its threads asks for itself."""
_QUIET_SEC = 0.5
_CREDENTIALS = struct.Struct("iII")


@dataclass
class Peer:
    """Who calls: a machine of the network, or a process of this machine. `asked` counts from the last mark."""

    heard_at: float
    asked: int = 0
    settled_at: float | None = None


@dataclass(eq=False)
class Call:
    """One connection. `is_told` while the last answer on it was that callers should turn to others."""

    peer: Peer
    is_told: bool = False


class Callers:
    """All callers of one stand-in; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._peers: dict[str, Peer] = {}
        self._calls: set[Call] = set()
        self._under_way = 0
        self._busy_at = clock()

    @contextmanager
    def connected(self, who: str) -> Iterator[Call]:
        """Count a connection as long as it lasts."""
        peer = self._peers.setdefault(who, Peer(self._clock()))
        call = Call(peer)
        self._calls.add(call)
        try:
            yield call
        finally:
            self._calls.discard(call)

    @contextmanager
    def answering(self, call: Call) -> Iterator[None]:
        """Count a request as long as it is under way."""
        call.is_told = False
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._busy_at = self._clock()

    def asked(self, call: Call, *, is_told: bool) -> None:
        """Note that a caller asked whether it should turn here, and whether it was told not to."""
        peer, call.is_told = call.peer, is_told
        peer.heard_at = self._clock()
        peer.asked += 1
        if peer.asked == TIMES:
            peer.settled_at = peer.heard_at

    def mark(self) -> None:
        """Count from now on who asks."""
        for peer in self._peers.values():
            peer.asked, peer.settled_at = 0, None

    @property
    def have_asked(self) -> bool:
        """Say whether all that ask at all have done so since the mark."""
        now = self._clock()
        return all(
            peer.settled_at is not None or now - peer.heard_at > _SILENT_SEC for peer in self._peers.values()
        )

    @property
    def have_turned(self) -> bool:
        """Say whether nothing is under way, and no connection is left on which somebody might send."""
        now = self._clock()
        is_quiet = not self._under_way and now - self._busy_at > _QUIET_SEC
        return is_quiet and self.have_asked and all(_is_over(call, now) for call in self._calls)


def _is_over(call: Call, now: float) -> bool:
    settled_at = call.peer.settled_at
    return call.is_told or (settled_at is not None and now - settled_at > _SETTLE_SEC)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Name who is at the other end: an address of the network, or the number of a process."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return str(name[0])
    connection, option = transport.get_extra_info("socket"), getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None:  # macOS tells it in another way; all count as one there
        return ""
    process, _, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return str(process)

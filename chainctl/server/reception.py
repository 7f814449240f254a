"""The first bytes of a connection in; the protocol that speaks with its sender from then on out.

Calls get our own lean protocol: those of the same chain (`/-/…`), plain ones of outsiders, and health
probes. Everybody else, with whatever HTTP or WebSocket they bring, gets uvicorn's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Optional

from uvicorn.config import Config
from uvicorn.server import ServerState

from chainctl.server.app import ChainletApp
from chainctl.server.lean import LeanConnection

_CALLS = (
    b"POST /run_remote HTTP/1.1\r\n",
    b"POST /-/",
    b"GET /-/",
    b"GET /healthz ",
    b"GET /readyz ",
    b"GET /openz ",
)
_LONGEST = max(map(len, _CALLS))
_PATIENCE_SEC = 60.0


class Reception(asyncio.Protocol):
    """Made by uvicorn for each connection, as the protocol class of its settings."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: Any = None
        self._first = b""
        self._patience: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._state.connections.add(self)  # type: ignore[arg-type]  # it has what is asked of them: shutdown
        self._patience = self._loop.call_later(_PATIENCE_SEC, self.shutdown)

    def data_received(self, data: bytes) -> None:
        self._first += data
        calls = _CALLS if self._app.outer is None else _CALLS[1:]  # who forwards calls forwards all of them
        if len(self._first) < _LONGEST and any(p.startswith(self._first) for p in calls):
            return
        self._leave()
        if self._first.startswith(calls):
            self._hand_over(self._lean(), self._first)
        else:
            self._hand_over(self._outer(), self._first)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._leave()

    def shutdown(self) -> None:
        """Close a connection that has not said yet what it wants."""
        self._transport.close()

    def _leave(self) -> None:
        self._state.connections.discard(self)
        if self._patience is not None:
            self._patience.cancel()

    @property
    def _app(self) -> ChainletApp:
        app: ChainletApp = self._config.app  # type: ignore[assignment]  # the only one we serve
        return app

    def _lean(self) -> LeanConnection:
        app = self._app
        connections: set[Any] = self._state.connections

        def leave(connection: LeanConnection) -> None:
            connections.discard(connection)
            app.lean.discard(connection)

        connection = LeanConnection(app.service, self._loop, app.scratch, self._state.tasks, leave)
        connections.add(connection)
        app.lean.add(connection)
        return connection

    def _outer(self) -> asyncio.Protocol:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return HttpToolsProtocol(self._config, self._state, self._app_state, self._loop)

    def _hand_over(self, protocol: Any, first: bytes) -> None:
        """Let a protocol take over; reading is begun anew, because it may want to read into its own buffer."""
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        self._transport.pause_reading()
        self._transport.resume_reading()
        if isinstance(protocol, LeanConnection):
            protocol.feed(first)
        else:
            protocol.data_received(first)

"""An engine and what a build may be told in; a BuildKit session that is served in a thread out.

There is one session for each build. BuildKit asks by a session's id, so a build is told the secrets
that its own image declares and no others, and what was opened for it ends with it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.session_connection import SessionConnection, connect_session
from chainctl.adapters.docker.session_server import SessionProtocolError, SessionServer
from chainctl.adapters.docker.session_services import Method, SessionRefusal, Status
from chainctl.errors import ChainctlError

JOIN_SEC = 10


@dataclass(slots=True)
class Session:
    """One open session. `failure` is what a question ended with; `is_lost` after an end we did not make."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    failure: ChainctlError | None = None
    is_lost: bool = False
    _is_ending: threading.Event = field(default_factory=threading.Event, repr=False)

    def guarded(self, method: Method, message: bytes) -> bytes:
        """Answer; an error of ours is kept for the command, the engine only hears that there was one."""
        try:
            return method(message)
        except ChainctlError as error:
            self.failure = error
            raise SessionRefusal(Status.UNKNOWN, "the client could not answer") from None

    def serve(self, connection: SessionConnection, methods: Mapping[str, Method]) -> None:
        """Answer until the connection ends. To be run in a thread of its own."""
        server = SessionServer({path: partial(self.guarded, method) for path, method in methods.items()})
        with suppress(OSError, ValueError):
            connection.send(server.start())
            self._answer(server, connection)
            connection.send(server.last_words())
        self.is_lost = not self._is_ending.is_set()

    def end(self, cut: Callable[[], None]) -> None:
        self._is_ending.set()
        cut()

    def _answer(self, server: SessionServer, connection: SessionConnection) -> None:
        while not server.is_over and (data := connection.receive()):
            try:
                connection.send(server.receive(data))
            except SessionProtocolError:
                return


@contextmanager
def open_session(engine: Engine, methods: Mapping[str, Method]) -> Iterator[Session]:
    """Serve a session while the context lasts.

    Raises SessionUnavailableError where the engine takes none, EngineError when it is lost.
    """
    session = Session()
    with engine.client() as client:
        with engine.errors("open a session for build secrets"):
            connection = connect_session(client, session.id, methods)
        thread = threading.Thread(
            target=session.serve, args=(connection, methods), name=f"session-{session.id[:8]}", daemon=True
        )
        thread.start()
        try:
            yield session
        finally:
            session.end(connection.cut)
            thread.join(JOIN_SEC)
            connection.close()

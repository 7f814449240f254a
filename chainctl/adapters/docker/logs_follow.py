"""A running chain in; the lines that its services write from now on, those of new services too, out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing

from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.logs_source import LogWriter, LogWriters, log_line
from chainctl.adapters.docker.logs_stream import since_of, stamped_lines
from chainctl.adapters.docker.network import is_there
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.log_arrivals import LogArrivals
from chainctl.deploy.target import LogLine
from chainctl.errors import ChainctlError

_LOOK_SEC = 1.0
_JOIN_SEC = 5.0


class Follower:
    """Reads each container or task in a thread of its own; closing it ends them all.

    `seen` maps them to the time of the last line that was shown; others are read from
    `start` on, in seconds since the epoch.
    """

    def __init__(
        self,
        engine: Engine,
        chain: str,
        chainlets: Sequence[str],
        start: str,
        seen: dict[str, str],
        writers: LogWriters,
    ) -> None:
        self._engine = engine
        self._chain = chain
        self._chainlets = chainlets
        self._start = start
        self._seen = seen
        self._writers = writers
        self._arrived = LogArrivals()
        self._streams = OpenStreams()
        self._readers: dict[str, threading.Thread] = {}

    def lines(self) -> Iterator[LogLine]:
        """Yield lines as they come, until the chain is gone. Raises EngineError."""
        with Connection.opened(self._engine) as connection:
            while is_there(connection, self._chain):
                self._read_all(connection)
                yield from self._arrived.within(_LOOK_SEC)
        self._join()
        yield from self._arrived.within(0)

    def close(self) -> None:
        """Cut every stream and wait until its thread has left."""
        self._streams.cut()
        self._join()

    def _read_all(self, connection: Connection) -> None:
        """Start reading new ones, and again those that were restarted."""
        for writer in self._writers(connection, self._chain, self._chainlets):
            reader = self._readers.get(writer.id)
            if reader is None or (writer.is_running and not reader.is_alive()):
                self._readers[writer.id] = self._started(writer)

    def _started(self, writer: LogWriter) -> threading.Thread:
        thread = threading.Thread(
            target=self._read, args=(writer,), name=f"log of {writer.name}", daemon=True
        )
        thread.start()
        return thread

    def _read(self, writer: LogWriter) -> None:
        seen = self._seen.get(writer.id, "")
        since = since_of(seen) if seen else self._start
        try:
            with (
                Connection.opened(self._engine) as connection,
                closing(stamped_lines(connection, self._streams, writer, since=since, follow=True)) as lines,
            ):
                for line in lines:
                    if line.stamp > seen:
                        self._seen[writer.id] = line.stamp
                        self._arrived.put(log_line(writer, line))
        except ChainctlError as error:
            self._arrived.put(error)

    def _join(self) -> None:
        for reader in self._readers.values():
            reader.join(_JOIN_SEC)

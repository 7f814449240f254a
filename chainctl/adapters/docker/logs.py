"""A chain in; the lines that its services wrote, those that failed too, merged by time, out."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.logs_follow import Follower
from chainctl.adapters.docker.logs_source import LogWriter, LogWriters, log_line, service_containers
from chainctl.adapters.docker.logs_stream import stamped_lines
from chainctl.adapters.docker.target_connection import Connection
from chainctl.deploy.target import LogLine

_PIECES = 4
_SPARE = 64
_ROUNDING_SEC = 1e-6
"""Engines count nanoseconds, which a number of seconds since the epoch does not hold."""


def read_logs(
    engine: Engine,
    chain: str,
    *,
    chainlets: Sequence[str] = (),
    since: float | None = None,
    tail: int | None = None,
    follow: bool = False,
    writers: LogWriters = service_containers,
) -> Iterator[LogLine]:
    """Yield lines in time order; with `follow` those to come too, until the chain is taken down."""
    start = "" if since is None else f"{since - _ROUNDING_SEC:.9f}"
    with Connection.opened(engine) as connection:
        written = _Written(connection, start, tail)
        lines = written.lines(writers(connection, chain, chainlets))
        lines = (line for line in lines if since is None or line.time >= since)
        yield from lines if tail is None else deque(lines, maxlen=tail)
    if follow:
        with closing(Follower(engine, chain, chainlets, start, written.seen, writers)) as follower:
            yield from follower.lines()


@dataclass(frozen=True, slots=True)
class _Written:
    """What is in the logs now. `seen` has the time of the last line that was read, by what wrote it."""

    connection: Connection
    start: str
    tail: int | None
    seen: dict[str, str] = field(default_factory=dict)

    def lines(self, writers: Sequence[LogWriter]) -> Iterator[LogLine]:
        return heapq.merge(*(self._of(writer) for writer in writers), key=lambda line: line.time)

    def _of(self, writer: LogWriter) -> Iterator[LogLine]:
        """Yield `tail` lines or more: the engine counts the pieces that it cut long lines into."""
        pieces = None if self.tail is None else self.tail * _PIECES + _SPARE
        stream = stamped_lines(self.connection, OpenStreams(), writer, since=self.start, tail=pieces)
        with closing(stream) as lines:
            for line in lines:
                self.seen[writer.id] = line.stamp
                yield log_line(writer, line)

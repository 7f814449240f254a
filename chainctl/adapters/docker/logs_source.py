"""A chain and some of its chainlets in; what writes their logs, and lines as values, out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainctl.adapters.docker.labels import CHAINLET, INTERCEPT, Role
from chainctl.adapters.docker.logs_frames import StampedLine
from chainctl.adapters.docker.observe_container import epoch
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain
from chainctl.deploy.target import LogLine


@dataclass(frozen=True, slots=True)
class LogWriter:
    """What the engine keeps a log of. `kind` is what it calls such things: "containers" or "tasks"."""

    id: str
    name: str
    chainlet: str
    is_running: bool
    kind: str = "containers"


LogWriters = Callable[[Connection, str, Sequence[str]], list[LogWriter]]
"""Finds what writes the logs of a chain, and of those chainlets; no chainlets means all."""


def service_containers(connection: Connection, chain: str, chainlets: Sequence[str]) -> list[LogWriter]:
    """Return the containers of services, ended ones too; no chainlets means all. A stand-in writes nothing."""
    return [
        LogWriter(
            container.id, container.name, container.labels.get(CHAINLET, ""), is_running=container.is_running
        )
        for container in of_chain(connection, chain)
        if container.role == Role.SERVICE
        and INTERCEPT not in container.labels
        and (not chainlets or container.labels.get(CHAINLET) in chainlets)
    ]


def log_line(writer: LogWriter, line: StampedLine) -> LogLine:
    return LogLine(epoch(line.stamp), writer.chainlet, writer.name, line.text)

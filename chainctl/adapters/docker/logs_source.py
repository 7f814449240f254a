"""A chain and some of its chainlets in; the containers whose logs are wanted, and their lines as values, out."""

from __future__ import annotations

from collections.abc import Sequence

from chainctl.adapters.docker.labels import CHAINLET, INTERCEPT, Role
from chainctl.adapters.docker.logs_frames import StampedLine
from chainctl.adapters.docker.observe_container import Container, epoch
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import of_chain
from chainctl.deploy.target import LogLine


def service_containers(connection: Connection, chain: str, chainlets: Sequence[str]) -> list[Container]:
    """Return the containers of services, ended ones too; no chainlets means all. A stand-in writes nothing."""
    return [
        container
        for container in of_chain(connection, chain)
        if container.role == Role.SERVICE
        and INTERCEPT not in container.labels
        and (not chainlets or container.labels.get(CHAINLET) in chainlets)
    ]


def log_line(container: Container, line: StampedLine) -> LogLine:
    return LogLine(epoch(line.stamp), container.labels.get(CHAINLET, ""), container.name, line.text)

"""Replicas of a service in; the host names by which a front door looks for them out, and back. Pure."""

from __future__ import annotations

from chainctl.deploy.release import replica_of


def hosts_of(service: str, replicas: int) -> list[str]:
    """Return a host for each replica. An only one is called as its service, which then means no other."""
    if replicas == 1:
        return [service]
    return [f"{service}.{number}" for number in range(1, replicas + 1)]


def replica_at(host: str) -> tuple[str, int]:
    """Return the service and the number of the replica that a host name stands for."""
    service, _, number = host.rpartition(".")
    return (service, 1) if service and number == "1" else replica_of(host)

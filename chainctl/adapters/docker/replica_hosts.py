"""Replicas of a service in; the host names by which a front door looks for them out, and back. Pure.

Where replicas have names of their own each is looked for by its name. Where they share one, which stands for
the addresses of all, each place of the door takes an address that no other has.
"""

from __future__ import annotations

from chainctl.deploy.release import replica_of

_SHARED = "tasks."


def hosts_of(service: str, replicas: int, *, is_shared: bool = False) -> list[str]:
    """Return a host for each replica. An only one is called as its service, which then means no other."""
    if is_shared:
        return [f"{_SHARED}{service}"] * replicas
    if replicas == 1:
        return [service]
    return [f"{service}.{number}" for number in range(1, replicas + 1)]


def is_shared_host(host: str) -> bool:
    """Say whether a host name stands for all replicas of a service."""
    return host.startswith(_SHARED)


def replica_at(host: str) -> tuple[str, int]:
    """Return the service and the number of the replica that a host name stands for; 1 where all share it."""
    if is_shared_host(host):
        return host.removeprefix(_SHARED), 1
    service, _, number = host.rpartition(".")
    return (service, 1) if service and number == "1" else replica_of(host)

"""A service and who intercepts it in; what stands in for it on a target, as protocols, out."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Protocol

from chainctl.deploy.release import INTERCEPT_REPLICA, ServiceSpec, replica_name
from chainctl.errors import DeployError


class Standing(Protocol):
    """A stand-in that runs. It ends by itself once the link is closed.

    `link` is a stream of bytes to it. `callees` says by what it reaches each service that the chainlet calls.
    `is_direct` where the chainlet's process reaches those by itself, too. `variables` are those of its
    environment that only the target knows.
    """

    @property
    def link(self) -> socket.socket: ...

    @property
    def callees(self) -> Mapping[str, str]: ...

    @property
    def is_direct(self) -> bool: ...

    @property
    def variables(self) -> Mapping[str, str]: ...

    def lead(self) -> None:
        """Have the front door lead to it, where the service is the entrypoint. Raises DeployError, EngineError."""
        ...

    def clear(self) -> None:
        """Wait until it has ended, and remove what is left of it. Raises DeployError, EngineError."""
        ...


class StandIns(Protocol):
    """Starts stand-ins on one target."""

    def start(self, service: ServiceSpec, who: str, *, is_entrypoint: bool) -> Standing:
        """Start what stands in for all replicas of a service that runs; at first it only passes requests on to them.

        What an intercept that was cut off left behind is removed. Raises DeployError when somebody else
        intercepts it, EngineError.
        """
        ...


def stand_in_name(service: str) -> str:
    """Name what stands in for a service."""
    return replica_name(service, INTERCEPT_REPLICA)


def held(service: ServiceSpec, who: str) -> DeployError:
    """Return the error of one who wants to intercept what somebody else does."""
    return DeployError(
        f"{service.chain}/{service.chainlet} is intercepted by {who or 'somebody else'} already",
        hint=f"wait until that ends; `chainctl ps {service.chain}` shows it, and the next push ends it",
    )

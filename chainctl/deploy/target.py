"""Where a chain runs, as protocols: the target that is observed and acted on, and its log source."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chainctl.deploy.canary import Traffic
from chainctl.deploy.devices import HostDevices
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import Operation
from chainctl.deploy.release import DataMount, SecretRef, ServiceSpec
from chainctl.deploy.state import Capacity, ObservedState
from chainctl.events import Emit


class Vault(Protocol):
    """Gives secret values at the moment of need; they are in no plan, release or state."""

    def value(self, secret: SecretRef) -> bytes:
        """Return a secret's value. Raises MissingSecretError."""
        ...

    def token(self, chain: str) -> str:
        """Return the internal token that a chain's services call each other with."""
        ...


class DataSource(Protocol):
    """Gives files that services read, on this machine, whole and checked."""

    def get(self, data: DataMount) -> Path:
        """Return the file under its own name. Raises DownloadError and MissingSecretError."""
        ...

    def drop(self, data: DataMount) -> None:
        """Forget the file: the target has a copy of its own."""
        ...


class Control(Protocol):
    """A connection to the control socket of one running replica, which nobody but its owner reaches."""

    def ask(self, message: Mapping[str, Any], within_sec: float) -> Mapping[str, Any]:
        """Say something and return the answer. Raises DeployError when there is none in time, or none at all."""
        ...

    def cut(self) -> None:
        """End the connection from any thread: who waits for an answer gets a DeployError."""
        ...

    def close(self) -> None: ...


class Controls(Protocol):
    """What can open the control sockets of its services."""

    def control(self, chain: str, service: str, replica: int = 1) -> Control:
        """Connect to a replica. Raises DeployError when it does not run, or can not be reached."""
        ...


class DeployTarget(Controls, Protocol):
    """One place where chains run.

    `observe` and `apply` raise EngineError when the engine does not answer; `apply` raises
    DeployError (with the last log lines and the health answer) when an operation fails.
    Every operation may be applied again after a crash: it finds what is done and goes on.
    """

    @property
    def name(self) -> str:
        """Return what the target is called: as its kind, such as "docker", or as its table in the settings."""
        ...

    @property
    def pulls(self) -> bool:
        """Say whether services run from what was published, so that no engine need have their images."""
        ...

    def observe(self, chain: str) -> ObservedState: ...

    def chains(self) -> list[str]:
        """Return the names of all chains on this target, sorted."""
        ...

    def apply(self, operation: Operation, emit: Emit) -> None: ...

    def gpus(self) -> HostDevices | None:
        """Return the GPUs of the host and who has them, of every chain; None where nobody can tell.

        Raises EngineError when the engine does not answer.
        """
        ...

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Check that services may be put there and find a machine, before anything is built or changed.

        Returns what may fail and can not be known yet, a sentence each. Raises DeployError where it can
        be known that it would, EngineError.
        """
        ...

    def capacity(self) -> Capacity:
        """Return what there is for all services together. Raises EngineError."""
        ...

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        """Return what the front door counted of each service since its traffic was split.

        Raises EngineError, and DeployError when the door does not answer.
        """
        ...

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        """Call a service that may have no traffic yet: `body` is the JSON of `POST /run_remote`.

        Returns the status, 0 where no answer came within the time, and the body of the answer, or
        why there is none. Raises EngineError, and DeployError when the service is not there.
        """
        ...

    def connect(self, chain: str) -> socket.socket | None:
        """Connect to a chain's front door through the target; None where its URL is reached from here.

        What is sent arrives at the door as if it came from its own machine. Raises EngineError, and
        DeployError when the door does not run.
        """
        ...

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Return what a service answers to `GET path` of its own chain, such as `/-/spans`.

        Raises EngineError when the engine does not answer, DeployError when the service does not,
        or not with 200.
        """
        ...

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Return what services have to do now, all their replicas asked, and what the front door holds.

        With `within_sec` it waits for so long until the door holds a request. What does not answer is left
        out. A target that follows the load by itself returns nothing. Raises EngineError.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a service wrote. `time` is seconds since the epoch."""

    time: float
    chainlet: str
    service: str
    text: str


class LogSource(Protocol):
    """Reads what services wrote."""

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        """Yield lines in time order over all services; `tail` counts lines over all of them."""
        ...

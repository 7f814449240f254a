"""Secrets and time limits in, a local target with one image in a directory of its own out."""

from __future__ import annotations

import http.client
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainctl.adapters.local.client import SupervisorClient
from chainctl.adapters.local.images import LocalBuildBackend
from chainctl.adapters.local.memory import RunMemory, remember
from chainctl.adapters.local.paths import LocalPaths, RunPaths
from chainctl.adapters.local.target import LocalTarget
from chainctl.build.context import TAG_LENGTH, BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    RemoveNetwork,
    Route,
    StartService,
    StopService,
)
from chainctl.deploy.release import Call, Fingerprint, FrontDoor, Resources, SecretRef, ServiceSpec
from chainctl.deploy.state import ObservedState
from chainctl.errors import MissingSecretError
from tests.contract.local.local_shim import SHIM
from tests.fakes.data import MemoryData

CHAIN = "demo"
CAUSE = "a test asks for it"
CALL_SEC = 20.0
_POLL_SEC = 0.02


@contextmanager
def rig(
    *, drain_sec: float = 5.0, patience_sec: float = 20.0, secrets: dict[str, bytes] | None = None
) -> Iterator[Rig]:
    """Make a target and the image of the shim; at the end take down whatever is left of the chain."""
    with tempfile.TemporaryDirectory(prefix="cc-") as place:
        paths = LocalPaths.of(Path(place, "state"), xdg_runtime_dir=f"{place}/run", uid=os.getuid())
        target = LocalTarget(
            paths,
            DictVault(secrets or {}),
            data=MemoryData(),
            drain_sec=drain_sec,
            patience_sec=patience_sec,
            inherited=os.environ,
        )
        plan = image_plan(SHIM)
        LocalBuildBackend(paths.root).build(plan, lambda _: None)
        made = Rig(target, paths, str(plan.ref))
        try:
            yield made
        finally:
            made.apply(RemoveNetwork(CHAIN, CAUSE))


def image_plan(shim: str, *more: ContextFile) -> ImagePlan:
    """Plan the image of a service whose program is the text of `shim`."""
    context = BuildContext.of([ContextFile.of_text("app/shim.py", shim), *more])
    return ImagePlan("Shim", ImageRef(f"{CHAIN}/shim", context.digest[:TAG_LENGTH]), context, "")


class DictVault:
    """A vault that knows the secrets it was made with."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self._values = values

    def value(self, secret: SecretRef) -> bytes:
        if secret.name not in self._values:
            raise MissingSecretError(f"The secret {secret.name} has no value")
        return self._values[secret.name]

    def token(self, chain: str) -> str:
        return f"token-of-{chain}"


@dataclass
class Rig:
    """A target, its places, and the name of the one image that is on it."""

    target: LocalTarget
    paths: LocalPaths
    image: str

    @property
    def run(self) -> RunPaths:
        return self.paths.run(CHAIN)

    @property
    def port(self) -> int:
        """Return the port of the front door, which must have been opened once."""
        door = self.observe().front_door
        assert door is not None
        return int(door.url.rpartition(":")[2])

    @property
    def supervisor(self) -> int:
        """Return the process id of the supervisor, which must run."""
        pid = SupervisorClient(self.run).pid()
        assert pid is not None
        return pid

    def settle(self) -> int:
        """Let a chain that is not there yet remember a port that no other chain would choose; return it.

        Chains choose the lowest free port; one that is given up for a moment soon belongs to another.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        remember(self.run.memory, RunMemory(chain=CHAIN, port=port))
        return port

    def spec(self, name: str, *, calls: tuple[Call, ...] = (), **env: str) -> ServiceSpec:
        """Describe a service that plays the shim; the same name is the same service whatever its `env`."""
        return ServiceSpec(
            name=f"{CHAIN}-{name}",
            chain=CHAIN,
            chainlet=name.capitalize(),
            image=self.image,
            resources=Resources(cpus=1.5, memory_bytes=2**28, pids=64),
            env=tuple(sorted(env.items())),
            secrets=(),
            calls=calls,
            start_timeout_sec=30.0,
            fingerprint=Fingerprint(image=self.image, config=name, calls=""),
        )

    def apply(self, *operations: Operation) -> None:
        """Apply operations one after another."""
        for operation in operations:
            self.target.apply(operation, lambda _: None)

    def serve(self, spec: ServiceSpec) -> None:
        """Do what a push does: start a service, open the door, lead the door to it."""
        self.apply(
            EnsureNetwork(CHAIN, CAUSE),
            StartService(spec, CAUSE),
            AwaitReady(spec, CAUSE),
            EnsureFrontDoor(CHAIN, FrontDoor(), CAUSE),
            Route(CHAIN, spec.name, CAUSE),
        )

    def stop(self, spec: ServiceSpec) -> None:
        """Stop a service."""
        self.apply(StopService(CHAIN, spec.name, spec.chainlet, CAUSE))

    def observe(self) -> ObservedState:
        """Return what the target has of the chain."""
        return self.target.observe(CHAIN)

    def call(self, path: str = "/", body: str = "", *, port: int = 0) -> tuple[int, Any]:
        """POST to the front door; return the status and the JSON of the answer. Port 0 is the door's own."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=CALL_SEC)
        try:
            connection.request("POST", path, body.encode())
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def log_texts(self) -> list[str]:
        """Return what all services wrote, in time order."""
        return [line.text for line in self.target.logs(CHAIN)]


def with_secrets(spec: ServiceSpec, *names: str) -> ServiceSpec:
    """Return the same service, declared to use secrets."""
    return replace(spec, secrets=tuple(SecretRef(name, "f") for name in names))


def eventually(condition: Callable[[], bool], *, within_sec: float = 20.0) -> None:
    """Wait until a condition holds. Raises AssertionError when it does not in time."""
    deadline = time.monotonic() + within_sec
    while not condition():
        assert time.monotonic() < deadline, f"not true within {within_sec:g} s"
        threading.Event().wait(_POLL_SEC)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and was not reaped yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")

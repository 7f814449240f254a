"""The state directory and the runtime directories in, the place of every file of the local target out."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from chainctl.deploy.release import dns_label, replica_name, replica_of

MEMORY_NAME = "state.json"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The places of one chain.

    `state` outlives a reboot. `runtime` holds sockets, and is short because the path of a Unix
    socket is limited to 108 bytes. `secrets` is on a file system in memory where there is one;
    `shared`, where services share large buffers, is nowhere else. `caches` is where services keep what they
    fetch if that is to outlive the chain.
    """

    chain: str
    state: Path
    runtime: Path
    secrets: Path
    shared: Path | None = None
    caches: Path | None = None

    @property
    def memory(self) -> Path:
        return self.state / MEMORY_NAME

    @property
    def supervisor_log(self) -> Path:
        return self.state / "supervisor.log"

    @property
    def settings(self) -> Path:
        return self.runtime / "run.json"

    @property
    def control(self) -> Path:
        return self.runtime / "control.sock"

    @property
    def lock(self) -> Path:
        """Held by the supervisor; in `state`, as a logout may remove what is in `runtime`."""
        return self.state / "lock"

    def cache_of(self, name: str) -> Path:
        """Return where the services of the chain keep what they fetch."""
        return (self.caches or self.state / "caches") / name

    def log_of(self, service: str) -> Path:
        return self.state / "logs" / f"{service}.log"

    @property
    def sockets(self) -> Path:
        return self.runtime / "s"

    def socket_of(self, service: str) -> Path:
        """Replicas of a service have sockets side by side, so that callers find all of them."""
        base, replica = replica_of(service)
        return self.sockets / replica_name(_short(base), replica)

    def secrets_of(self, service: str) -> Path:
        return self.secrets / _short(service)

    def control_of(self, service: str) -> Path:
        """Beside its secrets: who can call a service must not be able to change its code."""
        return self.secrets / f"{_short(service)}.ctl"


@dataclass(frozen=True, slots=True)
class LocalPaths:
    """Where the local target keeps things: `root` for good, `runtime` and `secrets` until a reboot.

    `caches` is given where what services fetch is to outlive their chains, and `root`.
    """

    root: Path
    runtime: Path
    secrets: Path
    shared: Path | None = None
    caches: Path | None = None

    @classmethod
    def of(
        cls,
        root: Path,
        *,
        xdg_runtime_dir: str | None,
        uid: int,
        temporary: Path = Path("/tmp"),
        shared_memory: Path = Path("/dev/shm"),
        caches: Path | None = None,
    ) -> LocalPaths:
        """Choose the runtime directories: the login's, else one of our own."""
        own = f"chainctl-{uid}"
        shared = shared_memory / own if os.access(shared_memory, os.W_OK) else None
        if xdg_runtime_dir:
            runtime = Path(xdg_runtime_dir) / "chainctl"
            return cls(root, runtime, runtime, shared, caches)
        in_memory = shared_memory if shared_memory.is_dir() else temporary
        return cls(root, temporary / own, in_memory / own, shared, caches)

    @property
    def images(self) -> Path:
        return self.root / "images"

    def run(self, chain: str) -> RunPaths:
        """Return the places of a chain; they differ between two state directories."""
        short = _short(f"{self.root.absolute()}\0{chain}")
        return RunPaths(
            chain=chain,
            state=self.root / "chains" / _directory_of(chain),
            runtime=self.runtime / short,
            secrets=self.secrets / f"{short}-secrets",
            shared=self.shared / f"{short}-shared" if self.shared else None,
            caches=self.caches / _directory_of(chain) if self.caches else None,
        )


def cache_below(caches: Path, chain: str, name: str) -> Path:
    """Return the place of a cache that outlives its chain, for who runs a service of it otherwise."""
    return caches / _directory_of(chain) / name


def _directory_of(chain: str) -> str:
    return f"{dns_label(chain)[:40]}-{_short(chain)[:8]}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]

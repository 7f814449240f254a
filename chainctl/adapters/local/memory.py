"""What a supervisor knows of its chain in, a JSON file that is always whole out, and back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import EngineError

RETIRED_LIMIT = 20


class _Remembered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RememberedService(_Remembered):
    """A service without its secrets and environment. `exit_code` is of its last end, None before.

    `gpus` are ids of devices that it was given, with `gpu_memory_bytes` of each, None for all of it;
    it has them while it `is_alive`, ready or not. `secrets_digest` covers the values that it was started with.
    """

    name: str
    chainlet: str
    image: str
    fingerprint: Fingerprint
    secrets_digest: str = ""
    status: ServiceStatus
    since: float
    restarts: int = 0
    exit_code: int | None = None
    gpus: tuple[str, ...] = ()
    gpu_memory_bytes: int | None = None
    is_alive: bool = False
    intercepted_by: str = ""


class RememberedDoor(_Remembered):
    """A front door. `route` is the service it leads to, `canary` the one with a part of its traffic.

    `replicas` is over how many replicas of `route` the traffic is spread, the first ones; 0 where it goes to others.
    """

    url: str
    digest: str
    route: str | None = None
    canary: str | None = None
    replicas: int = 1


class RetiredService(_Remembered):
    """A service that was stopped, whose log is still kept."""

    name: str
    chainlet: str


class RunMemory(_Remembered):
    """All that is kept of one chain on this machine. `port` is the last port that was chosen."""

    version: Literal[1] = 1
    chain: str
    services: tuple[RememberedService, ...] = ()
    door: RememberedDoor | None = None
    port: int | None = None
    retired: tuple[RetiredService, ...] = ()


def recall(path: Path) -> RunMemory | None:
    """Read what was kept, None when nothing was. Raises EngineError when it cannot be understood."""
    try:
        return RunMemory.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise EngineError(
            f"The state file {path} cannot be read",
            hint="run the chainctl version that wrote it, or move the file away and push again",
            details=str(error).splitlines(),
        ) from error


def remember(path: Path, memory: RunMemory) -> None:
    """Replace what was kept."""
    write_whole(path, memory.model_dump_json(indent=2).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that readers see whole or not at all, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise

"""What was found on this machine and on its engine, as values: what `chainctl doctor` decides by."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.docker.engine_info import EngineInfo


@dataclass(frozen=True, slots=True)
class PathFacts:
    """A path and what is there; `mode` is its permission bits, None where nothing is.

    `is_writable` and `free_bytes` tell of the nearest directory that exists where the path does not.
    """

    path: Path
    mode: int | None = None
    is_directory: bool = False
    is_writable: bool = False
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """The secrets directory, the files in it that others may read, and the secrets file of the settings."""

    directory: PathFacts
    open_files: tuple[Path, ...] = ()
    file: PathFacts | None = None


@dataclass(frozen=True, slots=True)
class PortFacts:
    """Whether the front door could listen. `error` says why not, where the address is the reason."""

    bind: str
    wanted: int | None
    free: int | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What nvidia-smi says; `has_smi` is False where there is no such command."""

    has_smi: bool = False
    names: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """Where local processes keep their Unix sockets; `error` says why none can be made there."""

    runtime: Path
    error: str = ""


class Unreachable(enum.Enum):
    """Why an engine did not answer."""

    NO_PERMISSION = enum.auto()
    NOT_RUNNING = enum.auto()
    TOO_LATE = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class EngineSilence:
    """An engine that did not answer: why, in which words, and other sockets on which one may listen."""

    reason: Unreachable
    message: str
    hint: str = ""
    other_sockets: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """An engine that answered. `images` says of each image asked for whether it is there.

    `disk` is None where the engine keeps its data on another machine.
    """

    info: EngineInfo
    images: tuple[tuple[str, bool], ...] = ()
    disk: PathFacts | None = None

"""What the harness knows of a peer: how it is installed, how its services start, where workloads call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.jobs import Target
from tests.bench.stage import Stage

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
APPS = HERE / "apps"


@dataclass(frozen=True, slots=True)
class Scene:
    """A peer that runs. `targets` is by kind of call: hop, fan, array, shared1, shared2, shared3."""

    targets: Mapping[str, Target]
    idle: tuple[int, ...] = ()
    """The process of each service of the `hop` call, for its memory."""
    ready_secs: tuple[float, ...] = ()
    """How long each service took from its start until it was ready."""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody to be measured. `distribution` is the one whose version is told."""

    name: str
    requirements: tuple[str, ...]
    distribution: str
    launch: Callable[[Stage, Path], Scene]
    """Given a stage and the Python of the peer's environment, start all services."""
    is_pausable: bool = True

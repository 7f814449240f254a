"""What happened while a command worked, as values; the console or a test decides how to show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase of the command begins, such as "Build"."""

    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is no error; said once."""

    text: str


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The image of a chainlet is being built; `reason` says why."""

    chainlet: str
    image: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BuildStepped:
    """A build reached an instruction. `cached` when the engine reused an earlier result."""

    chainlet: str
    step: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class BuildStepEnded:
    """An instruction is done. `seconds` is the engine's own measure; the classic builder tells none."""

    chainlet: str
    step: str
    seconds: float
    cached: bool = False


@dataclass(frozen=True, slots=True)
class BuildLogged:
    """One line that a build instruction wrote."""

    chainlet: str
    line: str


@dataclass(frozen=True, slots=True)
class BuildFinished:
    """An image is there. `seconds` is wall time."""

    chainlet: str
    image: str
    seconds: float


ONLY_LINES = "only lines moved"
"""The reason where an edit is of another part of a file."""


@dataclass(frozen=True, slots=True)
class EditApplied:
    """An edit is served: what was done with each chainlet, with the seconds that it took, and why.

    `steps` are of the chainlet, the action and the reason; without any, what is saved serves already.
    `generation` is the chain's since it was pushed.
    """

    generation: int
    steps: tuple[tuple[str, str, str], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class EditRefused:
    """An edit is not served, what served before goes on: what is wrong with it, and where."""

    message: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationStarted:
    """A step of the deploy plan begins; `text` is the line that the plan printed for it."""

    text: str


@dataclass(frozen=True, slots=True)
class OperationFinished:
    """A step of the deploy plan is done. `seconds` is wall time."""

    text: str
    seconds: float


Event = (
    PhaseStarted
    | Notice
    | BuildStarted
    | BuildStepped
    | BuildStepEnded
    | BuildLogged
    | BuildFinished
    | OperationStarted
    | OperationFinished
    | EditApplied
    | EditRefused
)
Emit = Callable[[Event], None]

"""What the load process is asked for and what it says, as frozen dataclasses and lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Where a workload is called: `address` is `tcp:PORT` or `unix:PATH`, `form` a form of body."""

    address: str
    path: str
    form: str = "number"
    content_type: str = "application/json"
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Calls to a target: for `seconds`, or until `most` calls were made, by `clients` at once.

    `size` is in bytes for arrays; for numbers it is the number that must come back.
    """

    target: Target
    size: int
    clients: int = 1
    seconds: float = 1.0
    most: int = 1_000_000
    warm: int = 20

    def line(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> Job:
        """Read such a line."""
        told = json.loads(line)
        return cls(**{**told, "target": Target(**told["target"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured: the median and the 99th percentile of a call in seconds, calls per second."""

    p50: float
    p99: float
    rate: float
    calls: int
    error: str = ""

    def line(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> Outcome:
        """Read such a line."""
        return cls(**json.loads(line))

"""Values of rounds in, medians and ratios of pairs out. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and the least and the largest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(slots=True)
class Samples:
    """What was measured: by workload and peer one value a round, None where a round failed."""

    values: dict[tuple[str, str], list[float | None]] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, workload: str, peer: str, value: float) -> None:
        """Note the value of a round."""
        self.values.setdefault((workload, peer), []).append(value)

    def fail(self, workload: str, peer: str, error: str) -> None:
        """Note that a round gave no value."""
        self.values.setdefault((workload, peer), []).append(None)
        self.errors[workload, peer] = error

    def spread(self, workload: str, peer: str) -> Spread | None:
        """Return the summary of the rounds, None without any value."""
        known = [v for v in self.values.get((workload, peer), []) if v is not None]
        return Spread.of(known) if known else None

    def ratio(self, workload: str, peer: str, other: tuple[str, str]) -> Spread | None:
        """Return the summary of `peer / other`, round by round: both meet the same noise."""
        mine = self.values.get((workload, peer), [])
        theirs = self.values.get(other, [])
        pairs = [m / t for m, t in zip(mine, theirs, strict=False) if m is not None and t]
        return Spread.of(pairs) if pairs else None

    def peers(self) -> list[str]:
        """Return the peers, in the order in which they first gave a value."""
        return list(dict.fromkeys(peer for _, peer in self.values))

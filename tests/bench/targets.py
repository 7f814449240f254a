"""What chainctl must reach, as ratios within one run or as absolute bounds; measured values in, verdicts out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.bench.samples import Samples, Spread

OURS = "chainctl"
FLOOR = "floor"
TRUSS = "Truss Chains"
AIOHTTP = "FastAPI + aiohttp"
UNTRACED = "chainctl, telemetry off"

Verdict = Literal["pass", "fail", "not measured"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound of a workload of chainctl. `against` is a peer, "" for the value itself."""

    workload: str
    against: str
    relation: Literal["<=", ">="]
    limit: float
    base: str = ""
    """The workload of `against` that is compared with, "" for the same."""
    what: str = ""

    def measured(self, samples: Samples) -> Spread | None:
        """Return the value or the ratio."""
        if not self.against:
            return samples.spread(self.workload, OURS)
        return samples.ratio(self.workload, OURS, (self.base or self.workload, self.against))

    def verdict(self, samples: Samples) -> Verdict:
        """Judge the median."""
        value = self.measured(samples)
        if value is None:
            return "not measured"
        met = value.median <= self.limit if self.relation == "<=" else value.median >= self.limit
        return "pass" if met else "fail"


BOUNDS = (
    Bound("hop1", TRUSS, "<=", 0.10),
    Bound("hop1", FLOOR, "<=", 2.5),
    Bound("hop32", TRUSS, ">=", 15),
    Bound("hop32", AIOHTTP, ">=", 4),
    Bound("hop32", FLOOR, ">=", 0.4),
    Bound("fan16", TRUSS, "<=", 0.06),
    Bound("fan16", FLOOR, "<=", 3),
    Bound("array1", TRUSS, "<=", 0.2),
    Bound("array1", FLOOR, "<=", 2.5),
    Bound("array16", TRUSS, "<=", 0.25),
    Bound("array16", FLOOR, "<=", 2),
    Bound("shared1", TRUSS, "<=", 0.15, base="array16", what="16 MiB over shared memory"),
    Bound("shared1", FLOOR, "<=", 2, what="16 MiB over shared memory, the floor too"),
    Bound("shared3", OURS, "<=", 1.25, base="shared1", what="3 pass-through hops against 1"),
    Bound("rss", "", "<=", 50),
    Bound("ready", "", "<=", 0.7),
    Bound("cancel", "", "<=", 100),
    Bound("retries", "", "<=", 1.3),
    Bound("hop32", UNTRACED, ">=", 0.95, what="one hop, 32 clients, telemetry on against off"),
)

"""The workloads: what is called, how, and which figure of it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.bench.bodies import FAN_SUM
from tests.bench.jobs import Job, Outcome, Target

MIB = 1 << 20
Unit = Literal["ms", "req/s", "MB", "s", "calls"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A row of the report. `call` is the kind of target, `size` as in Job."""

    key: str
    title: str
    call: str
    size: int
    clients: int = 1
    unit: Unit = "ms"
    warm: int = 30

    def job(self, target: Target, seconds: float) -> Job:
        """Return what the load process is asked for."""
        return Job(target, self.size, self.clients, seconds, warm=self.warm)

    def figure(self, outcome: Outcome) -> float:
        """Return the figure that is told, in the unit of the workload."""
        return outcome.rate if self.unit == "req/s" else outcome.p50 * 1000


LOADS = (
    Workload("hop1", "one hop, 1 client, p50", "hop", 2),
    Workload("hop32", "one hop, 32 clients", "hop", 2, clients=32, unit="req/s", warm=300),
    Workload("fan16", "16 calls at once, 1 client, p50", "fan", FAN_SUM, warm=10),
    Workload("array1", "1 MiB float32 there and back, p50", "array", MIB, warm=5),
    Workload("array16", "16 MiB float32 there and back, TCP, p50", "array", 16 * MIB, warm=2),
    Workload("shared1", "16 MiB, shared memory, 1 hop, p50", "shared1", 16 * MIB, warm=3),
    Workload("shared2", "16 MiB, shared memory, 2 hops, p50", "shared2", 16 * MIB, warm=3),
    Workload("shared3", "16 MiB, shared memory, 3 hops, p50", "shared3", 16 * MIB, warm=3),
)
FACTS = (
    Workload("rss", "resident memory of an idle service", "", 0, unit="MB"),
    Workload("ready", "start to ready", "", 0, unit="s"),
    Workload("cancel", "caller gone to last of 5 chainlets stopped", "", 0),
    Workload("retries", "calls at the last of 3 hops per call, 50 % faults", "", 0, unit="calls"),
    Workload("cli", "`--help` of the command line", "", 0),
    Workload("completion", "one completion in the shell", "", 0),
)
ALL = {workload.key: workload for workload in (*LOADS, *FACTS)}

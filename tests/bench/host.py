"""Nothing in; what this machine is, and how noisy it is while it measures, out."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_SPINS = 400_000


@dataclass(frozen=True, slots=True)
class Host:
    """The machine of a run."""

    cpu: str
    cpus: int
    memory_gib: float
    system: str
    python: str


def this_host() -> Host:
    """Ask the system."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Host(
        cpu=_cpu_model(),
        cpus=len(os.sched_getaffinity(0)),
        memory_gib=pages / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def spin_ms() -> float:
    """Time a fixed piece of pure Python: how much it varies is the noise of the machine."""
    started = time.perf_counter()
    total = 0
    for number in range(_SPINS):
        total += number
    return (time.perf_counter() - started) * 1000


def load_average() -> float:
    """Return the load of the last minute."""
    return os.getloadavg()[0]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

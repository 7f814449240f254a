"""Nothing in; docs/benchmarks-scale.md out: balancing, waking, a lost node and large manifests, in one run.

`python -m tests.bench.scale`, or `make bench-scale`. Exits with 1 when a bound is not met.
"""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import balance, manifests, swarm_kill, wake
from tests.bench.host import load_average, this_host
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "benchmarks-scale.md"
_HEAD = ["| what | must be | measured | verdict |", "| --- | --- | --- | --- |"]
_WIDTH = 118
_VERDICTS = {True: "pass", False: "**FAIL**", None: "–"}


@dataclass(frozen=True, slots=True)
class Part:
    """One of the measurements: its rows as cells, and how it was made."""

    rows: tuple[tuple[str, str, str, str], ...]
    prose: str

    @property
    def passes(self) -> bool:
        return not any("FAIL" in row[3] or "not met" in row[3] for row in self.rows)


def parts() -> Iterator[Part]:
    """Measure one thing after the other."""
    spread = balance.measured_rows()
    yield Part(
        tuple((r.what, r.bound, r.measured, _VERDICTS[r.is_met]) for r in spread),
        "**Balancing.** Eight processes take 20 to 80 ms for a call in the mean, one call at a time each, at 70 % of "
        "what they can do together. The ideal is a simulation with the same arrivals and works, in which somebody "
        "who knows all replicas gives each call to the one that will answer it first. "
        + " ".join(f"{r.what}: {r.remark}." for r in spread if r.remark),
    )
    woken = wake.measure(3)
    yield Part(tuple(_cells(row) for row in wake.rows(woken)), f"**Waking.** {wake.prose(woken)}")
    killed = swarm_kill.measure(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    yield Part(
        tuple((what, f"≤ {bound}", value, _VERDICTS[met]) for what, value, bound, met in killed.rows),
        f"**A lost node.** {killed.prose}",
    )
    written = manifests.measured()
    yield Part(tuple(_cells(row) for row in manifests.rows(written)), manifests.prose(written).strip())


def _cells(row: str) -> tuple[str, str, str, str]:
    what, bound, measured, verdict = (cell.strip() for cell in row.strip().strip("|").split("|"))
    return what, bound, measured, "pass" if verdict == "met" else verdict


def main() -> int:
    """Measure, and write the page."""
    started, load = time.time(), load_average()
    found = list(parts())
    host = this_host()
    rows = [f"| {' | '.join(row)} |" for part in found for row in part.rows]
    text = "\n".join(
        [
            "# Benchmarks of scale",
            "",
            "Written by `make bench-scale`; edits are lost. Every figure here is from one run on one machine.",
            "",
            *_HEAD,
            *rows,
            "",
            "## How it is measured",
            "",
            "\n\n".join(textwrap.fill(part.prose, _WIDTH) for part in found),
            "",
            "## The machine",
            "",
            f"{host.cpu}, {host.cpus} CPUs, {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}.",
            f"The load was {load:.1f} when it began.",
            f"{time.strftime('%Y-%m-%d', time.gmtime(started))}, {time.time() - started:.0f} s.",
            "",
        ]
    )
    PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0 if all(part.passes for part in found) else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.bench.manifests`: chains of many chainlets written out as manifests, measured; rows and prose out.

Exits with 1 when a bound is not met.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.kubernetes.tree import kubernetes_tree
from chainctl.deploy.rendered import Rendered
from chainctl.graph.graph import ChainGraph
from chainctl.templates import prepare
from chainctl.workflows.render_release import write_tree
from tests.fakes.chains import graph_of, release_of

COUNTS = (50, 100, 200)
BOUND_SEC = 2.0
BOUND_RATIO = 2.5
ROUNDS = 5
_CALLEES = 4


@dataclass(frozen=True, slots=True)
class Written:
    """What so many chainlets took, in seconds: from a graph to files on the disk, and the manifests of it alone."""

    chainlets: int
    files: int
    whole_sec: tuple[float, ...]
    manifests_sec: tuple[float, ...]

    @property
    def whole(self) -> float:
        return statistics.median(self.whole_sec)

    @property
    def manifests(self) -> float:
        return statistics.median(self.manifests_sec)


def measured(counts: Sequence[int] = COUNTS, rounds: int = ROUNDS) -> list[Written]:
    """Write chains of these sizes out, each so often, in turns."""
    prepare()
    graphs = {count: wide_graph(count) for count in counts}
    for graph in graphs.values():
        _once(graph)
    taken = [{count: _once(graph) for count, graph in graphs.items()} for _ in range(rounds)]
    return [
        Written(
            count,
            taken[0][count][2],
            tuple(one[count][0] for one in taken),
            tuple(one[count][1] for one in taken),
        )
        for count in counts
    ]


def wide_graph(count: int) -> ChainGraph:
    """A chain in which each chainlet calls the next four."""
    names = [f"Chainlet{number}" for number in range(count)]
    return graph_of({name: names[i + 1 : i + 1 + _CALLEES] for i, name in enumerate(names)})


def rows(found: Sequence[Written]) -> list[str]:
    """Return the rows of a table: what, its bound, what was measured, the verdict."""
    largest, before = found[-1], found[-2]
    ratio = largest.manifests / before.manifests
    shown = [
        _row(f"{one.chainlets} chainlets as manifests, median", "–", f"{one.whole:.3f} s", "–")
        for one in found
    ]
    shown[-1] = _row(
        f"{largest.chainlets} chainlets as manifests, from the graph to {largest.files} files, median",
        f"≤ {BOUND_SEC:.0f} s",
        f"{largest.whole:.3f} s",
        _verdict(is_met=largest.whole <= BOUND_SEC),
    )
    what = f"manifests of {largest.chainlets} chainlets against {before.chainlets}"
    return [
        *shown,
        _row(what, f"≤ {BOUND_RATIO} times", f"{ratio:.2f} times", _verdict(is_met=ratio <= BOUND_RATIO)),
    ]


def passes(found: Sequence[Written]) -> bool:
    """Say whether it was fast enough, and grew with the chain and not faster."""
    return not any("FAIL" in row for row in rows(found))


def prose(found: Sequence[Written]) -> str:
    """Return how it is measured, and every figure."""
    every = "\n".join(
        f"{one.chainlets}: {_list(one.whole_sec)}; of that manifests: {_list(one.manifests_sec)}."
        for one in found
    )
    return f"""**Manifests.** A chain in which each chainlet calls the next {_CALLEES} is planned, released, written as
Kubernetes' objects and put on the disk, {len(found[0].whole_sec)} times for each size, in turns, after one turn to
warm up; nothing is locked or built. Twice the chainlets may take {BOUND_RATIO} times as long. Times by chainlets:
{every}
"""


def _once(graph: ChainGraph) -> tuple[float, float, int]:
    began = time.perf_counter()
    release = release_of(graph)
    planned = time.perf_counter()
    rendered: Rendered = kubernetes_tree(release, ClusterSettings())
    decided = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        decided_to_write = time.perf_counter()
        files = write_tree(rendered, Path(directory) / "out")
        written = time.perf_counter()
    return decided - began + written - decided_to_write, decided - planned, len(files)


def _verdict(*, is_met: bool) -> str:
    return "pass" if is_met else "FAIL"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _list(seconds: Sequence[float]) -> str:
    return ", ".join(f"{one:.3f} s" for one in seconds)


def main() -> int:
    found = measured()
    print("\n".join(rows(found)))
    print(prose(found))
    return 0 if passes(found) else 1


if __name__ == "__main__":
    sys.exit(main())

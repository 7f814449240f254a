"""Figures of builds in, docs/benchmarks-builds.md out. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.host import Host
from tests.bench.samples import Spread


@dataclass(frozen=True, slots=True)
class Versus:
    """What was measured against what, round by round: a ratio, a difference, or (`is_plain`) neither."""

    other: str
    mine: Sequence[float]
    theirs: Sequence[float]
    is_difference: bool = False
    is_plain: bool = False

    @property
    def spread(self) -> Spread:
        pairs = list(zip(self.mine, self.theirs, strict=True))
        if self.is_plain:
            return Spread.of(list(self.mine))
        return Spread.of([m - t if self.is_difference else m / t for m, t in pairs])


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report; `limit` None is no bound."""

    what: str
    versus: Versus
    limit: float | None
    unit: str

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        return "pass" if self.versus.spread.median <= self.limit else "FAIL"


def report(
    figures: Sequence[Figure], host: Host, started: float, seconds: float, load: float, rounds: int
) -> str:
    """Write the page."""
    bounded = [figure for figure in figures if figure.limit is not None]
    met = sum(figure.verdict == "pass" for figure in bounded)
    day = time.strftime("%Y-%m-%d", time.gmtime(started))
    return f"""# Benchmarks of builds

Written by `make bench-builds`; edits are lost. Every figure here is from one run on one machine.

## What chainctl must reach

{met} of {len(bounded)} bounds are met. Figures are medians of pairs taken round by round; least and largest
in brackets.

{_table(["what", "against", "must be", "measured", "verdict"], [_row(figure) for figure in figures])}

## Seconds

{_table(["what", "median", "least", "largest"], _seconds(figures))}

## How it is measured

The requirements are numpy, pydantic, onnxruntime and scikit-learn, with what chainctl needs itself. Builds
go through the same functions as those of a push. *Cold* means: no layer of the image, no package and no uv
is on the engine, only the base image. Caches are made cold by giving them other names. pip compiles all
that it installs; chainctl compiles all but tests, on all processors; *nothing compiled* is what it would be
without. An uncompiled package is compiled anew whenever a service starts, since it can not write.

The engine's own build of no change is the same request once more, with all steps cached. Bytes on disk are
those of layers, each counted once.

## The machine

{host.cpu}, {host.cpus} CPUs, {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}. The load was
{load:.1f} when it began. {rounds} rounds on {day}, {seconds:.0f} s.
"""


def _row(figure: Figure) -> list[str]:
    value = figure.versus.spread
    return [
        figure.what,
        figure.versus.other or "–",
        "–" if figure.limit is None else f"≤ {figure.limit:g}{figure.unit}",
        f"{value.median:.2f} [{value.low:.2f}, {value.high:.2f}]{figure.unit}",
        figure.verdict or "–",
    ]


def _seconds(figures: Sequence[Figure]) -> list[list[str]]:
    rows: dict[str, Spread] = {}
    for figure in figures:
        if figure.versus.is_plain or "bytes" in figure.what:
            continue
        rows.setdefault(figure.what, Spread.of(list(figure.versus.mine)))
        rows.setdefault(figure.versus.other, Spread.of(list(figure.versus.theirs)))
    return [[what, *(f"{v:.2f}" for v in (s.median, s.low, s.high))] for what, s in rows.items()]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

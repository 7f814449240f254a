"""Courses of edits in, docs/benchmarks-watch.md out. Pure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.host import Host
from tests.bench.watch_tally import Tally

ASKED_PER_SECOND = 100
_P50 = {"local": 0.150, "docker": 0.300}
_P99 = {"local": 0.400, "docker": 0.600}
_RESTART = 1.5


@dataclass(frozen=True, slots=True)
class Timed:
    """One edit: seconds from save to the first answer of new code, and to what the command told, and that."""

    answered_sec: float
    told_sec: float
    told: str


@dataclass(frozen=True, slots=True)
class Course:
    """All edits on one target. `start_sec` is what a push took for the service that starts slowly."""

    target: str
    start_sec: float
    swaps: tuple[Timed, ...]
    restart: Timed
    rebuild: Timed
    tally: Tally

    @property
    def swap_p50(self) -> float:
        return statistics.median(one.answered_sec for one in self.swaps)

    @property
    def swap_p99(self) -> float:
        """The value that 99 of a hundred do not exceed; of fewer than a hundred the largest."""
        ordered = sorted(one.answered_sec for one in self.swaps)
        return ordered[min(len(ordered) - 1, -(-len(ordered) * 99 // 100) - 1)]


def report(courses: Sequence[Course], host: Host, started: float, seconds: float, load: float) -> str:
    """Write the page."""
    day = time.strftime("%Y-%m-%d", time.gmtime(started))
    heads = [head for c in courses for head in (f"{c.target}: must be", "measured", "verdict")]
    count = len(courses[0].swaps)
    return f"""# Benchmarks of watching

Written by `make bench-watch`; edits are lost. Every figure here is from one run on one machine.

## From saving a file to the first answer of new code

{_table(["what", *heads], [_bound(one, courses) for one in _BOUNDS])}

## {courses[0].tally.edits} edits under load, {courses[0].tally.broken} of them broken

{_table(["what", "must be", *(c.target for c in courses)], [_row(one, courses) for one in _LINES])}

## How it is measured

The chain has an entrypoint above a chainlet, Model, whose `__init__` takes {courses[0].start_sec:.0f} s with all that
starting a service takes; both use one module of their own. An edit is a file that is renamed over the old one, as
editors do. Then the front door is asked over one connection, again 3 ms after each answer, until the answer carries
the marks of the edit. `__init__` must not run again, or an answer would be as late as a start. {count} edits change
bodies: those of both chainlets, of one, of the other, of the module, by turns. The restart is an edit of a file of
data, the rebuild one of the requirements of the image. What a rebuild may take is the installation of the build bench
and the start; it is given without a verdict, because the requirements are not the same.

Under load Model starts at once. {ASKED_PER_SECOND} requests a second are asked on connections that stay, and none is
asked again. Edits follow each other as soon as the command has told what came of the last one: bodies, constants and
`__init__` by turns. Broken ones have a syntax error, import what is not there, raise when they are imported, raise in
`__init__`, or have a signature without types. An answer carries the marks of all that it passed. It is *mixed* when
they are not those of one edit; *never served* when they are those of a broken one; *late* when it was asked after the
command had told of a newer edit.

## The machine

{host.cpu}, {host.cpus} CPUs, {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}. The load was
{load:.1f} when it began. {day}, {seconds:.0f} s.
"""


@dataclass(frozen=True, slots=True)
class _Bound:
    what: str
    value: Callable[[Course], float]
    limit: Callable[[Course], float | None]
    unit: Callable[[float], str]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _sec(seconds: float) -> str:
    return f"{seconds:.1f} s"


_BOUNDS = (
    _Bound("bodies changed, median", lambda c: c.swap_p50, lambda c: _P50[c.target], _ms),
    _Bound("bodies changed, p99", lambda c: c.swap_p99, lambda c: _P99[c.target], _ms),
    _Bound("restart", lambda c: c.restart.answered_sec, lambda c: _RESTART * c.start_sec, _sec),
    _Bound("rebuild", lambda c: c.rebuild.answered_sec, lambda c: None, _sec),
    _Bound("the service's own start", lambda c: c.start_sec, lambda c: None, _sec),
)


def _bound(bound: _Bound, courses: Sequence[Course]) -> list[str]:
    cells = [bound.what]
    for course in courses:
        value, limit = bound.value(course), bound.limit(course)
        shown = "–" if limit is None else f"≤ {bound.unit(limit)}"
        verdict = "–" if limit is None else "pass" if value <= limit else "FAIL"
        cells += [shown, bound.unit(value), verdict]
    return cells


@dataclass(frozen=True, slots=True)
class _Line:
    what: str
    must: str
    value: Callable[[Tally], str]


_LINES = (
    _Line("requests", "–", lambda t: f"{t.requests:,}"),
    _Line("requests a second", f"≈ {ASKED_PER_SECOND}", lambda t: f"{t.per_second:.0f}"),
    _Line("requests that failed", "0", lambda t: str(t.failed)),
    _Line("answers that mixed two edits", "0", lambda t: str(t.mixed)),
    _Line("answers of a broken edit", "0", lambda t: str(t.never_served)),
    _Line("answers of old code after the command had told of new code", "0", lambda t: str(t.late)),
    _Line("edits of which the command told what is not true", "0", lambda t: str(t.untrue)),
    _Line("the slowest answer", "–", lambda t: f"{t.slowest_sec * 1000:.0f} ms"),
)


def _row(line: _Line, courses: Sequence[Course]) -> list[str]:
    return [line.what, line.must, *(line.value(course.tally) for course in courses)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

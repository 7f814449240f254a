"""Courses of releases in, docs/benchmarks-releases.md out. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.host import Host
from tests.bench.release_log import Tally, Tried

ASKED_PER_SECOND = 200


@dataclass(frozen=True, slots=True)
class Course:
    """All releases on one target, and what callers saw of them."""

    target: str
    tried: tuple[Tried, ...]
    tally: Tally


def report(courses: Sequence[Course], host: Host, started: float, seconds: float, load: float) -> str:
    """Write the page."""
    day = time.strftime("%Y-%m-%d", time.gmtime(started))
    return f"""# Benchmarks of releases

Written by `make bench-releases`; edits are lost. Every figure here is from one run on one machine.

## What chainctl must reach

{_table(["what", "must be", *(c.target for c in courses)], [_row(one, courses) for one in _LINES])}

## The releases

Each is pushed while the callers go on. A broken one must end with the exit code that is true of it, and
nobody may notice it.

{_table(["release", *(f"{c.target}: exit codes, seconds" for c in courses)], _releases(courses))}

## How it is measured

Three chains of three chainlets each are pushed side by side: their entrypoints answer, stream and talk over
a WebSocket. Each answer carries the marks of all chainlets that it passed. Callers ask the first chain at a
steady pace, on connections that stay and on new ones; one stream and one WebSocket are open all the time, and
are opened again when they end. Nothing is asked again: one connection that is refused or reset is one failed
request.

A request is *mixed* when its marks, or those of one stream or one WebSocket, are not those of one release;
*late* when it began after a push had ended, and was answered by an older release. A stream ends properly with
its `end` event, a WebSocket with 1000, or 1012 when the time to finish is over. The edits change the leaf, the
middle, the entrypoint or all three by turns.

On Docker everything runs on an engine of its own, which is killed (`kill -9`) when a push has begun to start
services, and started again. It runs with `live-restore`, so containers go on meanwhile; what publishes the port
of a front door ends with the engine, so that nothing answers for the moment of its new start. On this machine
the supervisors of all three chains are killed, and the chains are away until the next push. Requests of that
time are counted apart.

## The machine

{host.cpu}, {host.cpus} CPUs, {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}. The load was
{load:.1f} when it began. {day}, {seconds:.0f} s.
"""


@dataclass(frozen=True, slots=True)
class _Line:
    what: str
    must: str
    value: Callable[[Tally], str]


_LINES = (
    _Line("requests", "–", lambda t: f"{t.requests:,}"),
    _Line("requests a second", f"≥ {ASKED_PER_SECOND}", lambda t: f"{t.per_second:.0f}"),
    _Line("streams, WebSockets", "–", lambda t: f"{t.streams}, {t.websockets}"),
    _Line("requests that failed", "0", lambda t: str(t.failed)),
    _Line("requests that saw two releases", "0", lambda t: str(t.mixed)),
    _Line("requests that saw a release that was never promoted", "0", lambda t: str(t.never_promoted)),
    _Line("requests that saw an old release after a push had ended", "0", lambda t: str(t.late)),
    _Line("streams and WebSockets without their proper end", "0", lambda t: str(t.badly_ended)),
    _Line("pushes whose exit code was not true", "0", lambda t: str(t.untrue_codes)),
    _Line("the slowest answer", "–", lambda t: f"{t.slowest_sec:.2f} s"),
    _Line("away while the engine or supervisors were killed", "–", lambda t: f"{t.seconds_away:.1f} s"),
    _Line("requests that failed in that time", "–", lambda t: str(t.failed_while_away)),
)


def _row(line: _Line, courses: Sequence[Course]) -> list[str]:
    return [line.what, line.must, *(line.value(course.tally) for course in courses)]


def _releases(courses: Sequence[Course]) -> list[list[str]]:
    kinds = dict.fromkeys(one.what for course in courses for one in course.tried)
    return [[_title(kind, courses), *(_ends(kind, course) for course in courses)] for kind in kinds]


def _title(kind: str, courses: Sequence[Course]) -> str:
    most = max(sum(one.what == kind for one in course.tried) for course in courses)
    return f"{kind} (×{most})" if most > 1 else kind


def _ends(kind: str, course: Course) -> str:
    mine = [one for one in course.tried if one.what == kind]
    if not mine:
        return "–"
    codes = sorted({code for one in mine for code in one.codes})
    seconds = sorted(one.ended - one.began for one in mine)
    shown = f"{seconds[0]:.1f}" if len(seconds) == 1 else f"{seconds[0]:.1f} to {seconds[-1]:.1f}"
    return f"{', '.join(map(str, codes))}; {shown}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""What calls through stages took in; docs/benchmarks-stages.md out. Pure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.host import Host

FETCHED, FETCHED_BOUND_SEC, FETCHED_MARGIN = 50, 1.1, 1.05
QUEUED, HEALTH_MS = 201, 20.0
BATCHED, BATCHED_BOUND_SEC = 100, 0.2


@dataclass(frozen=True, slots=True)
class Queue:
    """201 calls of one place: what `/healthz` took meanwhile, and in which order calls came and ran."""

    kind: str
    has_bound: bool
    health_ms: tuple[float, ...]
    order: tuple[tuple[int, int], ...]

    @property
    def is_in_order(self) -> bool:
        return [came for came, _ in self.order] == list(range(1, QUEUED + 1)) and all(
            came == ran for came, ran in self.order
        )

    @property
    def passes(self) -> bool:
        return self.is_in_order and (max(self.health_ms) < HEALTH_MS or not self.has_bound)


@dataclass(frozen=True, slots=True)
class Modelled:
    """The seconds of each time that 50 calls of a Truss directory were made at once, under one server."""

    server: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Measured:
    """All of a run: seconds of each time that 50 calls were made at once, the queues, seconds of batches.

    `models` are the servers of a Truss directory, ours first.
    """

    fetched_sec: tuple[float, ...]
    queues: tuple[Queue, ...]
    batched_sec: tuple[float, ...]
    models: tuple[Modelled, ...]

    @property
    def passes(self) -> bool:
        limit = FETCHED_BOUND_SEC * FETCHED_MARGIN
        fetched = statistics.median(self.fetched_sec) <= limit and self.models[0].median <= limit
        return fetched and all(queue.passes for queue in self.queues)


def report(measured: Measured, host: Host, started: float, seconds: float, load: float, nice: int) -> str:
    """Write the page. `nice` is the priority that all of it ran with."""
    day = time.strftime("%Y-%m-%d", time.gmtime(started))
    fetched = statistics.median(measured.fetched_sec)
    limit = FETCHED_BOUND_SEC * FETCHED_MARGIN
    rows = [_row("50 calls at once, median", f"≤ {limit:.3f} s", f"{fetched:.3f} s", is_met=fetched <= limit)]
    rows += _rows_of_models(measured.models, limit)
    rows += [row for queue in measured.queues for row in _rows_of(queue)]
    batched = statistics.median(measured.batched_sec)
    rows.append(f"| 100 calls in batches of ten, median | – | {batched:.3f} s | – |")
    return f"""# Benchmarks of stages

Written by `make bench-stages`; edits are lost. Every figure here is from one run on one machine.

| what | must be | measured | verdict |
| --- | --- | --- | --- |
{chr(10).join(rows)}

## How it is measured

Each chainlet is a process with what its image would have, called over loopback, each call on a connection of its own
that is there before the clock starts. Sync stages sleep, as they do when they wait for a network or a GPU.

**50 calls at once.** `preprocess` takes 100 ms, `run_remote` 100 ms with five places. All fetch at once, then ten
rounds of five compute: {FETCHED_BOUND_SEC} s is the least. Were fetching in the places too, it would be 2 s. All
{len(measured.fetched_sec)} times: {_list(measured.fetched_sec)}. The bound is met when the median is within 5 % of it.

**The same stages of a Truss directory.** One directory with a `model/model.py`, whose `preprocess` and `predict` are
those of the chainlet, with `predict_concurrency: 5`; one process of each server, called in turns at
`/v1/models/model:predict`, after a turn to warm up. Truss's server comes from its distribution and runs in an
environment of its own, laid out as in the images that it builds. All times:
{chr(10).join(f"{model.server}: {_list(model.seconds)}." for model in measured.models)}

**One place, 200 waiting.** `run_remote` takes 10 ms, asleep, or busy in Python code. Meanwhile another process asks for
`/healthz` on one connection, 5 ms after each answer, also while the 201 calls come. The first stage notes in which
order calls come, the second one in which they run. Busy Python code holds the interpreter, which the event loop gets
back only every 5 ms, so that case has no bound: it shows what a model costs that does not let go of it.

**Batches.** `run_remote` takes 20 ms for a batch of up to ten, with one place: {BATCHED_BOUND_SEC} s is the least for
{BATCHED} calls, 2 s what they take one by one.

## The machine

{host.cpu}, {host.cpus} CPUs, {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}. The load was
{load:.1f} when it began, and all of this ran with the nice value {nice}. {day}, {seconds:.0f} s.
"""


def _rows_of(queue: Queue) -> list[str]:
    slowest, asked = max(queue.health_ms), len(queue.health_ms)
    name = f"one place, 200 waiting, {queue.kind}"
    what, found = f"{name}: the slowest `/healthz`", f"{slowest:.1f} ms of {asked}"
    health = f"| {what} | – | {found} | – |"
    if queue.has_bound:
        health = _row(what, f"< {HEALTH_MS:.0f} ms", found, is_met=slowest < HEALTH_MS)
    order = "yes" if queue.is_in_order else "no"
    return [health, _row(f"{name}: run as they came", "yes", order, is_met=queue.is_in_order)]


def _rows_of_models(models: Sequence[Modelled], limit: float) -> list[str]:
    """Ours has to meet the bound; the others are there to be compared with."""
    ours, *others = models
    name = "50 calls at once of a Truss directory, median"
    rows = [
        _row(
            f"{name}, {ours.server}", f"≤ {limit:.3f} s", f"{ours.median:.3f} s", is_met=ours.median <= limit
        )
    ]
    for other in others:
        ratio = f"{other.median:.3f} s, {other.median / ours.median:.2f} times as long"
        rows.append(f"| {name}, {other.server} | – | {ratio} | – |")
    return rows


def _row(what: str, bound: str, found: str, *, is_met: bool) -> str:
    return f"| {what} | {bound} | {found} | {'pass' if is_met else 'FAIL'} |"


def _list(seconds: Sequence[float]) -> str:
    return ", ".join(f"{one:.3f} s" for one in seconds)

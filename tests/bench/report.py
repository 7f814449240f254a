"""A run in, docs/benchmarks.md out. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.host import Host
from tests.bench.samples import Samples, Spread
from tests.bench.targets import BOUNDS, FLOOR, Bound
from tests.bench.workloads import ALL, LOADS, Workload

_PERCENT = 100
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run gave. `spins` is the same work timed once a round, in milliseconds."""

    samples: Samples
    host: Host
    spins: Sequence[float]
    load: float
    started: float
    seconds: float
    rounds: int
    seconds_each: float
    versions: Mapping[str, str]
    absent: Mapping[str, str]
    notes: Mapping[str, str]
    is_quick: bool
    array_form: str


def report(run: Run) -> str:
    """Write the page."""
    blocks = [
        "# Benchmarks",
        "Written by `make bench`; edits are lost. Every figure here is from one run on one machine.",
        _must_reach(run.samples),
        '<img src="benchmarks.svg" alt="Times as multiples of the floor\'s">',
        _absolute(run.samples),
        _ratios(run.samples),
        _facts(run.samples),
        _missing(run),
        _harness(run),
        _machine(run),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _must_reach(samples: Samples) -> str:
    rows = [_bound_row(bound, samples) for bound in BOUNDS]
    met = sum(bound.verdict(samples) == "pass" for bound in BOUNDS)
    return (
        f"## What chainctl must reach\n\n{met} of {len(BOUNDS)} bounds are met. Ratios are medians of"
        " ratios taken round by round; least and largest in brackets.\n\n"
        + _table(["what", "against", "must be", "measured", "verdict"], rows)
    )


def _bound_row(bound: Bound, samples: Samples) -> list[str]:
    value = bound.measured(samples)
    unit = "" if bound.against else f" {ALL[bound.workload].unit}"
    sign = "×" if bound.against else ""
    relation = {"<=": "≤", ">=": "≥"}[bound.relation]
    return [
        bound.what or ALL[bound.workload].title,
        bound.against or "–",
        f"{relation} {bound.limit:g}{sign}{unit}",
        "–" if value is None else f"{_spread(value)}{sign}{unit}",
        bound.verdict(samples),
    ]


def _absolute(samples: Samples) -> str:
    rows = []
    for workload in LOADS:
        for peer in samples.peers():
            value = samples.spread(workload.key, peer)
            if value is not None:
                low, high = _number(value.low), _number(value.high)
                rows.append([workload.title, peer, f"{_number(value.median)} {workload.unit}", low, high])
    table = _table(["workload", "who", "median", "least", "largest"], rows)
    return f"## Absolute figures\n\nMedians over the rounds, with the least and the largest round.\n\n{table}"


def _ratios(samples: Samples) -> str:
    rows = []
    for peer in samples.peers():
        cells = [_against_floor(samples, workload, peer) for workload in LOADS]
        if peer != FLOOR and any(cell != "–" for cell in cells):
            rows.append([peer, *cells])
    return (
        "## Against the floor\n\nTimes as multiples of the floor's (over TCP); for 32 clients the share of"
        " the floor's throughput. Shared memory over more hops is compared with the floor's one hop.\n\n"
        + _table(["who", *(workload.key for workload in LOADS)], rows)
    )


def _against_floor(samples: Samples, workload: Workload, peer: str) -> str:
    base = "shared1" if workload.key.startswith("shared") else workload.key
    value = samples.ratio(workload.key, peer, (base, FLOOR))
    return "–" if value is None else f"{_number(value.median)}×"


def _facts(samples: Samples) -> str:
    rows = []
    for key in ("rss", "ready", "cancel", "retries", "cli", "completion"):
        for peer in samples.peers():
            value = samples.spread(key, peer)
            if value is not None:
                rows.append([ALL[key].title, peer, f"{_spread(value)} {ALL[key].unit}"])
    return (
        "## Memory, start-up, cancellation, retries\n\nMemory is that of the larger of the two services"
        " of the one-hop workload, its workers included; start-up that of each service.\n\n"
        + _table(["what", "who", "measured"], rows)
    )


def _missing(run: Run) -> str:
    lines = [f"- {peer} did not run: {_quoted(why)}" for peer, why in run.absent.items()]
    lines += [f"- {peer}: {_one_line(note)}" for peer, note in run.notes.items()]
    for (key, peer), error in run.samples.errors.items():
        lines.append(f"- {peer}, {ALL[key].title}, not measured: {_quoted(error)}")
    return "## Notes\n\n" + "\n".join(lines) if lines else ""


def _harness(run: Run) -> str:
    versions = ", ".join(f"{peer} {version}" for peer, version in run.versions.items() if version)
    kind = "a quick run" if run.is_quick else "a whole run"
    return f"""## How it is measured

`make bench` starts everybody side by side: chainctl as rendered services in an environment with only
what an image would install and numpy, each peer in an environment of its own from PyPI, one process a
service where the peer allows it. Rounds go in turn over the peers, each round beginning with another one.
Whoever is not being measured is stopped (SIGSTOP). The client is the same for all: one process, pooled
keep-alive connections, httptools on uvloop; each measurement is warmed up and its first answer checked.
Everything is on loopback. A call goes client, entrypoint, inner service, and back.

The floor is what Python can do at least: an `asyncio.BufferedProtocol` with httptools and a hand-written
pooled client on uvloop, bodies received into one buffer and written as a scatter list, one integer
validated by pydantic. With shared memory its entrypoint receives the array into a segment of `/dev/shm`
and the inner service maps that.

Peers take arrays as they naturally do: raw octets, msgpack with Truss Chains, base64 in JSON with LitServe;
chainctl takes them from the client as `{run.array_form}`. Truss Chains is told to take 64 calls at once, which
is not its default. Shared memory is between services only: the client sends and gets the array over its
connection.

This was {kind}: {run.rounds} rounds of {run.seconds_each:g} s a measurement, {run.seconds:.0f} s in all, ended
{_when(run)}. Versions: {versions or "–"}."""


def _machine(run: Run) -> str:
    host = run.host
    spins = Spread.of(run.spins)
    noise = (spins.high - spins.low) / spins.median * _PERCENT
    return f"""## The machine

{host.cpus} CPUs ({host.cpu}), {host.memory_gib:.0f} GiB, {host.system}, Python {host.python}. Its noise: a fixed
piece of Python took {spins.median:.1f} ms ({spins.low:.1f} to {spins.high:.1f}, {noise:.0f} % apart) over the rounds;
load average {run.load:.1f} at the end."""


def _when(run: Run) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(run.started + run.seconds))


def _spread(value: Spread) -> str:
    return f"{_number(value.median)} ({_number(value.low)}–{_number(value.high)})"


def _number(value: float) -> str:
    """Write three significant digits, and thousands with separators."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _quoted(text: str) -> str:
    """Write what somebody else said: on one line, cut, as code."""
    line = _one_line(text).replace("`", "'")
    return f"`{line if len(line) <= _LONGEST else line[:_LONGEST] + '…'}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)

"""Hops and what services can do at once in; how busy each chainlet is, and what it needs for a rate, out.

Two laws of operational analysis, which hold for any arrivals and any service times (P. J. Denning
and J. P. Buzen, "The Operational Analysis of Queueing Network Models", ACM Computing Surveys 10,
1978; E. D. Lazowska et al., "Quantitative System Performance", 1984, chapter 3):

- the utilisation law, U = X S / m: of m places, each busy for S at each of X calls per second;
- Little's law, N = X R: as many are inside as come in per second times how long they stay
  (J. D. C. Little, "A Proof for the Queuing Formula: L = lambda W", Operations Research 9, 1961).

Waiting grows as 1 / (1 - U) (L. Kleinrock, "Queueing Systems", volume 1, 1975, section 3.2), which
is gentle up to 0.7 and steep from there: hence the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from chainctl.workflows.bench.hops import Hop

TARGET = Fraction(7, 10)
PLACES, CPU = "places", "cpu"
_NS = 1e9
# From here on a call mostly computes, and more calls at once would only share the core.
_MOSTLY = 0.5
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Means:
    """What serves a chainlet: replicas, and of each how many calls it runs at once, 0 if as many as come.

    `cpu_sec` is the CPU time of one call, None if not known.
    """

    replicas: int = 1
    concurrency: int = 0
    cpu_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How busy a chainlet is at `rate` calls per second. `limits` is by what runs out: a share of all there is.

    "places" are its places for calls, "cpu" one core in each replica, which is what a process of
    Python uses unless a library computes in threads of its own.
    """

    chainlet: str
    rate: float
    place_sec: float
    means: Means
    limits: Mapping[str, float]

    @property
    def tightest(self) -> str:
        """What runs out first; "" where nothing is known."""
        return max(self.limits, key=lambda name: self.limits[name], default="")

    @property
    def share(self) -> float:
        return self.limits.get(self.tightest, 0.0)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a chainlet needs to run at `rate` calls per second with `TARGET` of it busy.

    `at_once` is how many calls are inside on average, `places` how many may be, `cores` the CPU that
    they need. `replicas_alone` would do with the concurrency that it has. `by_cpu` is how many replicas
    the CPU alone asks for.
    """

    chainlet: str
    rate: float
    usage: Usage
    at_once: float
    places: int
    cores: float
    by_cpu: int
    replicas: int
    concurrency: int
    replicas_alone: int

    @property
    def is_change(self) -> bool:
        has = self.usage.means
        return (self.replicas, self.concurrency) != (has.replicas, has.concurrency)


def usages(hops: Iterable[Hop], means: Mapping[str, Means], request_rate: float) -> list[Usage]:
    """Apply the utilisation law to each chainlet at a rate of requests per second; busiest first."""
    found = [
        _usage(hop, means.get(hop.name, Means()), request_rate * hop.per_request)
        for hop in hops
        if not hop.is_edge
    ]
    return sorted(found, key=lambda usage: usage.share, reverse=True)


def advise(usage: Usage, scale: float) -> Advice:
    """Apply Little's law to a chainlet at `scale` times the rate that was seen.

    A chainlet that mostly waits gets more calls at once; one that mostly computes gets replicas, as
    more calls at once would only share its core.
    """
    rate = usage.rate * scale
    has = usage.means
    at_once = rate * usage.place_sec
    cores = rate * (has.cpu_sec or 0.0)
    places = _enough(at_once)
    by_cpu = _enough(cores)
    alone = max(by_cpu, _over(places, has.concurrency)) if has.concurrency else by_cpu
    replicas, concurrency = by_cpu, max(has.concurrency, _over(places, by_cpu))
    if not has.concurrency:
        concurrency = 0
    elif (has.cpu_sec or 0.0) >= _MOSTLY * usage.place_sec:
        replicas, concurrency = alone, has.concurrency
    return Advice(
        chainlet=usage.chainlet,
        rate=rate,
        usage=usage,
        at_once=at_once,
        places=places,
        cores=cores,
        by_cpu=by_cpu,
        replicas=replicas,
        concurrency=concurrency,
        replicas_alone=alone,
    )


def _usage(hop: Hop, means: Means, rate: float) -> Usage:
    limits: dict[str, float] = {}
    if means.concurrency:
        limits[PLACES] = rate * hop.place_ns / _NS / (means.replicas * means.concurrency)
    if means.cpu_sec is not None:
        limits[CPU] = rate * means.cpu_sec / means.replicas
    return Usage(hop.name, rate, hop.place_ns / _NS, means, limits)


def _enough(busy: float) -> int:
    """How many are needed so that `busy` of them are `TARGET` of all; at least one.

    Rounded first, so that the last bit of a float asks for no more.
    """
    return max(1, ceil(round(busy / float(TARGET), _DIGITS)))


def _over(places: int, each: int) -> int:
    return -(-places // each)

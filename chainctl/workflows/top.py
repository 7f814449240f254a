"""The metrics of a chain's services, twice, in; what each did in between out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainctl.deploy.target import DeployTarget
from chainctl.errors import UsageError
from chainctl.workflows.metrics_reading import CallCounts, Reading, read_metrics
from chainctl.workflows.trace import ask_all

METRICS = "/-/metrics"
_MEDIAN = 0.5
_NEARLY_ALL = 0.99
_NONE = Reading(CallCounts(), {})


@dataclass(frozen=True, slots=True)
class Rates:
    """What happened in a second, on average; p50 and p99 in seconds, None where nothing was called."""

    calls: float
    errors: float
    retries: float
    p50_sec: float | None
    p99_sec: float | None


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """One service as it is, and its calls to others, by callee."""

    service: str
    chainlet: str
    rates: Rates
    in_flight: int
    waiting: int
    memory_bytes: int
    edges: Mapping[str, Rates]


@dataclass(frozen=True, slots=True)
class Sight:
    """The metrics of all services at one time, in seconds of any steady clock; `readings` by service."""

    at_sec: float
    readings: Mapping[str, Reading]
    chainlets: Mapping[str, str]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """A chain between two sights of it. `silent` says of each service that did not answer why."""

    seconds: float
    services: tuple[ServiceLoad, ...]
    silent: tuple[str, ...]


def loads(
    target: DeployTarget,
    chain: str,
    clock: Callable[[], float],
    wait: Callable[[], object],
    asleep: Callable[[], Sequence[str]] = tuple,
) -> Iterator[Load]:
    """Yield what a chain did during each `wait`, without end. Raises UsageError, ChainctlError.

    `asleep` names the chainlets that sleep now.
    """
    before = look(target, chain, clock, asleep)
    while True:
        wait()
        after = look(target, chain, clock, asleep)
        yield load_between(before, after)
        before = after


def look(
    target: DeployTarget,
    chain: str,
    clock: Callable[[], float],
    asleep: Callable[[], Sequence[str]] = tuple,
) -> Sight:
    """Read the metrics of all running services of a chain at the same time."""
    sleeping = tuple(f"{chainlet} is asleep" for chainlet in asleep())
    try:
        answers = ask_all(target, chain, METRICS, read_metrics)
    except UsageError:
        if not sleeping:
            raise
        return Sight(clock(), {}, {}, sleeping)
    return Sight(
        clock(),
        {service.own_name: reading for service, reading in answers.values},
        {service.own_name: service.chainlet for service, _ in answers.values},
        (*answers.silent, *sleeping),
    )


def load_between(before: Sight, after: Sight) -> Load:
    """Compare two sights. A service that was not there before counts from its start."""
    seconds = max(after.at_sec - before.at_sec, 1e-9)
    services = [
        _service(name, after.chainlets[name], before.readings.get(name, _NONE), reading, seconds)
        for name, reading in after.readings.items()
    ]
    return Load(seconds, tuple(sorted(services, key=lambda s: (s.chainlet, s.service))), after.silent)


def _service(name: str, chainlet: str, before: Reading, after: Reading, seconds: float) -> ServiceLoad:
    edges = {
        callee: _rates(counts.since(before.edges.get(callee, CallCounts())), seconds)
        for callee, counts in after.edges.items()
    }
    return ServiceLoad(
        service=name,
        chainlet=chainlet,
        rates=_rates(after.calls.since(before.calls), seconds),
        in_flight=int(after.in_flight),
        waiting=int(after.waiting),
        memory_bytes=int(after.memory_bytes),
        edges=edges,
    )


def _rates(counts: CallCounts, seconds: float) -> Rates:
    return Rates(
        calls=counts.calls / seconds,
        errors=counts.errors / seconds,
        retries=counts.retries / seconds,
        p50_sec=counts.quantile(_MEDIAN),
        p99_sec=counts.quantile(_NEARLY_ALL),
    )

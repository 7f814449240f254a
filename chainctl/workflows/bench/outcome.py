"""What requests ended with, one by one, in; counts and latencies of all of them out."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

SAMPLE = 4096
OK = "ok"
LEAST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Sent:
    """One measured request as a client span would tell it: ids in hexadecimal, times in nanoseconds."""

    trace_id: str
    span_id: str
    start_ns: int
    total_ns: int
    status: int


@dataclass(frozen=True, slots=True)
class Failure:
    """How requests failed. `status` is 0 where no answer came, `kind` is what an error's body says."""

    status: int
    kind: str


@dataclass(slots=True)
class Tally:
    """Adds up requests while they end; times are nanoseconds.

    A latency counts from when a request was due, a service time from when it was sent: they differ
    where a request had to wait for its turn to be sent. Both are of answers that are no errors.
    The last requests are kept as they were, to be found in traces. `in_window` counts answers that
    came while requests were begun.
    """

    latencies_ns: array[int] = field(default_factory=lambda: array("q"))
    services_ns: array[int] = field(default_factory=lambda: array("q"))
    failures: Counter[Failure] = field(default_factory=Counter)
    last: deque[Sent] = field(default_factory=lambda: deque(maxlen=SAMPLE))
    answered: int = 0
    in_window: int = 0

    def add(self, sent: Sent, kind: str, wait_ns: int) -> None:
        """Count a request that waited to be sent; `kind` is "ok" or that of its failure."""
        if kind == OK and sent.status < LEAST_ERROR:
            self.latencies_ns.append(sent.total_ns + wait_ns)
            self.services_ns.append(sent.total_ns)
        else:
            self.failures[Failure(sent.status, kind)] += 1
        if sent.status:
            self.answered += 1
            self.last.append(sent)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A load when it is over. Latencies and service times are sorted, in nanoseconds.

    `rate` is answers per second of the window in which requests were begun. `cpu_share` is how much
    of one core the load generator used. `is_cut` says that it was interrupted.
    """

    latencies_ns: array[int]
    services_ns: array[int]
    failures: Mapping[Failure, int]
    last: tuple[Sent, ...]
    seconds: float
    rate: float
    cpu_share: float = 0.0
    is_cut: bool = False

    @property
    def errors(self) -> int:
        return sum(self.failures.values())

    @property
    def requests(self) -> int:
        return len(self.latencies_ns) + self.errors

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


def outcome_of(tally: Tally, seconds: float, *, cpu_share: float = 0.0, is_cut: bool = False) -> Outcome:
    """Close a tally whose window lasted `seconds`."""
    return Outcome(
        latencies_ns=array("q", sorted(tally.latencies_ns)),
        services_ns=array("q", sorted(tally.services_ns)),
        failures=dict(tally.failures),
        last=tuple(tally.last),
        seconds=seconds,
        rate=tally.in_window / seconds if seconds > 0 else 0.0,
        cpu_share=cpu_share,
        is_cut=is_cut,
    )

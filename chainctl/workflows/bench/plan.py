"""What is asked of a load, as one value: whom, with what, how fast, for how long."""

from __future__ import annotations

from dataclasses import dataclass

MOST_REQUESTS = 5_000_000
MOST_SECONDS = 3600.0
POISSON = "poisson"
CONSTANT = "constant"
ARRIVALS = (POISSON, CONSTANT)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load on one address; `bodies` are sent in turn.

    Without `rate` the loop is closed: each of `clients` sends its next request when it has its
    answer. With `rate`, in requests per second, requests begin when they are due, whatever the
    answers do, and `clients` is how many may be under way at once. The load ends after
    `duration_sec`, or after `requests` of them, whichever is first; `warmup_sec` before it is not
    measured. `timeout_sec` bounds one request.
    """

    url: str
    bodies: tuple[bytes, ...]
    clients: int = 8
    rate: float | None = None
    arrivals: str = POISSON
    duration_sec: float = 10.0
    requests: int = MOST_REQUESTS
    warmup_sec: float = 2.0
    timeout_sec: float = 60.0
    api_key: str | None = None
    is_insecure: bool = False

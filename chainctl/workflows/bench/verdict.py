"""Assertions and an outcome in; which of them failed, and by what value, out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chainctl.workflows.bench.assertion import ERRORS, RATE, Assertion
from chainctl.workflows.bench.outcome import Outcome
from chainctl.workflows.bench.percentiles import summary


@dataclass(frozen=True, slots=True)
class Verdict:
    """An assertion with the value that it was held against, in the assertion's unit; None if there was none."""

    assertion: Assertion
    value: float | None

    @property
    def is_kept(self) -> bool:
        return self.assertion.holds(self.value)


def judge(assertions: Iterable[Assertion], outcome: Outcome) -> list[Verdict]:
    """Hold each assertion against what was measured."""
    return [Verdict(assertion, measured(assertion, outcome)) for assertion in assertions]


def measured(assertion: Assertion, outcome: Outcome) -> float | None:
    """Return the value of an assertion's metric. Without a request there is none of latency and errors."""
    if assertion.metric == RATE:
        return outcome.rate
    if assertion.metric == ERRORS:
        if not outcome.requests:
            return None
        return outcome.error_share if assertion.is_share else float(outcome.errors)
    latencies = summary(outcome.latencies_ns)
    return latencies[assertion.metric] if latencies else None

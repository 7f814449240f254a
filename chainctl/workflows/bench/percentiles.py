"""Sorted times in; those that a share of them does not exceed, exactly, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

QUANTILES = {
    "p50": Fraction(50, 100),
    "p90": Fraction(90, 100),
    "p99": Fraction(99, 100),
    "p99.9": Fraction(999, 1000),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """Times in nanoseconds, by "mean", "p50" … "max"."""

    values: dict[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def summary(sorted_ns: Sequence[int]) -> Summary | None:
    """Sum up sorted times; None when there are none."""
    if not sorted_ns:
        return None
    quantiles = {name: float(quantile(sorted_ns, share)) for name, share in QUANTILES.items()}
    mean = sum(sorted_ns) / len(sorted_ns)
    return Summary({"mean": mean, **quantiles, "max": float(sorted_ns[-1])})


def quantile(sorted_ns: Sequence[int], share: Fraction) -> int:
    """Return the smallest time that at least a share of all does not exceed (nearest rank).

    That is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50 (1996): always a time that was measured, never one between two. Raises ValueError
    for no times.
    """
    if not sorted_ns:
        raise ValueError("there is no quantile of nothing")
    return sorted_ns[max(0, ceil(share * len(sorted_ns)) - 1)]

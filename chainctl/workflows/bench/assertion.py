"""An expression such as `p99<250ms` in; a bound, and whether a load kept it, out."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from chainctl.errors import UsageError

TIMES = ("p50", "p90", "p99", "p99.9", "max", "mean")
RATE = "rate"
ERRORS = "errors"
METRICS = (*TIMES, RATE, ERRORS)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSPELT = {"=<": "<=", "=>": ">=", "≤": "<=", "≥": ">=", "=": "<=", "==": "<="}
_TIME_UNITS = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3}
_MISSPELT_UNITS = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms"}
_UNITS = {
    **dict.fromkeys(TIMES, _TIME_UNITS),
    RATE: {"/s": 1.0},
    ERRORS: {"%": 0.01, "": 1.0},
}
_USUAL = {**dict.fromkeys(TIMES, "ms"), RATE: "/s", ERRORS: "%"}
_FORM = re.compile(r"\s*([A-Za-z][\w.]*)\s*([<>=≤≥]+)\s*(\d+(?:\.\d*)?|\.\d+)\s*(\S*)\s*")


@dataclass(frozen=True, slots=True)
class Assertion:
    """A bound on a metric, in its basic unit: nanoseconds, requests per second, a share or a count of errors.

    `is_share` says that errors are bounded as a share of all requests; `text` is what was written.
    """

    text: str
    metric: str
    operator: str
    bound: float
    is_share: bool = False

    def holds(self, value: float | None) -> bool:
        """Say whether a value keeps the bound; one that was not measured does not."""
        return value is not None and _OPERATORS[self.operator](value, self.bound)


def parse_assertion(text: str) -> Assertion:
    """Parse METRIC OPERATOR VALUE UNIT. Raises UsageError with what was probably meant."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is no assertion",
            hint=f"write METRIC OPERATOR VALUE UNIT, such as `p99<250ms`; metrics are {', '.join(METRICS)}.",
        )
    metric, sign, value, unit = match.groups()
    if metric in METRICS and sign in _OPERATORS and unit in _UNITS[metric]:
        scale = _UNITS[metric][unit]
        return Assertion(text.strip(), metric, sign, float(value) * scale, metric == ERRORS and unit == "%")
    raise UsageError(_why(text, metric, sign, unit), hint=_hint(metric, sign, value, unit))


def _why(text: str, metric: str, sign: str, unit: str) -> str:
    if metric not in METRICS:
        return f"{text!r}: there is no metric {metric!r}; there are {', '.join(METRICS)}"
    if sign not in _OPERATORS:
        return f"{text!r}: there is no operator {sign!r}; there are {' '.join(_OPERATORS)}"
    units = ", ".join(known for known in _UNITS[metric] if known)
    return f"{text!r}: {metric} is given in {units}, not in {unit!r}"


def _hint(metric: str, sign: str, value: str, unit: str) -> str:
    meant, operation = _meant_metric(metric), _MISSPELT.get(sign, sign)
    if meant not in METRICS or operation not in _OPERATORS:
        return "write METRIC OPERATOR VALUE UNIT, such as `p99<250ms`, `rate>=100/s`, `errors<1%`."
    return f"did you mean `{meant}{operation}{value}{_meant_unit(meant, unit)}`?"


def _meant_metric(metric: str) -> str:
    if metric in METRICS:
        return metric
    near = difflib.get_close_matches(metric.lower(), METRICS, 1, cutoff=0.5)
    return near[0] if near else metric


def _meant_unit(metric: str, unit: str) -> str:
    known = _UNITS.get(metric, {})
    if unit in known:
        return unit
    lower = unit.lower()
    found = _MISSPELT_UNITS.get(lower, lower)
    return found if found in known and found else _USUAL.get(metric, unit)

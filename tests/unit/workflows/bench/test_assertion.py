"""Assertions as they are written, and what is said of those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.errors import ExitCode, UsageError
from chainctl.workflows.bench.assertion import METRICS, Assertion, parse_assertion


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99<250ms", Assertion("p99<250ms", "p99", "<", 250e6)),
        (" p99.9 <= 1.5 s ", Assertion("p99.9 <= 1.5 s", "p99.9", "<=", 1.5e9)),
        ("max<300us", Assertion("max<300us", "max", "<", 300e3)),
        ("mean>.5µs", Assertion("mean>.5µs", "mean", ">", 500.0)),
        ("rate>=100/s", Assertion("rate>=100/s", "rate", ">=", 100.0)),
        ("errors<1%", Assertion("errors<1%", "errors", "<", 0.01, is_share=True)),
        ("errors<=5", Assertion("errors<=5", "errors", "<=", 5.0)),
    ],
)
def test_assertions(text: str, expected: Assertion) -> None:
    """Bounds are in the metric's basic unit."""
    assert parse_assertion(text) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("p95<1ms", "p99<1ms"),
        ("p999<1ms", "p99.9<1ms"),
        ("P99<1ms", "p99<1ms"),
        ("error<1%", "errors<1%"),
        ("p99<250", "p99<250ms"),
        ("p99<250msec", "p99<250ms"),
        ("p99<2 Seconds", "p99<2s"),
        ("p99=<250ms", "p99<=250ms"),
        ("p99==1ms", "p99<=1ms"),
        ("p99≤1ms", "p99<=1ms"),
        ("rate=>3", "rate>=3/s"),
        ("rate>3ms", "rate>3/s"),
        ("errors<1/s", "errors<1%"),
        ("p99<1%", "p99<1ms"),
    ],
)
def test_what_was_meant_is_said(text: str, meant: str) -> None:
    """A wrong expression is an error of usage, and its hint is an assertion."""
    with pytest.raises(UsageError) as raised:
        parse_assertion(text)
    assert raised.value.exit_code is ExitCode.USAGE
    assert raised.value.hint == f"did you mean `{meant}`?"
    parse_assertion(meant)


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<", "<250ms", "xyzzy<1ms", "p99<1ms p50<1ms", "p99<-1ms", "p99<>1ms"]
)
def test_what_cannot_be_guessed_gets_an_example(text: str) -> None:
    """The form is shown."""
    with pytest.raises(UsageError) as raised:
        parse_assertion(text)
    assert raised.value.hint.startswith("write METRIC OPERATOR VALUE UNIT, such as `p99<250ms`")


@given(st.text(max_size=30))
def test_any_text_is_an_assertion_or_an_error_of_usage(text: str) -> None:
    """And nothing else, whatever is written."""
    try:
        parsed = parse_assertion(text)
    except UsageError:
        return
    assert parsed.metric in METRICS


@pytest.mark.parametrize(
    ("text", "holds"), [("p50<1s", False), ("p50<=1s", True), ("p50>1s", False), ("p50>=1s", True)]
)
def test_a_bound_that_is_met_exactly(text: str, holds: bool) -> None:
    """It is kept where it is part of the bound."""
    assert parse_assertion(text).holds(1e9) is holds


def test_what_was_not_measured_keeps_no_bound() -> None:
    """Not even a wide one."""
    assert not parse_assertion("p50>0s").holds(None)

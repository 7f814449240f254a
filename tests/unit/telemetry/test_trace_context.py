"""The traceparent header: what is taken over, what begins a new trace, and who is sampled."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.telemetry.sampling import sampler_of
from chainctl.telemetry.trace_context import (
    TraceContext,
    format_traceparent,
    new_span_id,
    new_trace_id,
    parse_traceparent,
    received,
)

TRACE_IDS = st.integers(1, 2**128 - 1)
SPAN_IDS = st.integers(1, 2**64 - 1)
VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(TRACE_IDS, SPAN_IDS, st.booleans())
def test_what_is_written_is_read_back(trace_id: int, span_id: int, is_sampled: bool) -> None:
    """Every valid context survives the header."""
    header = format_traceparent(trace_id, span_id, is_sampled)
    assert parse_traceparent(header) == TraceContext(trace_id, span_id, is_sampled)


@given(st.text())
def test_any_text_is_parsed_or_refused(header: str) -> None:
    """A stranger's header never breaks a call; what is invalid begins a new trace."""
    context = received(header)
    assert 0 < context.trace_id < 2**128
    assert parse_traceparent(header) in (None, context)


@given(st.from_regex(r"[0-9a-fA-F]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-x)?", fullmatch=True))
def test_near_misses(header: str) -> None:
    """What is taken over has all parts at their full length, in lower case, and no id that is 0."""
    context = parse_traceparent(header)
    if context is not None:
        version, trace, span, _, *rest = header.split("-")
        assert (len(trace), len(span)) == (32, 16)
        assert version == version.lower() != "ff"
        assert version != "00" or not rest
        assert context.trace_id == int(trace, 16) != 0
        assert context.span_id == int(span, 16) != 0


@pytest.mark.parametrize(
    "header",
    [
        "",
        VALID.upper(),
        VALID.replace("00-", "ff-", 1),
        VALID + "-more",
        VALID + "\n",
        VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        VALID.replace("00f067aa0ba902b7", "0" * 16),
        VALID[:-1],
        "٠" * 2 + VALID[2:],
    ],
)
def test_invalid(header: str) -> None:
    """The specification calls these invalid."""
    assert parse_traceparent(header) is None


def test_a_later_version_is_read_for_what_we_know() -> None:
    """Its further fields are left alone."""
    known = parse_traceparent(VALID)
    assert parse_traceparent(VALID.replace("00-", "01-", 1) + "-more") == known
    assert parse_traceparent(VALID.replace("00-", "cc-", 1)) == known


def test_the_sampled_flag_is_one_bit() -> None:
    """Other flags say nothing about it."""
    assert [parse_traceparent(VALID[:-2] + flags) for flags in ("00", "01", "02", "ff")] == [
        TraceContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, is_sampled)
        for is_sampled in (False, True, False, True)
    ]


def test_new_ids_fit_and_differ() -> None:
    """128 and 64 bits, never 0."""
    assert len({new_trace_id() for _ in range(100)}) == 100
    assert all(0 < new_span_id() < 2**64 for _ in range(100))


@pytest.mark.parametrize(
    ("name", "root", "sampled_caller", "unsampled_caller"),
    [
        ("", True, True, False),
        ("always_on", True, True, True),
        ("always_off", False, False, False),
        ("parentbased_always_on", True, True, False),
        ("parentbased_always_off", False, True, False),
    ],
)
def test_samplers(name: str, root: bool, sampled_caller: bool, unsampled_caller: bool) -> None:
    """Each name decides for a new trace, and for callers who sample or do not."""
    sampler = sampler_of({"OTEL_TRACES_SAMPLER": name} if name else {})
    seen = [received(header, sampler).is_sampled for header in (None, VALID, VALID[:-2] + "00")]
    assert seen == [root, sampled_caller, unsampled_caller]


def test_a_caller_whose_flag_changes_keeps_its_trace() -> None:
    """Only the flag is ours to change."""
    sampler = sampler_of({"OTEL_TRACES_SAMPLER": "always_off"})
    assert received(VALID, sampler) == TraceContext(
        0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, False
    )


@given(TRACE_IDS, st.floats(0, 1), st.floats(0, 1))
def test_a_trace_that_a_small_ratio_keeps_a_larger_one_keeps(trace_id: int, one: float, other: float) -> None:
    """The id alone decides, so that all services of a trace decide alike."""
    small, large = (
        sampler_of({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": repr(ratio)})
        for ratio in sorted((one, other))
    )
    assert large(None, trace_id) or not small(None, trace_id)


def test_ratios_at_the_ends() -> None:
    """0 keeps nothing and 1 keeps all; parent-based asks the caller first."""
    name = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
    none, every = (sampler_of({**name, "OTEL_TRACES_SAMPLER_ARG": ratio}) for ratio in ("0", "1"))
    assert not none(None, 1)
    assert every(None, 2**128 - 1)
    assert none(TraceContext(1, 1, True), 1)


@pytest.mark.parametrize(("sampler", "argument"), [("odd", ""), ("traceidratio", "2"), ("traceidratio", "x")])
def test_what_is_not_understood_is_logged(
    sampler: str, argument: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps all traces rather than none."""
    with caplog.at_level(logging.WARNING):
        made = sampler_of({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert made(None, 2**128 - 1)
    assert "OTEL_TRACES_SAMPLER" in caplog.text

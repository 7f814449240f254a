"""What `chainctl bench` is asked for, as a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainctl.cli.bench_arguments import bodies_of, plan_of, without_chain
from chainctl.errors import UsageError
from chainctl.workflows.bench.plan import CONSTANT, MOST_REQUESTS, LoadPlan

NOTHING: dict[str, Any] = {
    "clients": None,
    "rate": None,
    "arrivals": "poisson",
    "duration": None,
    "requests": None,
    "warmup": "2s",
    "timeout_sec": 60.0,
    "is_insecure": False,
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, LoadPlan("", ())),
        ({"clients": 3, "duration": "2m"}, LoadPlan("", (), clients=3, duration_sec=120)),
        ({"rate": 50.0, "arrivals": "constant"}, LoadPlan("", (), clients=256, rate=50, arrivals=CONSTANT)),
        ({"rate": 50.0, "clients": 9}, LoadPlan("", (), clients=9, rate=50)),
        ({"requests": 100, "warmup": "0s"}, LoadPlan("", (), requests=100, duration_sec=600, warmup_sec=0)),
        ({"requests": 100, "duration": "5s"}, LoadPlan("", (), requests=100, duration_sec=5)),
    ],
)
def test_plans(given: dict[str, Any], expected: LoadPlan) -> None:
    """Every load has an end, whatever is left out."""
    assert plan_of(**{**NOTHING, **given}) == expected


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"arrivals": "bursts"}, "no 'bursts' arrivals"),
        ({"duration": "2h"}, "--duration 2h is longer than 3600 s"),
        ({"warmup": "1d"}, "--warmup 1d is longer"),
        ({"duration": "0s"}, "no time at all"),
        ({"duration": "soon"}, "'soon' is no duration"),
        ({"requests": MOST_REQUESTS + 1}, "more than 5,000,000"),
    ],
)
def test_loads_without_a_sensible_end_are_refused(given: dict[str, Any], why: str) -> None:
    """Before anybody is asked anything."""
    with pytest.raises(UsageError, match=why):
        plan_of(**{**NOTHING, **given})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("hello", None, None), ("hello", None)),
        (("hello", "{}", "http://x"), ("hello", "{}")),
        (("hello", None, "http://x"), ("hello", None)),
        (('{"a": 1}', None, "http://x"), (None, '{"a": 1}')),
        (("@file", None, "http://x"), (None, "@file")),
        (("-", None, "http://x"), (None, "-")),
        ((None, None, "http://x"), (None, None)),
        (("{}", None, None), ("{}", None)),
    ],
)
def test_a_name_may_be_left_out_where_there_is_a_url(
    given: tuple[str | None, str | None, str | None], found: tuple[str | None, str | None]
) -> None:
    """Arguments are told from a name by their first character."""
    assert without_chain(*given) == found


def test_inputs_are_one_a_line(tmp_path: Path) -> None:
    """Empty lines are none; one object is what `call` takes too."""
    file = tmp_path / "in.jsonl"
    file.write_text('{"a": 1}\n\n{"a": 2}\n', encoding="utf-8")
    assert bodies_of(None, file) == (b'{"a": 1}', b'{"a": 2}')
    assert bodies_of('{"a": 3}', None) == (b'{"a": 3}',)
    with pytest.raises(UsageError, match="two sources"):
        bodies_of("{}", file)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "has no line"), ('{"a": 1}\n[]\n', ":2 is no JSON object"), ("{}\n{\n", ":2 is no JSON:")],
)
def test_inputs_that_are_none(text: str, why: str, tmp_path: Path) -> None:
    """The line is named."""
    file = tmp_path / "in.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        bodies_of(None, file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is an error of usage."""
    with pytest.raises(UsageError, match="cannot be read"):
        bodies_of(None, tmp_path / "gone.jsonl")

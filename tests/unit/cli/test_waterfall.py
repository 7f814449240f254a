"""Traces drawn as waterfalls, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chainctl.cli.diagnostics import Palette
from chainctl.cli.durations import duration_text
from chainctl.cli.tracing import TracedCall, trace_json, traces_json, traces_text
from chainctl.cli.waterfall import BAR_WIDTH, waterfall_text
from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ObservedService, ObservedState, ServiceStatus
from chainctl.errors import CallFailedError
from chainctl.telemetry.trace_context import parse_traceparent
from chainctl.workflows.seen_span import SERVER
from chainctl.workflows.trace import Told, last_traces
from tests.fakes.spans import answer, example, span
from tests.fakes.target import MemoryTarget


def test_a_waterfall(golden: Callable[[str, str], None]) -> None:
    """Calls at once and after each other, a retry, an error, a stranger, and a clock that is off."""
    golden("seen/waterfall.txt", waterfall_text(example()))


def test_a_waterfall_of_two_trees(golden: Callable[[str, str], None]) -> None:
    """Where the caller's own span is lost, what it caused is drawn on the same clock."""
    golden("seen/waterfall_lost_caller.txt", waterfall_text([s for s in example() if s.name != "Top"]))


def test_calls_too_short_to_draw() -> None:
    """Each is one mark at least, and no bar leaves its column."""
    text = waterfall_text([span(SERVER, 1, 0, "A", 0, 0), span(SERVER, 2, 0, "B", 100, 0.001, run_ms=0.001)])
    assert f"* B  {' ' * (BAR_WIDTH - 1)}█" in text
    assert waterfall_text([]) == "no calls\n"


def test_colours_are_codes_only() -> None:
    """Without them the text is the same."""
    palette = Palette.colored()
    colored = waterfall_text(example(), palette)
    assert palette.strong in colored
    assert colored.replace(palette.strong, "").replace(palette.off, "") == waterfall_text(example())


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 µs"), (999_400, "999 µs"), (1_000_000, "1.0 ms"), (2_340_000_000, "2.34 s")]
)
def test_durations(ns: int, text: str) -> None:
    """In the unit that fits."""
    assert duration_text(ns) == text


def test_the_list_of_traces(golden: Callable[[str, str], None]) -> None:
    """One line each, as text and as values."""
    traces = last_traces(example(), 5)
    golden("seen/traces.txt", traces_text(traces))
    (value,) = traces_json(traces)
    assert (value["hops"], value["status"], value["chainlet"]) == (3, 200, "Top")
    assert traces_text([]) == ""


def test_a_trace_as_json() -> None:
    """All spans and the critical path, which adds up."""
    value = json.loads(json.dumps(trace_json(Told(tuple(example()), ("x did not answer",)))))
    assert len(value["spans"]) == 7
    assert sum(step["ns"] for step in value["critical_path"]) == 100_000_000
    assert value["silent"] == ["x did not answer"]


class OneService(MemoryTarget):
    """A chain of one service that answers about any trace with a span below the asked call's."""

    def __init__(self) -> None:
        super().__init__()
        fingerprint = Fingerprint("i", "c", "c")
        self.put(
            ObservedState("demo", (ObservedService("s", "Top", ServiceStatus.RUNNING, fingerprint, "i"),))
        )
        self.parent = 0

    def ask(self, chain: str, service: str, path: str) -> bytes:
        return answer([span(SERVER, 2, self.parent, "Top", 0, 1, run_ms=1, status=503)], "Top")


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_from_here_is_shown_on_stderr(fails: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it succeeded or not; a failed one gets the status that the service told."""
    target = OneService()
    call = TracedCall(target, "demo", "Top")
    context = parse_traceparent(call.traceparent)
    assert context is not None
    target.parent = context.span_id

    def make() -> None:
        with call:
            if fails:
                raise CallFailedError("the chain answered 503: busy")

    if fails:
        with pytest.raises(CallFailedError):
            make()
    else:
        make()
    out, err = capsys.readouterr()
    assert out == ""
    first = next(line for line in err.splitlines() if "→ Top" in line)
    assert ("503" if fails else "200") in first
    assert "critical path" in err


def test_a_trace_that_cannot_be_had_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The call itself went well."""
    with TracedCall(MemoryTarget(), "demo", "Top"):
        pass
    assert "the trace cannot be shown: no service of demo is running" in capsys.readouterr().err

"""An event as a line of JSON, and that line as people read it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chainctl.wire.log_line import LONGEST_MESSAGE, LogEvent, format_event, parse_event, readable, shortened

TEXTS = st.text(alphabet=st.characters())
EVENT = LogEvent("2026-01-02T03:04:05.678Z", "INFO", "Hello", "said")


@given(st.builds(LogEvent, *[TEXTS] * 9))
def test_what_is_written_is_read_back(event: LogEvent) -> None:
    """Every event is one line, whatever is in it."""
    line = format_event(event)
    assert line.count(b"\n") == 1
    assert len(line.splitlines()) == 1
    assert parse_event(line.decode().removesuffix("\n")) == event


@given(TEXTS)
def test_any_other_line_stays_as_it_is(line: str) -> None:
    """C code and older releases write what they like."""
    assert readable([line]) == [line]


def test_a_line_that_only_looks_like_ours() -> None:
    """It must have all that ours have, as text."""
    for other in ('{"time":1}', '{"time":"x"', '{"time":"a","level":"b","chainlet":"c","message":1}'):
        assert parse_event(other) is None


def test_more_fields_than_we_know_are_left_alone() -> None:
    """A later release may add some."""
    line = json.dumps({"time": "t", "level": "INFO", "chainlet": "c", "message": "m", "more": {}})
    assert parse_event(line.replace(": ", ":")) == LogEvent("t", "INFO", "c", "m")


def test_the_text_of_an_event() -> None:
    """The level is told where it says something; a message of several lines is several lines."""
    error = LogEvent("t", "ERROR", "Hello", "it failed\nTraceback", logger="mine")
    lines = [format_event(event).decode().strip() for event in (EVENT, error)]
    assert readable([lines[0], "raw", lines[1]]) == ["said", "raw", "ERROR it failed", "Traceback"]


def test_a_long_message_keeps_its_ends() -> None:
    """The last line of a traceback says what went wrong."""
    assert shortened("x" * LONGEST_MESSAGE) == "x" * LONGEST_MESSAGE
    cut = shortened("a" + "x" * LONGEST_MESSAGE + "b")
    assert (cut[0], cut[-1]) == ("a", "b")
    assert "[… 2 characters left out …]" in cut

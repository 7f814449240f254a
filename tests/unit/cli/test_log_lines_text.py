"""What `chainctl logs` prints of lines that services wrote."""

from __future__ import annotations

import io
import json
import sys

import pytest

from chainctl.cli.log_lines import print_lines
from chainctl.deploy.target import LogLine
from chainctl.wire.log_line import LogEvent, format_event

EVENT = LogEvent(
    time="1970-01-01T00:00:01.000Z",
    level="ERROR",
    chainlet="Hello",
    message="it failed\nTraceback",
    service="demo-hello",
    logger="mine",
    request_id="r1",
    trace_id="ab",
)
LINES = [
    LogLine(1.5, "Hello", "demo-hello", format_event(EVENT).decode().strip()),
    LogLine(2.0, "Hello", "demo-hello", '{"of": "C"}'),
]


def test_events_are_text_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of a message after time and name; what is no event is as it was."""
    print_lines(iter(LINES), as_json=False)
    assert capsys.readouterr().out == (
        "00:00:01.500 Hello | ERROR it failed\n"
        "00:00:01.500 Hello | Traceback\n"
        '00:00:02.000 Hello | {"of": "C"}\n'
    )


def test_json_has_the_fields_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the names that every line has."""
    print_lines(iter(LINES), as_json=True)
    event, raw = map(json.loads, capsys.readouterr().out.splitlines())
    assert event == {
        "time": 1.5,
        "chainlet": "Hello",
        "service": "demo-hello",
        "text": "it failed\nTraceback",
        "level": "ERROR",
        "logger": "mine",
        "request_id": "r1",
        "trace_id": "ab",
    }
    assert raw == {"time": 2.0, "chainlet": "Hello", "service": "demo-hello", "text": '{"of": "C"}'}


def test_a_terminal_shows_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dimmed, after the first line."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    for name in ("NO_COLOR", "CHAINCTL_NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    print_lines(iter(LINES[:1]), as_json=False)
    assert "ERROR it failed \x1b[2mr1\x1b[0m\n" in terminal.getvalue()

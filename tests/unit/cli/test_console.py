"""Progress on stderr: off a terminal one line a state change, without control codes."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from chainctl.cli.console import Console, has_color, is_live
from chainctl.errors import BuildError, ChainDefinitionError, Problem
from chainctl.events import (
    BuildFinished,
    BuildLogged,
    BuildStarted,
    BuildStepEnded,
    BuildStepped,
    Event,
    Notice,
    OperationFinished,
    OperationStarted,
    PhaseStarted,
)

EVENTS: list[Event] = [
    PhaseStarted("Build"),
    BuildStarted("Hello", "hello/hello:1"),
    BuildStepped("Hello", "RUN pip install x", cached=True),
    BuildLogged("Hello", "a line of pip"),
    BuildFinished("Hello", "hello/hello:1", 1.25),
    Notice("By the way"),
    OperationStarted("+ start hello"),
    OperationFinished("+ start hello", 0.5),
]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing about colours or CI."""
    for name in ("NO_COLOR", "CHAINCTL_NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def shown(console: Console, capsys: pytest.CaptureFixture[str]) -> str:
    """Emit all events and return what came."""
    for event in EVENTS:
        console.emit(event)
    console.stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_off_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text, nothing rewritten; the output of a build only when asked for."""
    assert shown(Console(), capsys) == (
        "Build\n"
        "  Hello: building hello/hello:1\n"
        "  Hello: RUN pip install x (cached)\n"
        "  built Hello in 1.2 s\n"
        "By the way\n"
        "  + start hello (0.5 s)\n"
    )


def test_long_steps_tell_how_long_they_took(capsys: pytest.CaptureFixture[str]) -> None:
    """Short and cached ones say nothing more."""
    console = Console()
    console.emit(BuildStepEnded("Hello", "[2/3] RUN x", 12.34))
    console.emit(BuildStepEnded("Hello", "[3/3] RUN y", 0.4))
    console.emit(BuildStepEnded("Hello", "[1/3] FROM z", 9.0, cached=True))
    assert capsys.readouterr().err == "  Hello: [2/3] RUN x took 12.3 s\n"


def test_verbose_shows_what_builds_write(capsys: pytest.CaptureFixture[str]) -> None:
    """One more line, with the chainlet's name."""
    assert "  Hello | a line of pip\n" in shown(Console(is_verbose=True), capsys)


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are no progress still come."""
    console = Console(is_quiet=True)
    assert shown(console, capsys) == ""
    console.line("said")
    assert capsys.readouterr().err == "said\n"


def test_lines_of_threads_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Builds run in parallel; no line is torn."""
    console = Console()
    texts = {f"{letter * 50}" for letter in "abcdefgh"}
    threads = [threading.Thread(target=emit_often, args=(console, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(capsys.readouterr().err.splitlines()) == texts


def emit_often(console: Console, text: str) -> None:
    """Emit one notice fifty times."""
    for _ in range(50):
        console.emit(Notice(text))


def test_an_error_is_what_then_evidence_then_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """In this order, the evidence indented."""
    Console().failure(BuildError("Hello", "RUN false", ["line 1", "line 2"], hint="mend it"))
    assert capsys.readouterr().err == (
        "error: The image of Hello failed to build at `RUN false`\n  line 1\n  line 2\nhint: mend it\n"
    )


def test_problems_of_a_chain_are_diagnosed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Each once, and the total last."""
    Console().failure(ChainDefinitionError([Problem("CH0101", "one"), Problem("CH0102", "two")]))
    assert (
        capsys.readouterr().err
        == "error[CH0101]: one\n\nerror[CH0102]: two\n\nerror: 2 problems in the chain\n"
    )


def test_colours_are_for_terminals_that_want_them(environ: pytest.MonkeyPatch) -> None:
    """NO_COLOR, our own variable and a dumb terminal each switch them off."""
    assert has_color(Terminal())
    assert not has_color(io.StringIO())
    for name, value in (("NO_COLOR", "1"), ("CHAINCTL_NO_COLOR", "1"), ("TERM", "dumb")):
        with environ.context() as here:
            here.setenv(name, value)
            assert not has_color(Terminal())
    environ.setenv("NO_COLOR", "")
    assert has_color(Terminal())


def test_nothing_moves_in_ci(environ: pytest.MonkeyPatch) -> None:
    """Nor on a dumb terminal, nor in a file."""
    assert is_live(Terminal())
    assert not is_live(io.StringIO())
    for name, value in (("CI", "true"), ("TERM", "dumb")):
        with environ.context() as here:
            here.setenv(name, value)
            assert not is_live(Terminal())


def test_no_color_on_a_terminal_in_ci_is_plain_text(environ: pytest.MonkeyPatch) -> None:
    """Not one control code is left."""
    stream = Terminal()
    environ.setattr(sys, "stderr", stream)
    environ.setenv("NO_COLOR", "1")
    environ.setenv("CI", "true")
    console = Console()
    for event in EVENTS:
        console.emit(event)
    console.failure(BuildError("Hello", "", []))
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_the_reason_of_a_build_stays(environ: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    """On a terminal, too: it is no progress."""
    environ.setattr(sys, "stderr", stream)
    console = Console()
    console.emit(BuildStarted("Hello", "hello/hello:1", "helpers.py changed (imported by chain.py:3)"))
    console.stop()
    assert (
        "  Hello: building hello/hello:1: helpers.py changed (imported by chain.py:3)\n" in stream.getvalue()
    )


def test_a_live_line_is_ended(environ: pytest.MonkeyPatch) -> None:
    """On a terminal, what is active is shown, and gone when the console stops; results stay.

    Stopping twice is harmless.
    """
    stream = Terminal()
    environ.setattr(sys, "stderr", stream)
    console = Console()
    console.emit(BuildStarted("Hello", "hello/hello:1"))
    console.emit(BuildFinished("Hello", "hello/hello:1", 2.0))
    console.stop()
    console.stop()
    assert "  built Hello in 2.0 s\n" in stream.getvalue()

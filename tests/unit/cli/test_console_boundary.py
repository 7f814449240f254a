"""The outermost boundary: every way in which a command can end, as an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from chainctl.cli.boundary import exit_code_of
from chainctl.cli.main import main
from chainctl.errors import BuildError, ChainctlError, ChainDefinitionError, ExitCode, Problem

Command = Callable[[], object]


def test_success_is_zero() -> None:
    """Whether the command returns nothing, or a code."""
    assert exit_code_of(lambda: None) == 0
    assert exit_code_of(lambda: 10) == 10


def families() -> Iterator[type[ChainctlError]]:
    """Every class of chainctl's own errors."""
    waiting = [ChainctlError]
    while waiting:
        family = waiting.pop()
        yield family
        waiting += [c for c in family.__subclasses__() if c.__module__ == "chainctl.errors"]


def made(family: type[ChainctlError]) -> ChainctlError:
    """Return an error of a class."""
    if issubclass(family, ChainDefinitionError):
        return family([Problem("CH0101", "it broke")])
    return BuildError("Hello", "", [], reason="it broke") if family is BuildError else family("it broke")


@pytest.mark.parametrize("family", sorted(set(families()), key=str))
def test_each_error_has_its_code(family: type[ChainctlError], capsys: pytest.CaptureFixture[str]) -> None:
    """A Typer application that raises it ends with that code, and says so on stderr alone."""
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise made(family)

    assert exit_code_of(lambda: app(args=[], standalone_mode=False)) == family.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert "it broke" in err
    assert "Traceback" not in err


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Raw, or as Typer wraps it."""

    def interrupted(error: BaseException) -> Command:
        def command() -> None:
            raise error

        return command

    for error in (KeyboardInterrupt(), typer.Abort()):
        assert exit_code_of(interrupted(error)) == 130
    assert capsys.readouterr().err == "interrupted\ninterrupted\n"


def test_a_bug_leaves_its_traceback_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The screen gets one line and the name of the file."""
    assert exit_code_of(lambda: 1 // 0) == ExitCode.BUG
    first, second = capsys.readouterr().err.splitlines()
    assert first == "error: this is a bug in chainctl: ZeroDivisionError: integer division or modulo by zero"
    log = Path(second.rpartition(" ")[2])
    assert "1 // 0" in log.read_text()
    log.unlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["psh"], "Did you mean 'push', 'ps'?"),
        (["ps", "--bogus"], "No such option: --bogus"),
        (["down"], "Missing argument"),
        (["call", "x", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["ps", "--target", "moon"], "there is no target called"),
    ],
)
def test_a_wrong_command_line_is_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason on stderr, and nothing on stdout."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_help_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """And it is a result: on stdout."""
    assert main(["--help"]) == 0
    assert "doctor" in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_crash() -> None:
    """`chainctl … | head -0` ends without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "chainctl.cli.main", "init", "--list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")

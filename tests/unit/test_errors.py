"""The one family of errors: messages, hints, exit codes."""

from __future__ import annotations

import pytest

from chainctl import errors
from chainctl.errors import (
    BuildError,
    ChainctlError,
    ChainDefinitionError,
    ChainsRuntimeError,
    ChainsUsageError,
    ExitCode,
    MissingDependencyError,
    MissingSecretError,
    Problem,
    UsageError,
)


def _family() -> list[type[ChainctlError]]:
    return [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, ChainctlError)]


@pytest.mark.parametrize("cls", _family(), ids=lambda cls: cls.__name__)
def test_each_class_has_an_exit_code(cls: type[ChainctlError]) -> None:
    """Each error class names the exit code of the command that meets it, and says what it is for."""
    assert cls.exit_code in ExitCode
    assert cls.exit_code is not ExitCode.OK
    assert cls.__doc__


def test_exit_codes() -> None:
    """The exit codes are the documented ones."""
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "CHAIN_PROBLEMS": 3,
        "BUILD_FAILED": 4,
        "DEPLOY_FAILED": 5,
        "ENGINE_UNREACHABLE": 6,
        "CALL_FAILED": 7,
        "LOCK_HELD": 9,
        "CHANGES": 10,
        "BUG": 70,
        "INTERRUPTED": 130,
    }


def test_hint_is_printed_below_the_message() -> None:
    """An error prints its message, and its hint where it has one."""
    assert str(ChainctlError("it broke")) == "it broke"
    assert str(ChainctlError("it broke", hint="mend it")) == "it broke\nhint: mend it"
    assert ChainctlError("it broke", details=["a", "b"]).details == ("a", "b")


def test_definition_error_counts_errors_only() -> None:
    """A chain's problems are all details; warnings do not count as problems."""
    warning = Problem("CH0206", "not reached", severity="warning")
    error = Problem("CH0401", "no run_remote", "chain.py", 3)
    assert str(ChainDefinitionError([warning, error])) == "1 problem in the chain"
    assert str(ChainDefinitionError([error, error])) == "2 problems in the chain"
    assert ChainDefinitionError([warning, error]).details == (
        "warning[CH0206]: not reached",
        "chain.py:3: error[CH0401]: no run_remote",
    )


def test_build_error_names_the_step() -> None:
    """A failed build names the chainlet, and the instruction and the reason where they are known."""
    error = BuildError("Hello", "RUN pip install x", ["no such package"], reason="exit code 1")
    assert str(error) == "The image of Hello failed to build at `RUN pip install x`: exit code 1"
    assert str(BuildError("Hello", "", [])) == "The image of Hello failed to build"
    assert error.details == ("no such package",)


def test_errors_of_the_sdk_are_those_that_callers_catch() -> None:
    """Mistakes in user code are type errors, as they are for callers who know the older API."""
    assert issubclass(ChainsUsageError, TypeError)
    assert issubclass(MissingDependencyError, TypeError)
    assert not issubclass(ChainsRuntimeError, TypeError)
    assert issubclass(MissingSecretError, UsageError)

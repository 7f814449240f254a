"""What `chainctl test` makes of the exit codes of pytest."""

from __future__ import annotations

import signal

import pytest

from chainctl.cli.testing_run import judged
from chainctl.errors import ChainctlError, ExitCode


def test_tests_that_ran_are_told_by_the_exit_code_alone() -> None:
    """Pytest has said the rest."""
    assert [judged(pytest.ExitCode.OK), judged(pytest.ExitCode.TESTS_FAILED)] == [0, ExitCode.FAILURE]


@pytest.mark.parametrize(
    ("code", "said", "ends_with"),
    [
        (pytest.ExitCode.INTERRUPTED, "broke off before it had run all tests", ExitCode.FAILURE),
        (pytest.ExitCode.INTERNAL_ERROR, "pytest itself failed", ExitCode.FAILURE),
        (pytest.ExitCode.USAGE_ERROR, "can not run with these arguments", ExitCode.USAGE),
        (pytest.ExitCode.NO_TESTS_COLLECTED, "no test ran", ExitCode.USAGE),
        (-signal.SIGKILL, "ended by the signal 9", ExitCode.FAILURE),
        (42, "exit code 42", ExitCode.FAILURE),
    ],
)
def test_what_kept_tests_from_running_is_told(code: int, said: str, ends_with: ExitCode) -> None:
    """A test file that can not be imported is no interruption."""
    with pytest.raises(ChainctlError, match=said) as told:
        judged(code)
    assert told.value.exit_code == ends_with
    assert told.value.hint


def test_an_interrupt_of_the_tests_is_one_of_the_command() -> None:
    """Where only they were interrupted."""
    with pytest.raises(KeyboardInterrupt):
        judged(-signal.SIGINT)

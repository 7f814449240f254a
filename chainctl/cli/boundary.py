"""A command in; its exit code out, whatever happens inside."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import typer

from chainctl.errors import ChainctlError, ExitCode


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command; errors are printed, a bug leaves a file with its traceback.

    A termination ends a command as Ctrl-C does, so that it cleans up behind itself.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = command()
    except ChainctlError as error:
        return _reported(error)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.FAILURE
    except OSError as error:
        return _reported(_unusable(error))
    except Exception as error:  # noqa: BLE001  # the outermost boundary
        return _shown_by_framework(error) or _bug(error)
    if code == ExitCode.INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code if isinstance(code, int) else ExitCode.OK


def _unusable(error: OSError) -> ChainctlError:
    """The system refused a file or a device: full, read-only, missing, not permitted."""
    where = f"{error.filename}: " if error.filename else ""
    return ChainctlError(
        f"{where}{error.strerror or error}", hint="free or correct what it names, then try again."
    )


def _reported(error: ChainctlError) -> int:
    from chainctl.cli.console import Console

    Console().failure(error)
    return error.exit_code


def _shown_by_framework(error: Exception) -> int:
    """Print a usage error as Typer prints it; 0 when it is none of its errors."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or not isinstance(code, int):
        return 0
    show()
    return code


def _bug(error: Exception) -> int:
    """Keep the evidence of an error that nobody foresaw, and say where."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="chainctl-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    sys.stderr.write(
        f"error: this is a bug in chainctl: {type(error).__name__}: {error}\n"
        f"hint: please report it with the file {file.name}\n"
    )
    return ExitCode.BUG

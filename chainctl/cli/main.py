"""The command `chainctl`: a table of verbs, and the one boundary at which errors become exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from chainctl.cli.commands import (
    call,
    check,
    doctor,
    down,
    explain,
    graph,
    init,
    logs,
    plan,
    ps,
    push,
    render,
    run_local,
    version,
)
from chainctl.errors import ChainctlError, ExitCode

app = typer.Typer(
    name="chainctl",
    help="Write a multi-model pipeline as typed Python classes; run it on anything you own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`chainctl push chain.py` brings a chain up and prints its URL.",
)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("graph")(graph.graph)
app.command("render")(render.render)
app.command("plan")(plan.plan)
app.command("push")(push.push)
app.command("call")(call.call)
app.command("ps")(ps.ps)
app.command("logs")(logs.logs)
app.command("down")(down.down)
app.command("run-local")(run_local.run_local)
app.command("doctor")(doctor.doctor)
app.command("version")(version.version)


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; nothing but the code and the printed text comes out."""
    try:
        code = app(args=list(arguments), standalone_mode=False)
    except ChainctlError as error:
        return _reported(error)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.FAILURE
    except Exception as error:  # noqa: BLE001  # the outermost boundary
        return _shown_by_click(error) or _bug(error)
    return code if isinstance(code, int) else ExitCode.OK


def _reported(error: ChainctlError) -> int:
    from chainctl.cli.console import Console

    Console().failure(error)
    return error.exit_code


def _shown_by_click(error: Exception) -> int:
    """Print a usage error as the framework prints it; 0 when it is none of its errors."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or not isinstance(code, int):
        return 0
    show()
    return code


def _bug(error: Exception) -> int:
    """Keep the evidence of an error that nobody foresaw, and say where."""
    with tempfile.NamedTemporaryFile("w", prefix="chainctl-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    sys.stderr.write(
        f"error: this is a bug in chainctl: {type(error).__name__}: {error}\n"
        f"hint: please report it with the file {file.name}\n"
    )
    return ExitCode.BUG

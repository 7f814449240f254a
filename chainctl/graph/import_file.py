"""A ChainFile in; its loaded module, or the problem that kept it from loading, out. Child interpreter only."""

from __future__ import annotations

import importlib
import re
import traceback
import types
from pathlib import Path

import pydantic

from chainctl.errors import ChainsRuntimeError, ChainsUsageError, ComponentError, Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.forward import forward_reference_problem
from chainctl.sdk import config
from chainctl.sdk.frozen import FrozenModel
from chainctl.sdk.locate import is_installed
from chainctl.truss.alias import ROOTS

_WRONG_CALL = re.compile(r"\) (missing \d|got (an unexpected|multiple values|some)|takes )")
_CONFIG_NAMES = frozenset(
    value.__name__ for value in vars(config).values()
    if isinstance(value, type) and issubclass(value, FrozenModel)
)  # fmt: skip


def import_chain(file: ChainFile) -> types.ModuleType | Problem:
    """Import the user's file as the container will: by its module name, with its root on the path."""
    try:
        return importlib.import_module(file.module)
    except SyntaxError as error:
        in_a_file = _is_no_text(file) or (error.lineno and Path(error.filename or file.path).is_file())
        return _syntax_problem(error, file) if in_a_file else _import_problem(file, error)
    except SystemExit as error:
        return _at_user_frame(
            file, error, "CH0104", f"loading the file calls `sys.exit({error.code!r})`",
            help='put what should only run as a script under `if __name__ == "__main__":`',
        )  # fmt: skip
    except NameError as error:
        return forward_reference_problem(error, file) or _import_problem(file, error)
    except pydantic.ValidationError as error:
        is_ours = error.title in _CONFIG_NAMES
        return _config_problem(file, error) if is_ours else _import_problem(file, error)
    except ComponentError as error:
        code = error.code or "CH0103"
        return _at_user_frame(file, error, code, error.message.rstrip("."), help=error.hint.rstrip("."))
    except (ChainsUsageError, ChainsRuntimeError) as error:
        return _at_user_frame(file, error, _misuse_code(error), error.message, help=error.hint)
    except BaseException as error:  # noqa: BLE001  # user code may raise anything
        return _import_problem(file, error)


def _misuse_code(error: ChainsUsageError | ChainsRuntimeError) -> str:
    """Tell apart, by their messages, the mistakes that the SDK raises as soon as they are made."""
    codes = {"changed in place": "CH0507", "mark_entrypoint": "CH0110", "was created": "CH0209"}
    return next((code for text, code in codes.items() if text in error.message), "CH0208")


def _is_no_text(file: ChainFile) -> bool:
    """Whether the file has null bytes; Python names no line for them."""
    return b"\0" in file.path.read_bytes()


def _syntax_problem(error: SyntaxError, file: ChainFile) -> Problem:
    end = error.end_offset if error.end_lineno == error.lineno and error.end_offset else 0
    return Problem(
        "CH0102",
        f"this is no Python: {error.msg}",
        error.filename or str(file.path),
        error.lineno or 0,
        error.offset or 0,
        end if end > (error.offset or 0) else 0,
        help="correct the line; `python -m py_compile` shows the same error",
    )


def _config_problem(file: ChainFile, error: pydantic.ValidationError) -> Problem:
    lines = [f"`{'.'.join(map(str, e['loc'])) or error.title}`: {_plain(e['msg'])}" for e in error.errors()]
    return _at_user_frame(
        file, error, "CH0503", f"`{error.title}` does not accept these values: {'; '.join(lines)}",
        help="`chainctl explain CH0503` lists the fields and their types",
    )  # fmt: skip


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("tuple", "list")


def _import_problem(file: ChainFile, error: BaseException) -> Problem:
    first, *rest = str(error).splitlines() or [""]
    shown = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return _at_user_frame(
        file, error, "CH0103", f"loading the file raises {shown}", note="\n".join(rest),
        help=_help_for(error),
    )  # fmt: skip


def _help_for(error: BaseException) -> str:
    """A call with wrong arguments would fail wherever it stands; all else need not run here."""
    if isinstance(error, TypeError) and _WRONG_CALL.search(str(error)):
        return "correct the arguments of this call"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in ROOTS:
        return "only what is public in Truss Chains has a counterpart in chainctl: do without the rest"
    return "a chain file is loaded to read it: move work into `__init__` or `run_remote`"


def _at_user_frame(
    file: ChainFile, error: BaseException, code: str, message: str, *, note: str = "", help: str = ""
) -> Problem:
    """Place a problem at the innermost frame that is in the user's project."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).is_relative_to(file.root) and not is_installed(f.filename)]
    if not mine:
        return Problem(code, message, str(file.path), note=note, help=help)
    frame = mine[-1]
    column = (frame.colno or 0) + 1
    end = (frame.end_colno or 0) + 1 if frame.end_lineno == frame.lineno else 0
    return Problem(code, message, frame.filename, frame.lineno or 0, column, end, note, help)

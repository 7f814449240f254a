"""`python -m chainctl.truss.program FILE [ARGS…]`: runs a file as Python itself would, with the aliases."""

from __future__ import annotations

import io
import os
import sys
import types
from typing import Optional

from chainctl.truss.alias import install

_INTERRUPTED = 130


def main(arguments: list[str]) -> None:
    """Execute a file as `__main__`; what it raises is shown as Python shows it, without our own frames."""
    path = os.path.abspath(arguments[0])  # noqa: PTH100  # as Python does, without following links
    sys.argv[:] = arguments
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
    install()
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]  # which `exec` would add
    sys.modules["__main__"] = module
    try:
        with io.open_code(path) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # the user's own program
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # the user's program may raise anything
        sys.exit(shown(error))


def shown(error: BaseException) -> int:
    """Print an error with the traceback that begins in the program; the exit code that Python would have."""
    error.__traceback__ = _in_program(error)
    sys.excepthook(type(error), error, error.__traceback__)
    return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def _in_program(error: BaseException) -> Optional[types.TracebackType]:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


if __name__ == "__main__":
    main(sys.argv[1:])

"""The child interpreter that runs components: requests on stdin; answers on a descriptor of its own.

`python -m chainctl.components.child DESCRIPTOR`. What the user's code prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from chainctl.components.session import Session
from chainctl.truss import alias


def serve(
    arguments: list[str],
    *,
    loading: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    """Answer requests until there are no more. `loading` is entered while code is loaded."""
    requests = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.set_inheritable(int(arguments[0]), False)  # a process that the user's code starts may live on
    alias.install()
    session = Session(loading)
    with os.fdopen(int(arguments[0]), "wb") as answers:
        for line in requests:
            answers.write(session.answer(line.decode()).encode() + b"\n")
            answers.flush()
    session.close()


if __name__ == "__main__":
    serve(sys.argv[1:])
    sys.stderr.flush()
    os._exit(0)  # threads of the user's code do not hold up the command

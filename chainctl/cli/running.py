"""What the user asks of `run-local` in; a result on stdout, or a served chain, out."""

from __future__ import annotations

import sys

from chainctl.adapters.local.debugger import debugger_path
from chainctl.cli.calling import answer_text
from chainctl.cli.run_wish import RunWish, load_run


def run_chain(wish: RunWish, *, as_json: bool) -> None:
    """Run or serve a chain. Raises ChainctlError when user code raises, with its traceback."""
    wish.require_possible()
    if wish.debugged:
        debugger_path()
    loaded = load_run(wish)
    if wish.has_processes:
        from chainctl.cli.running_processes import run_in_processes

        answer = run_in_processes(wish, loaded)
    else:
        from chainctl.cli.running_inline import run_in_one_process

        answer = run_in_one_process(wish, loaded)
    if answer is not None:
        sys.stdout.write(answer_text(answer, as_json=as_json))

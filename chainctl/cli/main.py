"""The command `chainctl`: finds the verb, and is the one boundary at which errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from chainctl.cli.verbs import VERBS


def run() -> None:
    """Entry point of the console script."""
    names = completed(os.environ)
    if names is not None:
        sys.stdout.write("\n".join(names))
        return
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from chainctl.cli.app import app
    from chainctl.cli.boundary import exit_code_of

    return exit_code_of(lambda: app(args=list(arguments), standalone_mode=False, prog_name="chainctl"))


def completed(environ: Mapping[str, str]) -> list[str] | None:
    """Answer the shell when it completes a verb, or a chain right behind one, in bash; loads next to nothing.

    Everything else (options, other arguments, other shells) is None: the framework answers.
    """
    if environ.get("_CHAINCTL_COMPLETE") != "complete_bash":
        return None
    match environ.get("COMP_CWORD"), environ.get("COMP_WORDS", "").split():
        case "1", [_, *rest]:
            names = list(VERBS)
        case "2", [_, verb, *rest] if verb in VERBS and VERBS[verb].takes_chain:
            names = _recorded_chains()
        case _:
            return None
    begun = rest[0] if rest else ""
    return None if begun.startswith("-") else [name for name in names if name.startswith(begun)]


def _recorded_chains() -> list[str]:
    from chainctl.cli.wiring_light import recorded_chains

    return recorded_chains()


if __name__ == "__main__":
    run()

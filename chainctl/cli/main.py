"""The command `chainctl`: finds the verb, and is the one boundary at which errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from chainctl.cli.verbs import VERBS


def run() -> None:
    """Entry point of the console script."""
    names = completed_verbs(os.environ)
    if names is not None:
        sys.stdout.write("\n".join(names))
        return
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from chainctl.cli.app import app
    from chainctl.cli.boundary import exit_code_of

    return exit_code_of(lambda: app(args=list(arguments), standalone_mode=False, prog_name="chainctl"))


def completed_verbs(environ: Mapping[str, str]) -> list[str] | None:
    """Answer the shell when it completes a verb's name in bash, without loading anything.

    Everything else (options, names of chains, other shells) is None: the framework answers.
    """
    if environ.get("_CHAINCTL_COMPLETE") != "complete_bash" or environ.get("COMP_CWORD") != "1":
        return None
    words = environ.get("COMP_WORDS", "").split()
    begun = words[1] if len(words) > 1 else ""
    return None if begun.startswith("-") else [name for name in VERBS if name.startswith(begun)]


if __name__ == "__main__":
    run()

"""The command line's own `--help` in; its verbs and their options out."""

from __future__ import annotations

import contextlib
import io
import re
from functools import cache

from chainctl.cli.main import main
from chainctl.cli.verbs import VERBS

_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")


@cache
def options_of(verb: str) -> frozenset[str]:
    """Return the options that a verb's help lists, long and short; of the command itself for "".

    Those of a verb with actions are the options of all of its actions.
    """
    printed = io.StringIO()
    words = [verb] if verb else []
    actions = VERBS[verb].actions if verb else ()
    with contextlib.redirect_stdout(printed):
        for action in actions or [None]:
            assert main([*words, *([action] if action else []), "--help"]) == 0
    _, _, listed = printed.getvalue().partition("Options")
    return frozenset(found for line in listed.splitlines() for found in _OPTION.findall(_names_of(line)))


def verbs() -> list[str]:
    """Return all verbs in the order of the help."""
    return list(VERBS)


def _names_of(line: str) -> str:
    """The part of a line of help that names options: what stands before their description."""
    return re.split(r"<|\s{3,}[A-Z\[]", line.lstrip("│ *"))[0] if line.lstrip("│ *").startswith("-") else ""

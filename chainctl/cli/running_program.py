"""A file and its arguments in; the program in the place of this process out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from chainctl.cli.surroundings import python_executable
from chainctl.errors import UsageError


def run_program(file: Path, arguments: list[str]) -> NoReturn:
    """Become the program: its output, its signals and its exit code are its own. Raises UsageError."""
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise UsageError(f"{file} {what}", hint="name a Python file: `chainctl run chain.py`.")
    python = python_executable()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(python, [python, "-P", "-m", "chainctl.truss.program", str(file), *arguments])

"""A locked environment in; the files that install it in an image out."""

from __future__ import annotations

from chainctl.build.context import ContextFile
from chainctl.build.lock import Environment
from chainctl.templates import render


def locked_files(environment: Environment) -> tuple[list[ContextFile], list[str]]:
    """Return a locked environment's packages and what installs them, and the name of what is installed."""
    installer = render("install.py.j2", {"indexes": environment.indexes})
    return [
        ContextFile.of_text("requirements/locked.txt", environment.requirements_text),
        ContextFile.of_text("install.py", installer),
    ], ["locked.txt"]

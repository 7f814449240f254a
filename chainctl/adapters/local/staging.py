"""What is special about one local run, by chainlet, as a frozen value; a push has nothing special."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Staging:
    """How the processes of some chainlets, by display name, are started otherwise than all.

    `pythons` are their interpreters, `launchers` what stands between the interpreter and the program,
    `environ` variables besides those that every process gets; those of `everywhere` are for all. `code`
    are directories that are imported from instead of the copy of their files, so that a debugger sees the
    files that the user has open.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    launchers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environ: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    everywhere: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def argv(self, chainlet: str, python: str, program: str) -> tuple[str, ...]:
        """Return the command line of a chainlet's process."""
        return (self.pythons.get(chainlet, python), *self.launchers.get(chainlet, ()), program)

    def environ_of(self, chainlet: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a chainlet's process; the copy of its files is first on its path."""
        copied, *others = environ["PYTHONPATH"].split(os.pathsep)
        path = os.pathsep.join([*self.code.get(chainlet, (copied,)), *others])
        return {**environ, "PYTHONPATH": path, **self.everywhere, **self.environ.get(chainlet, {})}

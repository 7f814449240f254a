"""What is special about one local run, by chainlet, as a frozen value; a push has nothing special."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Staging:
    """How the processes of some chainlets, by display name, are started otherwise than all.

    `pythons` are their interpreters, `launchers` what stands between the interpreter and the program,
    `environ` variables besides those that every process gets.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    launchers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environ: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def argv(self, chainlet: str, python: str, program: str) -> tuple[str, ...]:
        """Return the command line of a chainlet's process."""
        return (self.pythons.get(chainlet, python), *self.launchers.get(chainlet, ()), program)

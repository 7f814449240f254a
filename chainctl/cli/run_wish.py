"""What the user asks of `run-local`, as a frozen value; the chain that is to be run then, out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.cli.loading import load_graph
from chainctl.cli.replacing import Replacements, require_known, require_something_left
from chainctl.errors import UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.graph.load import load_with_fakes
from chainctl.graph.replace import replaced_graph
from chainctl.workflows.outside import require_outside

UNCHANGED = "The chain goes on as it was before the edit."
RELOADED = "The chain serves what was edited."
FIDELITIES = ("inline", "codec", "process", "isolated")


@dataclass(frozen=True, slots=True)
class RunWish:
    """`body` None means: serve on `port`. `debugged` are the chainlets to debug.

    `given` are secrets that win over those of the environment and of the file `secrets`.
    """

    file: str
    fidelity: str
    body: bytes | None = None
    port: int = 8100
    secrets: Path | None = None
    replacements: Replacements = field(default_factory=Replacements)
    reloads: bool = False
    debugged: tuple[str, ...] = ()
    waits: bool = True
    given: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def has_processes(self) -> bool:
        """Whether each chainlet has a process of its own."""
        return self.fidelity in ("process", "isolated")

    def require_possible(self) -> None:
        """Raise UsageError for what does not go together."""
        if self.fidelity not in FIDELITIES:
            raise UsageError(
                f"there is no fidelity {self.fidelity}", hint=f"use one of {', '.join(FIDELITIES)}."
            )
        if self.reloads and self.body is not None:
            raise UsageError("`--reload` serves, and `--input` runs once", hint="leave one of the two out.")
        if self.debugged and not self.has_processes:
            raise UsageError(
                f"`--debug` needs a process of its own for a chainlet, and with {self.fidelity} there is one for all",
                hint="use `--fidelity process`.",
            )
        if self.debugged and self.reloads:
            raise UsageError(
                "`--debug` and `--reload` do not go together: a new process would need another port",
                hint="leave one of the two out.",
            )


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A chain that was loaded for a run: as it is `written`, as it is to be run (`graph`), and its fakes."""

    written: ChainGraph
    graph: ChainGraph
    fakes: tuple[ChainletSpec, ...] = ()


def edited_line(paths: Iterable[Path]) -> str:
    """Say which files were edited."""
    return f"Edited: {', '.join(sorted({path.name for path in paths}))}"


def load_run(wish: RunWish) -> LoadedRun:
    """Load the chain and what stands for its chainlets, and check all of it.

    Raises ChainDefinitionError, and UsageError for names that no chainlet has and URLs that do not answer.
    """
    replacements = wish.replacements
    written, fakes = _loaded(wish)
    require_known(written, replacements.names, "--replace")
    require_known(written, wish.debugged, "--debug")
    require_something_left(written, replacements)
    for name, url in sorted(replacements.urls.items()):
        require_outside(written.chainlet(name), url)
    graph = replaced_graph(written, replacements.urls, fakes) if replacements.names else written
    require_known(graph, wish.debugged, "--debug")
    _require_processes(wish, graph)
    return LoadedRun(written, graph, fakes)


def _require_processes(wish: RunWish, graph: ChainGraph) -> None:
    """Check that Truss directories which others call get processes: each imports its own `model`."""
    members = [s.name for s in graph.chainlets if s.truss_config is not None and s.name != graph.entrypoint]
    served = (graph.chainlet(graph.entrypoint).truss_config or {}).get("docker_server")
    if served and not wish.has_processes:
        raise UsageError(
            f"{Path(graph.root).name} is served by a server of its own, which needs a process",
            hint="use `--fidelity process`.",
        )
    if members and not wish.has_processes:
        raise UsageError(
            f"{', '.join(members)} of {Path(graph.path).name} runs in a process of its own: it is a Truss directory",
            hint=f"use `--fidelity process`, or let a fake stand for it: `--replace {members[0]}=fakes.py:Fake`.",
        )


def _loaded(wish: RunWish) -> tuple[ChainGraph, tuple[ChainletSpec, ...]]:
    fakes = wish.replacements.fakes
    if not fakes:
        return load_graph(wish.file), ()
    return load_with_fakes(ChainFile.parse(wish.file), fakes, python=sys.executable, environ=os.environ)

"""ChainGraph: the chainlets of a chain and the edges between them, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chainctl.errors import Problem
from chainctl.graph.chain_file import TRUSS_CONFIG
from chainctl.sdk.config import RemoteConfig

if TYPE_CHECKING:
    from chainctl.components.nodes import FoundComponent


@dataclass(frozen=True, slots=True)
class SourceFileRef:
    """A file of the user's that a chainlet needs: where it is, and its path relative to the root.

    `why` says what asks for it first, such as `imported by chain.py:3`; it is "" for the chainlet's own file.
    """

    path: str
    source: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """One dependency by display names. `argument` is the name in the caller's `__init__`."""

    caller: str
    callee: str
    argument: str
    retries: int
    timeout_sec: float


@dataclass(frozen=True, slots=True)
class ChainletSpec:
    """One chainlet: where it is written, what it asks for, what it takes and gives, its files.

    `config` is the JSON form of its RemoteConfig, with only what the user wrote. `truss_config` is that of a Truss
    directory's `config.yaml` with all defaults, as its model is given it; None for a class of chainctl's own.
    `config_lines` are the lines of its keys; of a chainlet there is that of its configuration, as `resources`.
    """

    name: str
    class_name: str
    module: str
    qualname: str
    path: str
    line: int
    config: Mapping[str, Any]
    is_async: bool
    is_stream: bool
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    files: tuple[SourceFileRef, ...]
    takes_stream: bool = False
    is_websocket: bool = False
    truss_config: Mapping[str, Any] | None = None
    config_lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def remote_config(self) -> RemoteConfig:
        return RemoteConfig.from_json(self.config)

    def place_of(self, key: str) -> tuple[str, int]:
        """Return the file and the line that say what a key of `config.yaml` does; of a chainlet, its class."""
        file = self.config_file
        return file or self.path, self.config_lines.get(key, self.line if file is None else 1)

    @property
    def config_file(self) -> str | None:
        """The `config.yaml` of a Truss directory, None for a class of chainctl's own."""
        if self.truss_config is None:
            return None
        above = self.module.count(".") + 1 if self.path.endswith(".py") else 1
        return "/".join([*self.path.split("/")[:-above], TRUSS_CONFIG])


@dataclass(frozen=True, slots=True)
class ChainGraph:
    """A chain that was checked. `chainlets` are sorted by name, `edges` by caller and argument.

    `component_text` is the JSON of the components that are declared beside it, "" where there are none.
    """

    chain: str
    root: str
    path: str
    entrypoint: str
    chainlets: tuple[ChainletSpec, ...]
    edges: tuple[Edge, ...]
    warnings: tuple[Problem, ...] = ()
    component_text: str = ""

    def components(self) -> tuple[FoundComponent, ...]:
        """Return the components that are declared beside the chain: children first."""
        if not self.component_text:
            return ()
        from chainctl.components.nodes import found_components

        return found_components(self.component_text)

    def chainlet(self, name: str) -> ChainletSpec:
        """Return a chainlet by display name. Raises KeyError."""
        for spec in self.chainlets:
            if spec.name == name:
                return spec
        raise KeyError(name)

    def callees(self, name: str) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.caller == name)


@dataclass(frozen=True, slots=True)
class Introspection:
    """What the child interpreter found: a graph, or problems, or both (then they are warnings).

    `fakes` are the specs of classes that stand for chainlets in a local run, where it was asked for some.
    """

    problems: tuple[Problem, ...]
    graph: ChainGraph | None = None
    fakes: tuple[ChainletSpec, ...] = ()

"""What a component is once it is encoded: Node, a frozen value; and the Runner of its hooks and triggers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class NodeKey:
    """The name of a component: its class's name and its identifier."""

    component: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.component}:{self.identifier}"


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """A trigger, what it waits for, and whether what it requires was given."""

    method: str
    depends_on: tuple[str, ...] = ()
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that stand beside a node's text, by their digest."""

    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Node:
    """One component with what it needs to be loaded again.

    `uuid` changes with the fields that its class names in `breaks`, `hash` with anything; `data` is
    JSON. Triggers are in the order in which they run, `children` are applied before.
    """

    key: NodeKey
    uuid: str
    hash: str
    breaking: str
    data: str
    triggers: tuple[TriggerSpec, ...] = ()
    children: tuple[NodeKey, ...] = ()
    blobs: tuple[Blob, ...] = ()


class Runner(Protocol):
    """Runs what a component does; raises what the user's code raised."""

    def create(self, node: Node) -> None:
        """Run `on_create`."""

    def run(self, node: Node, method: str) -> object:
        """Run a trigger; the result is JSON."""

    def cleanup(self, node: Node) -> None:
        """Run `cleanup`."""

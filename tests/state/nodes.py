"""Names in; nodes without any class behind them, and a Runner that writes down what it is asked, out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping

from chainctl.components.node import Blob, Node, NodeKey, TriggerSpec

KIND = "Thing"


def key(name: str) -> NodeKey:
    return NodeKey(KIND, name)


def node(
    name: str = "a",
    value: str = "1",
    *,
    breaking: str = "b",
    triggers: Mapping[str, Iterable[str]] | None = None,
    unwanted: Iterable[str] = (),
    children: Iterable[str] = (),
    blobs: Iterable[bytes] = (),
) -> Node:
    """A node; another `value` is another state of it, another `breaking` another version."""
    given = {"start": ()} if triggers is None else triggers
    stored = tuple(Blob(hashlib.sha256(data).hexdigest(), data) for data in blobs)
    return Node(
        key=key(name),
        uuid=hashlib.sha256(f"{name}{breaking}".encode()).hexdigest()[:32],
        hash=hashlib.sha256(f"{name}{value}{breaking}".encode()).hexdigest(),
        breaking=breaking,
        data=json.dumps({"_path": KIND, "value": value}),
        triggers=tuple(TriggerSpec(m, tuple(needs), m not in unwanted) for m, needs in given.items()),
        children=tuple(key(child) for child in children),
        blobs=stored,
    )


class Recorder:
    """Writes down what it is asked to run; `fails` are those that raise, as "name.method"."""

    def __init__(self, *, fails: Iterable[str] = (), before: Callable[[str], None] | None = None) -> None:
        self.ran: list[str] = []
        self.fails = set(fails)
        self._before = before or (lambda _what: None)

    def create(self, node: Node) -> None:
        self._do(node, "on_create")

    def run(self, node: Node, method: str) -> object:
        self._do(node, method)
        return {"did": method}

    def cleanup(self, node: Node) -> None:
        self._do(node, "cleanup")

    def _do(self, node: Node, method: str) -> None:
        what = f"{node.key.identifier}.{method}"
        self._before(what)
        self.ran.append(what)
        if what in self.fails:
            raise ValueError(f"{what} can not")

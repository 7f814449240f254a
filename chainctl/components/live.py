"""Components of this process in; a Runner of their hooks and triggers, async ones too, out."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from chainctl.components.encode import key_of
from chainctl.components.load import loaded
from chainctl.components.node import Node, NodeKey
from chainctl.sdk.component import Component
from chainctl.sdk.trigger import begin_setup


class LiveRunner:
    """Runs nodes on the components that they were made of; those that are not here are loaded.

    `load` makes the component of a node. Use it as a context manager: async triggers share an event
    loop in a thread of its own, so that it works where a loop runs already.
    """

    def __init__(
        self, components: Iterable[Component] = (), *, load: Callable[[Node], Component] = loaded
    ) -> None:
        self._components: dict[NodeKey, Component] = {key_of(each): each for each in components}
        self._load = load
        self._loop = _Loop()

    def __enter__(self) -> LiveRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()

    def component(self, node: Node) -> Component:
        """Return the component of a node, loaded at its first use."""
        if node.key not in self._components:
            self._components[node.key] = self._load(node)
        return self._components[node.key]

    def create(self, node: Node) -> None:
        """Run `on_create`."""
        self._finished(self.component(node).on_create())

    def run(self, node: Node, method: str) -> object:
        """Run a trigger, after `setup`. What JSON has no form for becomes a text."""
        component = self.component(node)
        self._finished(begin_setup(component))
        return as_json(self._finished(getattr(component, method)()))

    def cleanup(self, node: Node) -> None:
        """Run `cleanup`, after `setup`."""
        component = self.component(node)
        self._finished(begin_setup(component))
        self._finished(component.cleanup())

    def _finished(self, result: Any) -> Any:
        return self._loop.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(value: Any) -> Any:
    return await value


class _Loop:
    """An event loop in a thread, from its first use on."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupt ends the wait, not the work
            raise

    def close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self.run(_shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None


async def _shut() -> None:
    """End what triggers left running, as `asyncio.run` does."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def as_json(value: Any) -> Any:
    """Return a result as it comes back from JSON; a text where it has no such form."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def components_below(*components: Component) -> Mapping[NodeKey, Component]:
    """Return components with all that they refer to, by key."""
    found: dict[NodeKey, Component] = {}
    waiting = list(components)
    while waiting:
        each = waiting.pop()
        if key_of(each) not in found:
            found[key_of(each)] = each
            waiting += each.children
    return found

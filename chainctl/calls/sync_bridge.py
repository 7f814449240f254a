"""Coroutines of user code in; the same, in which sync calls of other chainlets let the event loop go on, out.

A sync call in async code stops the event loop, and with it all other calls of the chainlet, until it
returns. Here each task of user code runs in a greenlet: a sync stub switches out of it, the task awaits
the call, and switches back with its result. After the greenlet bridge of SQLAlchemy's asyncio extension.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib.util
import sys
import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Optional


class _Wish:
    """What a greenlet asks its task to await."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable


def bridge_tasks(loop: asyncio.AbstractEventLoop) -> bool:
    """Let each task that is made on a loop from now on bridge its sync calls.

    Returns whether it does: that needs the greenlet package.
    """
    if importlib.util.find_spec("greenlet") is None:
        return False

    def task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        return asyncio.Task(bridged(work) if asyncio.iscoroutine(work) else work, loop=loop, **more)

    loop.set_task_factory(task)
    return True


def can_await_here() -> bool:
    """Say whether sync code that runs now may have something awaited."""
    greenlet = sys.modules.get("greenlet")
    return greenlet is not None and isinstance(getattr(greenlet.getcurrent(), "bridged", None), _Bridge)


def await_here(awaitable: Awaitable[Any]) -> Any:
    """Have the task of this sync code await something, and return its result."""
    greenlet: Any = sys.modules["greenlet"]
    return greenlet.getcurrent().parent.switch(_Wish(awaitable))


@types.coroutine
def bridged(work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a coroutine in a greenlet of its own, step by step, as its task is stepped."""
    bridge = _Bridge(work)
    try:
        said = bridge.step(None, None)
        while not bridge.is_over:
            value: Any = None
            error: Optional[BaseException] = None
            try:
                value = yield from _answered(said)
            except BaseException as raised:  # noqa: BLE001  # it is raised where the coroutine waits
                error = raised
            said = bridge.step(value, error)
        return said
    finally:
        work.close()


def _answered(said: Any) -> Generator[Any, Any, Any]:
    """Do what a step ended with: await a sync call, or hand on what the coroutine awaits itself."""
    if isinstance(said, _Wish):
        return (yield from said.awaitable.__await__())
    return (yield said)


class _Bridge:
    """One coroutine in its greenlet."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        from greenlet import greenlet

        self._work = work
        made: Any = greenlet(self._run)
        made.bridged = self
        made.gr_context = contextvars.copy_context()
        self._greenlet = made

    @property
    def is_over(self) -> bool:
        return bool(self._greenlet.dead)

    def step(self, value: Any, error: Optional[BaseException]) -> Any:
        """Go on until the coroutine, or sync code in it, waits or ends. Raises what it raises."""
        if error is not None:
            return self._greenlet.throw(error)
        return self._greenlet.switch(value)

    def _run(self, value: Any) -> Any:
        """Step the coroutine; what it awaits goes to the parent, whose answer it is given."""
        parent = self._greenlet.parent
        error: Optional[BaseException] = None
        while True:
            try:
                said = self._work.throw(error) if error is not None else self._work.send(value)
            except StopIteration as end:
                return end.value
            value, error = None, None
            try:
                value = parent.switch(said)
            except BaseException as raised:  # noqa: BLE001  # it is raised where the coroutine waits
                error = raised

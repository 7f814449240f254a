"""The methods of an object in; calls that go through them, with `run_remote` behind a gate, out.

An object needs no base class: what a call goes through is given as Stages.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Optional

from chainctl.calls.call_context import CallContext
from chainctl.sdk.batched import Batching
from chainctl.sdk.stages import ENDPOINT, POSTPROCESS, PREPROCESS, StageForms
from chainctl.telemetry.span import Span
from chainctl.worker.batcher import Batcher
from chainctl.worker.gate import Gate, Overloaded
from chainctl.worker.threads import CallThreads


@dataclass(frozen=True)
class Stage:
    """One method of a call, by the name that the user knows."""

    name: str
    function: Callable[..., Any]
    is_async: bool

    @classmethod
    def of(cls, function: Callable[..., Any], name: str) -> Stage:
        is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        return cls(name, function, is_async)


@dataclass(frozen=True)
class Stages:
    """What a call goes through. The first one takes the arguments, each other one what came before it.

    A `run` that streams is a generator, and has no `postprocess` behind it; one that is batched takes and
    returns a list.
    """

    run: Stage
    preprocess: Optional[Stage] = None
    postprocess: Optional[Stage] = None
    is_stream: bool = False
    batching: Optional[Batching] = None


def stages_of(instance: Any, forms: StageForms) -> Stages:
    """Bind a chainlet's stages."""
    run = instance.run_remote
    has_first, has_last = forms.preprocess_is_async is not None, forms.postprocess_is_async is not None
    return Stages(
        Stage.of(run, ENDPOINT),
        Stage.of(instance.preprocess, PREPROCESS) if has_first else None,
        Stage.of(instance.postprocess, POSTPROCESS) if has_last else None,
        inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run),
        forms.batching,
    )


class Visit:
    """One call, there until nothing works for it any more: a thread may outlive its answer.

    `at` is the stage that it is in, `span` takes the times of its stages. `on_end` is called once.
    """

    __slots__ = ("_holds", "_on_end", "at", "context", "span")

    def __init__(
        self, context: CallContext, span: Optional[Span] = None, on_end: Optional[Callable[[], None]] = None
    ) -> None:
        self.context = context
        self.span = span
        self.at = ENDPOINT
        self._on_end = on_end
        self._holds = 1

    def hold(self) -> None:
        """Be there until one more `release`."""
        self._holds += 1

    def release(self) -> None:
        """Note that the call, or what it holds, is over."""
        self._holds -= 1
        if not self._holds and self._on_end is not None:
            self._on_end()


class StageRunner:
    """Takes calls through stages. The gate bounds `run`, or batches of it; other stages run outside of it.

    In all, as many calls are here as may run and wait: more would only fill threads. `run_threads` runs a
    sync `run`, threads of their own the other sync stages. `name` is that of the chainlet, for messages.
    """

    def __init__(
        self, name: str, gate: Gate, run_threads: CallThreads, batching: Optional[Batching] = None
    ) -> None:
        self._name = name
        self._gate = gate
        self._run_threads = run_threads
        self._most = gate.limit * (batching.max_size if batching else 1) + gate.queue_limit
        self._threads = CallThreads(self._most)
        self._batchers: dict[Optional[int], Batcher] = {}
        self._is_draining = False
        self._present = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for their batch to begin."""
        return sum(batcher.waiting for batcher in self._batchers.values())

    def visit(self, context: CallContext, span: Optional[Span], on_end: Callable[[], None]) -> Visit:
        """Let one more call in. Raises Overloaded."""
        if self._present >= self._most:
            raise Overloaded(f"{self._present} calls are here already, the limit is reached", 1)
        self._present += 1

        def leave() -> None:
            self._present -= 1
            on_end()

        return Visit(context, span, leave)

    def drain(self) -> None:
        """Let batches begin at once from now on: nothing else comes."""
        self._is_draining = True
        for batcher in self._batchers.values():
            batcher.drain()

    async def value(self, stages: Stages, arguments: Mapping[str, Any], visit: Visit) -> Any:
        """Take a call through all stages; return what the last one does. Raises Overloaded, and user errors."""
        args, kwargs = await self._first(stages, arguments, visit)
        if stages.batching is not None:
            (element,) = (*args, *kwargs.values())
            batcher = self._batcher(stages, stages.batching, visit)
            self._gate.refuse_hopeless(
                visit.context.remaining_sec, batcher.waiting // stages.batching.max_size
            )
            result = await batcher.result(element, visit)
        else:
            result = await self._run(
                stages.run, functools.partial(stages.run.function, *args, **kwargs), visit
            )
        if stages.postprocess is None:
            return result
        return await self._beside(stages.postprocess, visit, result)

    async def items(
        self, stages: Stages, arguments: Mapping[str, Any], visit: Visit
    ) -> AsyncGenerator[Any, None]:
        """Take a call to a `run` that streams, and begin it; its place at the gate is its own to its end."""
        args, kwargs = await self._first(stages, arguments, visit)
        visit.at = stages.run.name
        since = await self._enter(visit)
        leave = self._leaving(since, visit)
        try:
            made = stages.run.function(*args, **kwargs)
        except BaseException:
            leave()
            raise
        return async_items(made, leave) if stages.run.is_async else self._run_threads.items(made, leave)

    async def _first(
        self, stages: Stages, arguments: Mapping[str, Any], visit: Visit
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """What `run` is called with: the arguments, or what `preprocess` makes of them."""
        if stages.preprocess is None:
            return (), arguments
        return (await self._beside(stages.preprocess, visit, **arguments),), {}

    async def _beside(self, stage: Stage, visit: Visit, *args: Any, **kwargs: Any) -> Any:
        """Run a stage outside of the gate: on the event loop, or in a thread that the call is there for."""
        visit.at = stage.name
        began = time.perf_counter_ns()
        try:
            if stage.is_async:
                return await stage.function(*args, **kwargs)
            visit.hold()
            work = functools.partial(stage.function, *args, **kwargs)
            return await self._threads.run(work, visit.release)
        finally:
            _note(visit.span, stage.name, time.perf_counter_ns() - began)

    async def _run(self, stage: Stage, work: Callable[[], Any], visit: Visit) -> Any:
        visit.at = stage.name
        since = await self._enter(visit)
        began = time.perf_counter_ns()
        try:
            if not stage.is_async:
                return await self._run_threads.run(work, self._leaving(since, visit))
            try:
                return await work()
            finally:
                self._gate.leave(since)
        finally:
            if visit.span is not None:
                visit.span.run_ns = time.perf_counter_ns() - began

    async def _enter(self, visit: Visit) -> float:
        began = time.perf_counter_ns()
        since = self._gate.enter_now()
        if since is None:
            since = await self._gate.enter(visit.context.remaining_sec)
        if visit.span is not None:
            visit.span.queue_ns = time.perf_counter_ns() - began
        return since

    def _leaving(self, since: float, visit: Visit) -> Callable[[], None]:
        """What gives a place back; until then the call is there."""
        visit.hold()

        def leave() -> None:
            self._gate.leave(since)
            visit.release()

        return leave

    def _batcher(self, stages: Stages, batching: Batching, visit: Visit) -> Batcher:
        """The batcher of a call's generation: no batch mixes two. One that has nothing to do goes.

        Raises Overloaded for a call that would wait beyond its deadline.
        """
        visit.at = stages.run.name
        number = visit.context.generation
        batcher = self._batchers.get(number)
        ahead = 0 if batcher is None else batcher.waiting // batching.max_size
        self._gate.refuse_hopeless(visit.context.remaining_sec, ahead)
        if batcher is None:
            run = stages.run
            work = run.function if run.is_async else functools.partial(self._in_thread, run.function)

            def forget() -> None:
                del self._batchers[number]

            batcher = self._batchers[number] = Batcher(
                batching, self._gate, work, f"{self._name}.{run.name}", forget
            )
            if self._is_draining:
                batcher.drain()
        return batcher

    async def _in_thread(self, function: Callable[..., Any], elements: list[Any]) -> Any:
        """Run a sync batch. A thread cannot be stopped, so its place is kept until it ends."""
        over = asyncio.get_running_loop().create_future()
        try:
            return await self._run_threads.run(
                functools.partial(function, elements), functools.partial(_settle, over)
            )
        finally:
            await asyncio.shield(over)


def _settle(over: asyncio.Future[None]) -> None:
    over.set_result(None)


async def async_items(
    made: AsyncGenerator[Any, None], leave: Callable[[], None]
) -> AsyncGenerator[Any, None]:
    """Yield the items of an async generator, and close it; `leave` is called when that is over."""
    try:
        async with aclosing(made) as items:
            async for item in items:
                yield item
    finally:
        leave()


def _note(span: Optional[Span], stage: str, took_ns: int) -> None:
    if span is None:
        return
    if stage == PREPROCESS:
        span.preprocess_ns = took_ns
    else:
        span.postprocess_ns = took_ns

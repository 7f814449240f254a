"""A chainlet object in; one that is called as its callers see it, stages and batches included, out. For local runs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any
from weakref import WeakKeyDictionary

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.calls.client_loop import ClientLoop
from chainctl.sdk.stages import caller_signature, stage_forms
from chainctl.worker.gate import Gate
from chainctl.worker.stages import Stage, StageRunner, Stages, Visit, stages_of
from chainctl.worker.threads import CallThreads


def inline_chainlet(instance: Any, loop: ClientLoop) -> Any:
    """Put a chainlet's stages around it; one that has none is returned as it is.

    Sync chainlets have their async stages and their batches run on `loop`.
    """
    forms = stage_forms(type(instance))
    return instance if forms is None else InlineChainlet(instance, stages_of(instance, forms), loop)


class InlineChainlet:
    """Stands for a chainlet with stages. What it does not know itself is the chainlet's own."""

    def __init__(self, instance: Any, stages: Stages, loop: ClientLoop) -> None:
        self._instance = instance
        self._stages = stages
        self._loop = loop
        self._signature = caller_signature(type(instance))
        self._runners: WeakKeyDictionary[asyncio.AbstractEventLoop, StageRunner] = WeakKeyDictionary()
        self.run_remote: Any = (
            self._stream if stages.is_stream and stages.run.is_async
            else self._sync_stream if stages.is_stream
            else self._value if stages.run.is_async
            else self._sync_value
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    async def _value(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self._bound(args, kwargs)
        return await self._runner().value(self._stages, arguments, _visit())

    def _sync_value(self, *args: Any, **kwargs: Any) -> Any:
        stages, arguments = self._stages, self._bound(args, kwargs)
        if stages.batching is not None:
            return self._loop.run(self._batched(arguments))
        first, named = self._prepared(arguments)
        result = stages.run.function(*first, **named)
        return result if stages.postprocess is None else self._called(stages.postprocess, result)

    async def _batched(self, arguments: dict[str, Any]) -> Any:
        return await self._runner().value(self._stages, arguments, _visit())

    async def _stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        arguments = self._bound(args, kwargs)
        async with aclosing(await self._runner().items(self._stages, arguments, _visit())) as items:
            async for item in items:
                yield item

    def _sync_stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        first, named = self._prepared(self._bound(args, kwargs))
        with closing(self._stages.run.function(*first, **named)) as items:
            yield from items

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name. Raises TypeError, as the call of a function does."""
        return dict(self._signature.bind(*args, **kwargs).arguments)

    def _prepared(self, arguments: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        stage = self._stages.preprocess
        return ((), arguments) if stage is None else ((self._called(stage, **arguments),), {})

    def _called(self, stage: Stage, *args: Any, **kwargs: Any) -> Any:
        result = stage.function(*args, **kwargs)
        return self._loop.run(result) if inspect.iscoroutine(result) else result

    def _runner(self) -> StageRunner:
        """Calls of one event loop make batches of their own."""
        loop = asyncio.get_running_loop()
        runner = self._runners.get(loop)
        if runner is None:
            gate = Gate(None)
            name = type(self._instance).__name__
            runner = StageRunner(name, gate, CallThreads(gate.limit), self._stages.batching)
            self._runners[loop] = runner
        return runner


def _visit() -> Visit:
    return Visit(CURRENT_CALL.get() or CallContext())

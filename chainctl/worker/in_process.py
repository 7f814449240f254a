"""A chainlet object in; a Worker that runs it in this process out."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any, Optional

from chainctl.calls.buffers import Buffers
from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.calls.sync_bridge import bridge_tasks, can_await_here
from chainctl.sdk.declaration import Declaration, endpoint_of
from chainctl.sdk.resolver import CURRENT_RESOLVER
from chainctl.sdk.websocket import WebSocketProtocol
from chainctl.wire.fault import upgrade_required
from chainctl.wire.invalid import InvalidValue
from chainctl.wire.media import STREAM
from chainctl.worker.arguments_stream import ArgumentsStream
from chainctl.worker.call import EndpointCall
from chainctl.worker.error_reply import PASSING, error_reply, input_reply, overload_reply, reply_of
from chainctl.worker.gate import Gate, Overloaded
from chainctl.worker.health import health_of
from chainctl.worker.origin import Origin
from chainctl.worker.resolvers import RefusingResolver
from chainctl.worker.servings import Flights, Serving, Servings
from chainctl.worker.stages import StageRunner, async_items
from chainctl.worker.threads import CallThreads
from chainctl.worker.worker import Call, Health, Load, Reply

_LOG = logging.getLogger("chainctl.worker")
_REFUSING = RefusingResolver()
_IN_MESSAGE = Buffers()


class InProcessWorker:
    """Runs a chainlet's calls: async ones on the event loop, sync ones in threads of its own.

    A written `predict_concurrency` bounds the calls that run at once; without one a sync chainlet
    runs one call at a time and an async one as many as come. `buffers` places and finds large
    buffers outside of messages. `origin` is what the chainlet can be made again from, None where it cannot.
    """

    def __init__(self, declaration: Declaration, instance: Any, buffers: Optional[Buffers] = None) -> None:
        self.servings: Servings[Serving] = Servings(Serving(0, declaration, instance))
        self.origin: Optional[Origin] = None
        self._endpoint = declaration.endpoint
        self._name = declaration.display_name
        self.is_websocket = self._endpoint.is_websocket
        limit = declaration.config.compute.concurrency or (None if self._endpoint.is_async else 1)
        self.gate = Gate(limit, declaration.config.options.queue_limit)
        self._threads = CallThreads(limit or 1)
        self._stages: Optional[StageRunner] = None
        if declaration.stages is not None:
            batching = declaration.stages.batching
            self._stages = StageRunner(self._name, self.gate, self._threads, batching)
        self._buffers = buffers or Buffers()
        self._bridges_calls = declaration.has_async_code and any(
            not endpoint_of(dependency.target).is_async for dependency in declaration.dependencies
        )
        self.body_limit = declaration.config.options.max_body_bytes

    async def call(self, call: Call) -> Reply:
        if self.is_websocket:
            return reply_of(upgrade_required(self._name))
        if self._bridges_calls and not can_await_here():
            reply = await self._bridging_loop().create_task(self.call(call))
            return (
                replace(reply, body=_in_tasks(reply.body))
                if isinstance(reply.body, AsyncGenerator)
                else reply
            )
        serving = self.servings.of(call.context)
        flights = self.servings.enter(call.context)
        try:
            return await self._answered(call, serving.call, flights)
        finally:
            if not call.outlives_its_answer:
                flights.land()

    async def _answered(self, call: Call, endpoint: EndpointCall, flights: Flights) -> Reply:
        began = time.perf_counter_ns()
        try:
            arguments = (
                self._decoded(call, endpoint) if call.chunks is None else await self._streamed(call, endpoint)
            )
        except InvalidValue as error:
            return input_reply(error)
        except PASSING:
            raise
        except BaseException as error:  # noqa: BLE001  # a user's own validators run here
            return error_reply(error, self._name)
        CURRENT_RESOLVER.set(_REFUSING)
        decoded = time.perf_counter_ns()
        if self._stages is not None:
            if call.span is not None:
                call.span.decode_ns = decoded - began
            return await self._staged(self._stages, call, endpoint, arguments, flights)
        since = self.gate.enter_now()
        if since is None:
            try:
                since = await self.gate.enter(call.context.remaining_sec)
            except Overloaded as error:
                return overload_reply(error)
        if call.span is not None:
            call.span.decode_ns, call.span.queue_ns = decoded - began, time.perf_counter_ns() - decoded
        if self._endpoint.is_stream:
            return await self._stream(call, endpoint, arguments, since, flights)
        return await self._whole(call, endpoint, arguments, since, flights)

    def _bridging_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop, on which tasks run from now on such that sync calls do not stop it."""
        loop = asyncio.get_running_loop()
        if not bridge_tasks(loop):
            self._bridges_calls = False
            _LOG.warning("sync calls will stop the event loop: the greenlet package is not installed")
        return loop

    async def websocket(self, socket: WebSocketProtocol, context: CallContext) -> None:
        if self._bridges_calls and not can_await_here():
            return await self._bridging_loop().create_task(self.websocket(socket, context))
        CURRENT_RESOLVER.set(_REFUSING)
        CURRENT_CALL.set(context)
        serving = self.servings.of(context)
        flights = self.servings.enter(context)
        try:
            since = await self.gate.enter()
            try:
                await serving.call.converse(socket)
            finally:
                self.gate.leave(since)
        finally:
            flights.land()

    async def health(self) -> Health:
        return await health_of(self.servings.at(self.servings.committed).is_healthy, self._threads)

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn, or for their batch."""
        return self.gate.waiting + (self._stages.waiting if self._stages is not None else 0)

    def load(self) -> Load:
        return Load.of(self.servings.count, self.waiting)

    def drain(self) -> None:
        """Let nothing wait for calls that will not come."""
        if self._stages is not None:
            self._stages.drain()

    def schemas(self) -> dict[str, Any]:
        return self.servings.at(self.servings.committed).call.schemas()

    def _decoded(self, call: Call, endpoint: EndpointCall) -> dict[str, Any]:
        if self._endpoint.item_parameter is not None:
            raise InvalidValue.malformed(f"`{self._endpoint.item_parameter}` is a stream: send {STREAM}")
        return endpoint.decode(call.media, call.body, self._find(call))

    async def _streamed(self, call: Call, endpoint: EndpointCall) -> dict[str, Any]:
        assert call.chunks is not None
        return await ArgumentsStream(endpoint, call.chunks, self._find(call)).arguments()

    def _find(self, call: Call) -> Callable[[str, int], memoryview]:
        """Only calls of the chain's own may refer to buffers that are not in their message."""
        return self._buffers.find if call.is_inner else _IN_MESSAGE.find

    async def _whole(
        self, call: Call, endpoint: EndpointCall, arguments: dict[str, Any], since: float, flights: Flights
    ) -> Reply:
        span, began = call.span, time.perf_counter_ns()
        try:
            if self._endpoint.is_async:
                try:
                    result = await endpoint.run(arguments)
                finally:
                    self.gate.leave(since)
            else:
                result = await self._in_thread(
                    functools.partial(endpoint.run_sync, arguments), call, since, flights
                )
            ran = time.perf_counter_ns()
            reply = endpoint.reply(result, call, self._buffers)
        except PASSING:
            raise
        except BaseException as error:  # noqa: BLE001  # the boundary to user code
            if span is not None:
                span.run_ns = time.perf_counter_ns() - began
            return error_reply(error, self._name, span)
        if span is not None:
            span.run_ns, span.encode_ns = ran - began, time.perf_counter_ns() - ran
        return reply

    async def _staged(
        self,
        runner: StageRunner,
        call: Call,
        endpoint: EndpointCall,
        arguments: dict[str, Any],
        flights: Flights,
    ) -> Reply:
        """Take a call through its stages. It is under way until the last thread of it has ended."""
        stages, span = endpoint.stages, call.span
        assert stages is not None
        try:
            visit = runner.visit(call.context, span, flights.land)
        except Overloaded as error:
            return overload_reply(error)
        call.outlives_its_answer = True
        try:
            if stages.is_stream:
                return await self._begun(call, endpoint, await runner.items(stages, arguments, visit))
            result = await runner.value(stages, arguments, visit)
            ran = time.perf_counter_ns()
            reply = endpoint.reply(result, call, self._buffers)
        except PASSING:
            raise
        except Overloaded as error:
            return overload_reply(error)
        except BaseException as error:  # noqa: BLE001  # the boundary to user code
            return error_reply(error, self._name, span, visit.at)
        finally:
            visit.release()
        if span is not None:
            span.encode_ns = time.perf_counter_ns() - ran
        return reply

    async def _in_thread(self, run: Callable[[], Any], call: Call, since: float, flights: Flights) -> Any:
        """Run a sync call. The place in the gate is kept, and the call counted, until its thread ends."""
        is_over = False

        def leave() -> None:
            nonlocal is_over
            is_over = True
            self.gate.leave(since)
            if call.outlives_its_answer:
                flights.land()

        try:
            return await self._threads.run(run, leave)
        finally:
            call.outlives_its_answer = not is_over

    async def _stream(
        self, call: Call, endpoint: EndpointCall, arguments: dict[str, Any], since: float, flights: Flights
    ) -> Reply:
        call.outlives_its_answer = True

        def leave() -> None:
            self.gate.leave(since)
            flights.land()

        return await self._begun(call, endpoint, self._items(endpoint, arguments, leave))

    async def _begun(self, call: Call, endpoint: EndpointCall, items: AsyncGenerator[Any, None]) -> Reply:
        """Wait for the first item, so that an error before it is still an error answer."""
        form = endpoint.stream_form(call.accept)
        try:
            first = form.item(await items.__anext__())
        except StopAsyncIteration:
            return Reply(200, form.body((), items, call.span), form.content_type)
        except PASSING:
            raise
        except BaseException as error:  # noqa: BLE001  # the boundary to user code
            await items.aclose()
            return error_reply(error, self._name, call.span)
        return Reply(200, form.body((first,), items, call.span), form.content_type)

    def _items(
        self, endpoint: EndpointCall, arguments: dict[str, Any], leave: Callable[[], None]
    ) -> AsyncGenerator[Any, None]:
        if self._endpoint.is_async:
            return async_items(endpoint.run_stream(arguments), leave)
        return self._threads.items(endpoint.run_sync(arguments), leave)


async def _in_tasks(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Make each chunk in a task: the one that began the stream is over, and only tasks bridge sync calls."""
    loop = asyncio.get_running_loop()
    try:
        while (chunk := await loop.create_task(_next(chunks))) is not None:
            yield chunk
    finally:
        await loop.create_task(_closed(chunks))


async def _next(chunks: AsyncGenerator[bytes, None]) -> Optional[bytes]:
    CURRENT_RESOLVER.set(_REFUSING)
    return await anext(chunks, None)


async def _closed(chunks: AsyncGenerator[bytes, None]) -> None:
    await chunks.aclose()

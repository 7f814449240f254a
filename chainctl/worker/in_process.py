"""A chainlet object in; a Worker that runs it in this process out."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Optional, TypeVar

from chainctl.sdk.declaration import Declaration
from chainctl.sdk.resolver import CURRENT_RESOLVER
from chainctl.wire.fault import error_body, user_error_body, user_frames
from chainctl.wire.invalid import InvalidValue
from chainctl.worker.call import EndpointCall, OutputMismatch
from chainctl.worker.remote_error import RemoteFault
from chainctl.worker.resolvers import RefusingResolver
from chainctl.worker.worker import Health, Reply

_LOG = logging.getLogger("chainctl.worker")
_MOST_THREADS = 1024
T = TypeVar("T")


class InProcessWorker:
    """Runs a chainlet's calls: async ones on the event loop, sync ones in threads of its own.

    A written `predict_concurrency` bounds the calls that run at once; without one a sync chainlet
    runs one call at a time and an async one as many as come.
    """

    def __init__(self, declaration: Declaration, instance: Any) -> None:
        self._call = EndpointCall(declaration, instance)
        self._endpoint = declaration.endpoint
        self._is_healthy: Optional[Callable[[], Any]] = getattr(instance, "is_healthy", None)
        limit = declaration.config.compute.concurrency or (None if self._endpoint.is_async else 1)
        self._permits = asyncio.Semaphore(limit) if limit else None
        self._threads = ThreadPoolExecutor(min(limit or 1, _MOST_THREADS) + 1, "chainlet")

    async def call(self, body: bytes) -> Reply:
        try:
            arguments = self._call.decode(body)
        except InvalidValue as error:
            return _input_reply(error)
        except Exception as error:  # noqa: BLE001  # a user's own validators run here
            return _error_reply(error)
        CURRENT_RESOLVER.set(RefusingResolver())
        if self._endpoint.is_stream:
            return await self._stream(arguments)
        try:
            async with self._permit():
                return Reply(200, self._call.encode(await self._run(arguments)))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary to user code
            return _error_reply(error)

    async def health(self) -> Health:
        if self._is_healthy is None:
            return Health(True)
        try:
            result = await self._maybe_in_thread(self._is_healthy)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary to user code
            _LOG.exception("is_healthy raised")
            return Health(False, f"is_healthy raised {type(error).__name__}: {error}")
        return Health(bool(result), "" if result else "is_healthy returned False")

    def schemas(self) -> dict[str, Any]:
        return self._call.schemas()

    async def _run(self, arguments: dict[str, Any]) -> Any:
        if self._endpoint.is_async:
            return await self._call.run(arguments)
        return await self._in_thread(functools.partial(self._call.run_sync, arguments))

    async def _stream(self, arguments: dict[str, Any]) -> Reply:
        """Wait for the first item, so that an error before it is still an error answer."""
        items = self._items(arguments)
        try:
            first = await items.__anext__()
        except StopAsyncIteration:
            return Reply(200, b"", _stream_type(self._endpoint.returns))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary to user code
            return _error_reply(error)
        return Reply(200, _chain(first, items), _stream_type(self._endpoint.returns))

    async def _items(self, arguments: dict[str, Any]) -> AsyncIterator[bytes]:
        async with self._permit():
            async for item in self._call.run_stream(arguments):
                yield item

    def _permit(self) -> AbstractAsyncContextManager[Any]:
        return self._permits or nullcontext()

    async def _maybe_in_thread(self, function: Callable[[], Any]) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function()
        return await self._in_thread(function)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, context.run, _without_stop_iteration, function)


def _without_stop_iteration(function: Callable[[], T]) -> T:
    """Turn StopIteration into RuntimeError, as a coroutine does: a future that gets one never ends."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("run_remote raised StopIteration") from error


def _stream_type(item: Any) -> str:
    return "text/plain; charset=utf-8" if item is str else "application/octet-stream"


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for item in rest:
        yield item


def _input_reply(error: InvalidValue) -> Reply:
    status, kind = (400, "malformed") if error.is_malformed else (422, "invalid_input")
    problems = [{"path": m.path, "message": m.message} for m in error.mismatches]
    return Reply(status, error_body(kind, str(error), problems=problems))


def _error_reply(error: BaseException) -> Reply:
    if isinstance(error, OutputMismatch):
        _LOG.error("%s", error)
        return Reply(500, error_body("invalid_output", str(error)))
    _log_user_error(error)
    if isinstance(error, RemoteFault):
        return Reply(error.status, error_body("dependency", str(error)))
    if isinstance(error, TimeoutError):
        return Reply(504, user_error_body(error))
    return Reply(500, user_error_body(error))


def _log_user_error(error: BaseException) -> None:
    frames = "".join(traceback.format_list(user_frames(error)))
    _LOG.error("run_remote raised %s: %s\n%s", type(error).__name__, error, frames.rstrip())

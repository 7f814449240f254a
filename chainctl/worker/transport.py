"""Calls to one service in, results or Faults out: retries, timeouts, limits above the HTTP client."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Optional, TypeVar

from chainctl.errors import MissingDependencyError
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.worker.http_client import Address, Answer, BrokenAnswerError, HttpClient, NotSentError
from chainctl.worker.remote_error import RemoteFault, error_of

T = TypeVar("T")
_FIRST_BACKOFF_SEC = 0.1
_LONGEST_BACKOFF_SEC = 5.0
_BUSY = 503


class ClientLoop:
    """A thread with an event loop, in which sync code has its calls made. Starts when first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result, or raise what it raised."""
        return asyncio.run_coroutine_threadsafe(call, self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="chainctl-calls", daemon=True).start()
            return self._loop


class Transport:
    """Makes the calls to one service, from any event loop.

    `headers` gives the headers of each call, such as the internal token. A call is repeated (up to
    `options.retries` attempts in total, backing off exponentially with full jitter) only when the
    other side has certainly not begun to work on it. While `waits_for_start` holds (the caller
    itself is still starting), a service that is not up yet is waited for, within the timeout.
    """

    def __init__(
        self,
        service: DeployedServiceDescriptor,
        headers: Callable[[], Mapping[str, str]],
        loop: ClientLoop,
        *,
        path: str = "/run_remote",
        waits_for_start: Callable[[], bool] = lambda: False,
    ) -> None:
        self.service = service
        self._waits_for_start = waits_for_start
        self._headers = headers
        self._path = path
        self._loop = loop
        self._address = _address(service)
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient]
        self._clients = weakref.WeakKeyDictionary()

    async def call(self, body: bytes) -> bytes:
        """Send a JSON body, return the answer's. Raises RemoteFault, TimeoutError or the remote's error."""
        client = self._client()

        async def request() -> tuple[Answer, None]:
            return await client.http.request("POST", self._path, self._all_headers(), body), None

        answer, _ = await self._attempts(client.permits, request)
        client.permits.release()
        if answer.status >= 300:
            raise error_of(self.service.display_name, answer)
        return answer.body

    def call_sync(self, body: bytes) -> bytes:
        """Do what `call` does, from sync code."""
        return self._loop.run(self.call(body))

    async def stream(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """Send a JSON body, yield the answer's body as it comes. Raises what `call` raises.

        The timeout bounds the wait for the first bytes of the answer: a stream may last.
        """
        client = self._client()

        async def request() -> tuple[Answer, AsyncIterator[bytes]]:
            answer, chunks = await client.http.stream("POST", self._path, self._all_headers(), body)
            if answer.status >= 300:
                answer.body = b"".join([chunk async for chunk in chunks])
            return answer, chunks

        answer, chunks = await self._attempts(client.permits, request)
        try:
            if answer.status >= 300:
                raise error_of(self.service.display_name, answer)
            async for chunk in chunks:
                yield chunk
        except BrokenAnswerError as error:
            raise RemoteFault.broken(self.service.display_name, error) from error
        finally:
            client.permits.release()
            await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def _attempts(
        self, permits: asyncio.Semaphore, request: Callable[[], Awaitable[tuple[Answer, T]]]
    ) -> tuple[Answer, T]:
        """Wait for a permit and for an answer, both within the timeout; the caller gives the permit back."""
        try:
            async with _timeout(self.service.options.timeout_sec):
                await permits.acquire()
                try:
                    return await self._repeated(request)
                except BaseException:
                    permits.release()
                    raise
        except (TimeoutError, asyncio.TimeoutError):
            raise self._timed_out() from None

    async def _repeated(self, request: Callable[[], Awaitable[tuple[Answer, T]]]) -> tuple[Answer, T]:
        for attempt in itertools.count(1):
            last = attempt >= self.service.options.retries and not self._waits_for_start()
            try:
                answer, rest = await request()
                if last or not _may_repeat(answer):
                    return answer, rest
            except NotSentError as error:
                if last:
                    raise RemoteFault.unreachable(self.service.display_name, error) from error
            except ConnectionError as error:
                raise RemoteFault.broken(self.service.display_name, error) from error
            await asyncio.sleep(_backoff(attempt))
        raise AssertionError("the last attempt returns or raises")

    def _all_headers(self) -> dict[str, str]:
        return {"content-type": "application/json", "accept": "*/*", **self._headers()}

    def _client(self) -> _LoopClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            limit = self.service.options.concurrency_limit
            self._clients[loop] = _LoopClient(HttpClient(self._address), asyncio.Semaphore(limit))
        return self._clients[loop]

    def _timed_out(self) -> TimeoutError:
        seconds = self.service.options.timeout_sec
        return TimeoutError(f"`{self.service.display_name}` did not answer within {seconds:g} s.")


class _LoopClient:
    """What one event loop needs to call the service: connections, and permits for calls under way."""

    def __init__(self, http: HttpClient, permits: asyncio.Semaphore) -> None:
        self.http = http
        self.permits = permits


def _address(service: DeployedServiceDescriptor) -> Address:
    try:
        return Address.of(service.url)
    except ValueError as error:
        raise MissingDependencyError(f"the address of `{service.display_name}`: {error}") from error


def _may_repeat(answer: Answer) -> bool:
    """Say whether an answer means that no work was begun."""
    return answer.status == _BUSY and answer.headers.get("x-chainctl-not-started") == "1"


def _backoff(attempt: int) -> float:
    """Seconds to wait before the next attempt: exponential with full jitter.

    After M. Brooker, "Exponential Backoff And Jitter", 2015.
    """
    return random.uniform(0, min(_LONGEST_BACKOFF_SEC, _FIRST_BACKOFF_SEC * 2 ** min(attempt, 16)))


class _timeout:  # noqa: N801  # reads like asyncio.timeout, which Python 3.10 lacks
    """Cancels the enclosed work after some seconds and raises TimeoutError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task: Any = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._timer.cancel()
        if self._expired and self._took_back() and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._cancels_before = self._cancels()
        self._task.cancel()

    def _took_back(self) -> bool:
        """Take our cancellation back; say whether it was the only one since. Python 3.10 does not count."""
        if not hasattr(self._task, "uncancel"):
            return True
        return bool(self._task.uncancel() <= self._cancels_before)

    def _cancels(self) -> int:
        return self._task.cancelling() if hasattr(self._task, "cancelling") else 0

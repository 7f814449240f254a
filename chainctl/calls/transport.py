"""Calls to one service in, results or errors out: permits, deadlines, attempts above the HTTP client."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotSentError, Parts
from chainctl.calls.awaited import Awaited
from chainctl.calls.breaker import CircuitBreaker
from chainctl.calls.buffers import SHARED_HEADER
from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.exchange import Exchange
from chainctl.calls.generation_range import is_elsewhere
from chainctl.calls.hedge import hedged
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.calls.message import Message
from chainctl.calls.remote_error import RemoteFault, error_of
from chainctl.calls.replica_watch import Client, ReplicaWatch, is_watched
from chainctl.calls.retry import RETRIED_HEADER, RetryBudget, backoff_sec, may_help
from chainctl.calls.sleeper import Sleeper, StillAsleep
from chainctl.calls.time_limit import TimeLimit
from chainctl.errors import MissingDependencyError
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.telemetry.telemetry import Telemetry

T = TypeVar("T")
INNER_PATH = "/-/run_remote"
"""Where chainlets of one chain call each other."""
_REFUSED, _TOO_LATE = 503, 504
_LOST_STATUS = (502, 503, _TOO_LATE)
_ELSEWHERE_SEC = 1.0
_ELSEWHERE_PAUSE_SEC = 0.02
_NOWHERE_SEC = 60.0
_LOST_SEC = 3


@dataclass(frozen=True)
class Incoming:
    """An answer that comes as it is made: its head, and its body in chunks."""

    answer: Answer
    chunks: AsyncGenerator[bytes, None]
    exchange: Exchange


class Transport:
    """Makes the calls to one service, from any event loop.

    `headers` are those of each call, such as the internal token. A call is repeated (up to
    `options.retries` attempts in total) only when the other side has certainly not begun to work on
    it, or when the edge is idempotent, and only as often as the retry budget lets. While
    `waits_for_start` holds (the caller itself is still starting), a service that is not up yet is
    waited for, within the timeout. So is, at any time, one that may sleep: `sleeper` counts its calls
    that are held. `zone` is the caller's own, "" where it has none.
    """

    def __init__(
        self,
        service: DeployedServiceDescriptor,
        headers: Mapping[str, str],
        loop: ClientLoop,
        *,
        path: str = INNER_PATH,
        waits_for_start: Callable[[], bool] = lambda: False,
        telemetry: Optional[Telemetry] = None,
        sleeper: Optional[Awaited] = None,
        zone: str = "",
    ) -> None:
        self.service = service
        self._sleeper = sleeper
        self._zone = zone
        self._telemetry = telemetry
        self._waits_for_start = waits_for_start
        self._headers = headers
        self._path = path
        self._tells_deadline = path == INNER_PATH
        self._loop = loop
        self._address = _address(service)
        self._heads: dict[tuple[str, str, str], bytes] = {}
        self._budget = RetryBudget()
        self._breaker = CircuitBreaker() if service.options.circuit_breaker else None
        self._clients: dict[asyncio.AbstractEventLoop, _LoopClient] = {}
        self._last_client: Optional[_LoopClient] = None
        self._nowhere_until = 0.0

    async def call(self, message: Message, decode: Callable[[Answer], T]) -> T:
        """Send a message, decode the answer. Raises RemoteFault, TimeoutError or the remote's error.

        `decode` runs before anything else can use the connection.
        """
        client = self._client()
        exchange = self._exchange(message)
        try:
            if client.permits.locked():
                await self._permit(client, exchange)
            else:  # the usual case, without a timer
                await client.permits.acquire()
            try:
                decode, answer = await self._attempts(client, message, exchange, decode)
                exchange.answered(answer)
                if answer.status >= 300:
                    raise self._error(answer, exchange)
                return exchange.decoded(decode, answer)
            finally:
                client.permits.release()
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            message.release()
            exchange.record(self._telemetry)

    def call_sync(self, message: Message, decode: Callable[[Answer], T]) -> T:
        """Do what `call` does, from sync code."""
        try:
            return self._loop.run(self.call(message, decode))
        finally:
            message.release()  # a call that was cancelled before it began did not

    def run_sync(self, work: Awaitable[T]) -> T:
        """Run what uses this transport from sync code."""
        return self._loop.run(_awaited(work))

    def close_sync(self, stream: AsyncGenerator[Any, None]) -> None:
        """Close a stream from sync code, also when the call that is being run was cancelled."""
        self._loop.run(_awaited(stream.aclose()), always=True)

    @asynccontextmanager
    async def stream(
        self, message: Message, items: Optional[AsyncIterator[Parts]] = None
    ) -> AsyncIterator[Incoming]:
        """Send a message (and what follows it, item by item), give the answer as it comes.

        Raises what `call` raises; the chunks raise RemoteFault when they break off. The edge's
        timeout bounds the wait for the head of the answer: a stream may last.
        """
        client = self._client()
        exchange = self._exchange(message)
        try:
            await self._permit(client, exchange)
            try:
                answer, chunks = await self._opened(client, message, items, exchange)
                exchange.answered(answer)
                async with (
                    aclosing(chunks) as body,  # type: ignore[type-var]  # it is a generator
                    aclosing(self._unbroken(body)) as unbroken,
                ):
                    incoming = Incoming(answer, unbroken, exchange)
                    if answer.status >= 300:
                        raise self._error(await self.whole(incoming), exchange)
                    yield incoming
            finally:
                client.permits.release()
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            message.release()
            exchange.record(self._telemetry)

    async def whole(self, incoming: Incoming) -> Answer:
        """Read an answer that is no stream to its end, within the time of the call. Raises what `call` raises."""
        answer, exchange = incoming.answer, incoming.exchange
        limit = TimeLimit(max(0.0, exchange.deadline - time.monotonic()))
        try:
            with limit:
                answer.body = bytearray(b"".join([chunk async for chunk in incoming.chunks]))
        except TimeoutError:
            if not limit.has_expired:
                raise
            raise self._timed_out(exchange) from None
        return answer

    async def _unbroken(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in chunks:
                yield chunk
        except BrokenAnswerError as error:
            raise RemoteFault.broken(self.service.display_name, error) from error

    def _error(self, answer: Answer, exchange: Exchange) -> Exception:
        error = error_of(self.service.display_name, answer)
        if answer.status in _LOST_STATUS and (exchange.was_repeated or RETRIED_HEADER in answer.headers):
            error.was_retried = True  # type: ignore[attr-defined]  # read where the caller is answered
        return error

    # --- attempts ---

    async def _attempts(
        self, client: _LoopClient, message: Message, exchange: Exchange, decode: Callable[[Answer], T]
    ) -> tuple[Callable[[Answer], T], Answer]:
        """Return the answer, and what decodes it: where two raced, both were decoded as they came."""

        def attempt() -> Awaitable[Answer]:
            head = self._head(message, exchange, exchange.deadline)
            return client.http.request(head, message.parts, exchange.deadline)

        hedge_after = self.service.options.hedge_after_sec
        if hedge_after is None:
            return decode, await self._repeated(client, attempt, exchange)
        results: dict[int, T] = {}

        async def decoded_attempt() -> Answer:
            answer = await attempt()
            if answer.status < 300:
                results[id(answer)] = exchange.decoded(decode, answer)
            return answer

        racing = hedged(decoded_attempt, hedge_after, self._budget)
        answer = await self._repeated(client, racing, exchange)
        return lambda answer: results[id(answer)], answer

    async def _opened(
        self,
        client: _LoopClient,
        message: Message,
        items: Optional[AsyncIterator[Parts]],
        exchange: Exchange,
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        chunks: list[AsyncIterator[bytes]] = []
        deadline = exchange.deadline

        async def attempt() -> Answer:
            head = self._head(message, exchange, exchange.outer_deadline)
            for refused in chunks:
                await refused.aclose()  # type: ignore[attr-defined]  # it is a generator
            if items is None:
                answer, body = await client.http.stream(head, message.parts, deadline)
            else:
                answer, body = await client.http.send_stream(head, _after(message.parts, items), deadline)
            chunks[:] = [body]
            return answer

        answer = await self._repeated(client, attempt, exchange, may_repeat=items is None)
        return answer, chunks[0]

    async def _repeated(
        self,
        client: _LoopClient,
        once: Callable[[], Awaitable[Answer]],
        exchange: Exchange,
        *,
        may_repeat: bool = True,
    ) -> Answer:
        options = self.service.options
        self._budget.note_call()
        if client.sleeper is not None:
            once = _held(client.sleeper, once, exchange, may_repeat=may_repeat)
        for attempt in itertools.count(1):
            exchange.attempts = attempt
            is_booting = self._waits_for_start()
            last = not may_repeat or (attempt >= options.retries and not is_booting)
            answer, error = None, None
            try:
                answer = await (
                    once() if self._breaker is None else self._watched(once, self._breaker, exchange)
                )
                if answer.status == _REFUSED and may_repeat and is_elsewhere(answer):
                    answer = await self._elsewhere(client, once, exchange, answer)
            except StillAsleep:
                raise self._still_asleep(exchange) from None
            except TimeoutError:
                raise self._timed_out(exchange) from None
            except ConnectionError as failure:
                error = failure
                if may_repeat and isinstance(failure, NotSentError) and await _sees_others(client):
                    continue  # the one that it knew is about to end, and another stands in for it
            if not self._may_repeat(answer, error) or last:
                return self._final(answer, error, exchange)
            wait = backoff_sec(attempt, "" if answer is None else answer.headers.get("retry-after", ""))
            too_late = time.monotonic() + wait >= exchange.deadline
            if too_late or not (is_booting or self._budget.take()):
                exchange.was_repeated = True  # who calls us has no better chance than we
                return self._final(answer, error, exchange)
            exchange.was_repeated = True
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _elsewhere(
        self, client: _LoopClient, once: Callable[[], Awaitable[Answer]], exchange: Exchange, answer: Answer
    ) -> Answer:
        """Look for a replica with the code that a call runs with; where there is none, any will do.

        There is one while a chain is edited. Afterwards a process that was started anew may have forgotten
        which code the chain runs, and its calls have to go somewhere.
        """
        until = min(exchange.deadline, time.monotonic() + _ELSEWHERE_SEC)
        while is_elsewhere(answer) and max(time.monotonic(), self._nowhere_until) < until:
            await client.look_now()
            answer = await once()
            if is_elsewhere(answer):
                await asyncio.sleep(_ELSEWHERE_PAUSE_SEC)
        if not is_elsewhere(answer):
            return answer
        self._nowhere_until = time.monotonic() + _NOWHERE_SEC
        exchange.is_for_any = True
        return await once()

    async def _watched(
        self, once: Callable[[], Awaitable[Answer]], breaker: CircuitBreaker, exchange: Exchange
    ) -> Answer:
        """Make an attempt if the breaker lets, and tell it how that ended.

        That a caller's caller had no time left says nothing about the service.
        """
        if not breaker.admits():
            raise RemoteFault.circuit_open(self.service.display_name, breaker.pause_sec)
        failed: Optional[bool] = None
        try:
            answer = await once()
            is_late = answer.status == _TOO_LATE and exchange.is_bounded_from_outside
            failed = None if is_late or is_elsewhere(answer) else answer.status in _LOST_STATUS
            return answer
        except TimeoutError:
            failed = None if exchange.is_bounded_from_outside else True
            raise
        except ConnectionError:
            failed = True
            raise
        finally:
            if failed is None:
                breaker.note_given_up()
            else:
                breaker.note(failed=failed)

    def _may_repeat(self, answer: Optional[Answer], error: Optional[ConnectionError]) -> bool:
        is_idempotent = self.service.options.idempotent
        if answer is not None:
            return may_help(answer, is_idempotent=is_idempotent)
        return isinstance(error, NotSentError) or is_idempotent

    def _final(
        self, answer: Optional[Answer], error: Optional[ConnectionError], exchange: Exchange
    ) -> Answer:
        if answer is not None:
            return answer
        assert error is not None
        make = RemoteFault.unreachable if isinstance(error, NotSentError) else RemoteFault.broken
        fault = make(self.service.display_name, error)
        fault.was_retried = exchange.was_repeated
        raise fault from error

    # --- what goes with each attempt ---

    def _head(self, message: Message, exchange: Exchange, deadline: Optional[float]) -> bytes:
        key = (message.content_type, message.accept, message.shared)
        head = self._heads.get(key)
        if head is None:
            own = {"content-type": key[0], "accept": key[1], **self._headers}
            if message.shared:
                own[SHARED_HEADER] = message.shared
            head = self._heads[key] = request_head(self._address, "POST", self._path, own)
        head += exchange.trace_lines
        if deadline is None or not self._tells_deadline:
            return head
        return head + b"x-chainctl-timeout-ms: %d\r\n" % max(0, (deadline - time.monotonic()) * 1000)

    def _exchange(self, message: Message) -> Exchange:
        options = self.service.options
        name, is_inner = self.service.display_name, self._tells_deadline
        exchange = Exchange(name, CURRENT_CALL.get(), options.timeout_sec, is_inner=is_inner)
        exchange.encode_ns = message.encode_ns
        return exchange

    async def _permit(self, client: _LoopClient, exchange: Exchange) -> None:
        left = max(0.0, exchange.deadline - time.monotonic())
        try:
            with TimeLimit(left):
                await client.permits.acquire()
        except TimeoutError:
            raise self._timed_out(exchange) from None
        finally:
            exchange.has_permit()

    def _client(self) -> _LoopClient:
        loop = asyncio.get_running_loop()
        last = self._last_client
        if last is not None and last.loop is loop:
            return last
        client = self._clients.get(loop)
        if client is None:
            self._clients = {known: of for known, of in self._clients.items() if not known.is_closed()}
            limit = self.service.options.concurrency_limit
            http = HttpClient(self._address, lost_sec=_LOST_SEC if self._path == INNER_PATH else None)
            client = self._clients[loop] = _LoopClient(loop, http, asyncio.Semaphore(limit))
            if self._path == INNER_PATH and is_watched(self._address):
                watch = ReplicaWatch(loop, self._address, http, client.use, self._zone)
                http.on_wake, client.look_now = watch.wake, watch.look_now
                if self._sleeper is not None:
                    client.sleeper = Sleeper(self._address.service, self._sleeper, watch.is_there)
                client.use(watch.first_call)
        self._last_client = client
        return client

    def _timed_out(self, exchange: Exchange) -> TimeoutError:
        """Say which limit was met: the edge's own, or what the caller's caller had left."""
        name, seconds = self.service.display_name, self.service.options.timeout_sec
        if exchange.is_bounded_from_outside:
            return TimeoutError(f"`{name}` did not answer before the deadline of the call.")
        return TimeoutError(f"`{name}` did not answer within {seconds:g} s.")

    def _still_asleep(self, exchange: Exchange) -> TimeoutError:
        waited = time.monotonic() - exchange.began
        return TimeoutError(
            f"`{self.service.display_name}` sleeps, and did not wake within {waited:.3g} s:"
            " `chainctl autoscale` wakes what is called."
        )


class _LoopClient:
    """What one event loop needs to call the service: connections, and permits for calls under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, http: Client, permits: asyncio.Semaphore) -> None:
        self.loop = loop
        self.http = http
        self.permits = permits
        self.look_now: Callable[[], Awaitable[None]] = _see_nothing
        self.sleeper: Optional[Sleeper] = None

    def use(self, http: Client) -> None:
        """Make calls from now on with another client: as many replicas as there are."""
        self.http = http


def _held(
    sleeper: Sleeper, once: Callable[[], Awaitable[Answer]], exchange: Exchange, *, may_repeat: bool
) -> Callable[[], Awaitable[Answer]]:
    """Let attempts wait while nobody is there to begin them; what cannot be sent twice waits first."""
    if may_repeat:
        return lambda: sleeper.answered(once, exchange.deadline)

    async def once_woken() -> Answer:
        await sleeper.woken(exchange.deadline)
        return await once()

    return once_woken


async def _sees_others(client: _LoopClient) -> bool:
    """Look for replicas; say whether calls go elsewhere from now on: one that is idle did not look."""
    before = client.http
    await client.look_now()
    return client.http is not before


async def _see_nothing() -> None:
    """Stand for a look where there is one place to call."""


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _after(first: Parts, items: AsyncIterator[Parts]) -> AsyncIterator[Parts]:
    yield first
    async for parts in items:
        yield parts


def _address(service: DeployedServiceDescriptor) -> Address:
    try:
        return Address.of(service.url)
    except ValueError as error:
        raise MissingDependencyError(f"the address of `{service.display_name}`: {error}") from error

"""Addresses of replicas in; requests spread over those that answer out, past those that do not.

It stands where one HttpClient stands, for one event loop. A request goes to the replica with the
fewest under way; in turn where several have as few.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Optional

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotConnectedError, NotSentError, Parts
from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.generation_range import EVERY, SERVES_HEADER, GenerationRange, is_elsewhere
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.calls.retry import RETRIED_HEADER, is_not_begun

OPEN_PATH = "/openz"
_CONNECT_SEC = 1.0
_PROBE_SEC = 2.0
_CLOSED = 503
_USED_SEC = 30.0


class Replica:
    """One replica: its connections, its requests under way, and whether it is passed over.

    `is_new` is one of which it is not known yet whether it takes calls, `is_aside` one that answers and would
    rather have others take them. `serves` are the generations whose calls it takes, as far as it is known.
    """

    def __init__(self, address: Address, wake: Callable[[], None], *, is_out: bool) -> None:
        self.http = HttpClient(address, connect_sec=_CONNECT_SEC)
        self.http.on_wake = wake
        self.under_way = 0
        self.is_out = is_out
        self.is_new = is_out
        self.is_aside = False
        self.serves = EVERY
        self._probe_head = request_head(address, "GET", OPEN_PATH, {})
        self._probing: Optional[asyncio.Task[None]] = None

    @property
    def probing(self) -> Optional[asyncio.Task[None]]:
        """The question that was put last, if any."""
        return self._probing

    def leave_out(self) -> None:
        """Pass it over until it answers a probe."""
        self.is_out, self.is_new, self.is_aside = True, False, False
        self.http.close()

    def told(self, answer: Answer) -> None:
        """Learn from an answer which generations it serves."""
        text = answer.headers.get(SERVES_HEADER)
        self.serves = EVERY if text is None else GenerationRange.parse(text)

    def probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask whether it takes calls, unless it is being asked."""
        if self._probing is None or self._probing.done():
            self._probing = loop.create_task(self._probe(loop.time() + _PROBE_SEC))

    def close(self) -> None:
        """Close what is idle; what is under way ends as it would."""
        self.http.on_wake = None
        self.http.close()
        if self._probing is not None:
            self._probing.cancel()

    async def _probe(self, deadline: float) -> None:
        try:
            answer = await self.http.request(self._probe_head, (), deadline)
        except TimeoutError:  # one that is busy does take calls
            return
        except ConnectionError:
            self.is_out, self.is_new, self.is_aside = True, False, False
        else:
            self.is_out, self.is_new = answer.status == _CLOSED, False
            self.is_aside = self.is_out
            self.told(answer)
            if self.is_out:
                self.http.close()  # who is about to end waits until no connection is left to close on a caller


class Fleet:
    """The replicas of one service. What is not begun by one is asked of the next at once."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._replicas: dict[Address, Replica] = {}
        self._turn = 0
        self._used_at = time.monotonic()

    @property
    def is_used(self) -> bool:
        """Say whether calls are under way, or there were some not long ago."""
        is_recent = time.monotonic() - self._used_at < _USED_SEC
        return is_recent or any(replica.under_way for replica in self._replicas.values())

    def set(self, addresses: Iterable[Address], *, are_proven: bool) -> None:
        """Turn to these replicas. Those that are new are passed over until they answer, unless proven."""
        before, wanted = self._replicas, list(addresses)
        self._replicas = {
            one: before.get(one) or Replica(one, self._wake, is_out=not are_proven) for one in wanted
        }
        for address, replica in before.items():
            if address not in self._replicas:
                replica.close()

    def probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask all replicas whether they take calls."""
        for replica in self._replicas.values():
            replica.probe(loop)

    async def asked(self, within_sec: float) -> None:
        """Wait for the answers of those that are being asked, but not for long."""
        asking = [replica.probing for replica in self._replicas.values() if replica.probing is not None]
        if asking:
            await asyncio.wait(asking, timeout=within_sec)

    def close(self) -> None:
        for replica in self._replicas.values():
            replica.close()

    async def request(self, head: bytes, parts: Parts, deadline: Optional[float] = None) -> Answer:
        """Do what `HttpClient.request` does, at any replica."""
        tried: list[Replica] = []
        while True:
            replica = self._chosen(tried)
            replica.under_way += 1
            try:
                answer = await replica.http.request(head, parts, deadline)
            except NotSentError:
                if not self._has_another(replica, tried):
                    raise
                continue
            except BrokenAnswerError:
                replica.leave_out()
                raise
            finally:
                replica.under_way -= 1
            if not (_is_refused(answer) and self._may_ask_another(replica, tried, answer)):
                return answer

    async def stream(
        self, head: bytes, parts: Parts, deadline: Optional[float] = None
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Do what `HttpClient.stream` does, at any replica."""
        tried: list[Replica] = []
        while True:
            replica = self._chosen(tried)
            try:
                answer, chunks = await self._opened(replica, replica.http.stream(head, parts, deadline))
            except NotSentError:
                if not self._has_another(replica, tried):
                    raise
                continue
            if not (_is_refused(answer) and self._may_ask_another(replica, tried, answer)):
                return answer, chunks
            await chunks.aclose()

    async def send_stream(
        self, head: bytes, chunks: AsyncIterator[Parts], deadline: Optional[float] = None
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Do what `HttpClient.send_stream` does, at any replica to which there is a connection."""
        tried: list[Replica] = []
        while True:
            replica = self._chosen(tried)
            try:
                return await self._opened(replica, replica.http.send_stream(head, chunks, deadline))
            except NotConnectedError:
                if not self._has_another(replica, tried):
                    raise

    async def _opened(self, replica: Replica, opening: Any) -> tuple[Answer, _Counted]:
        replica.under_way += 1
        try:
            answer, chunks = await opening
        except BaseException as error:
            replica.under_way -= 1
            if isinstance(error, BrokenAnswerError):
                replica.leave_out()
            raise
        return answer, _Counted(replica, chunks)

    def _chosen(self, tried: list[Replica]) -> Replica:
        every = list(self._replicas.values())
        self._used_at = time.monotonic()
        self._turn += 1
        turned = [every[(self._turn + n) % len(every)] for n in range(len(every))]
        left = [one for one in turned if one not in tried] or turned
        if any(one.serves is not EVERY for one in left):  # the chain is being edited
            call = CURRENT_CALL.get()
            number = None if call is None else call.generation or 0
            left = [one for one in left if one.serves.has(number)] or left
        here = [one for one in left if not one.is_out] or [one for one in left if one.is_new]
        here = here or [one for one in left if one.is_aside] or left
        return min(here, key=lambda one: one.under_way)

    def _may_ask_another(self, replica: Replica, tried: list[Replica], answer: Answer) -> bool:
        """Say what `_has_another` says; a replica that only has other code stays, for other calls."""
        if not is_elsewhere(answer):
            return self._has_another(replica, tried)
        replica.told(answer)
        return self._is_another_left(replica, tried)

    def _has_another(self, replica: Replica, tried: list[Replica]) -> bool:
        """Leave a replica out; say whether there is one that answers, or may, and was not asked yet."""
        replica.leave_out()
        return self._is_another_left(replica, tried)

    def _is_another_left(self, replica: Replica, tried: list[Replica]) -> bool:
        tried.append(replica)
        others = (one for one in self._replicas.values() if one not in tried)
        return any(one.is_new or one.is_aside or not one.is_out for one in others)


class _Counted(AsyncIterator[bytes]):
    """A body that counts as under way until it ends or is closed."""

    def __init__(self, replica: Replica, chunks: AsyncGenerator[bytes, None]) -> None:
        self._replica: Optional[Replica] = replica
        self._chunks = chunks

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except BaseException:
            self._end()
            raise

    async def aclose(self) -> None:
        self._end()
        await self._chunks.aclose()

    def _end(self) -> None:
        if self._replica is not None:
            self._replica.under_way -= 1
            self._replica = None


def _is_refused(answer: Answer) -> bool:
    return is_not_begun(answer) and RETRIED_HEADER not in answer.headers

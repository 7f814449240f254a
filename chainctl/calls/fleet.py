"""Addresses of replicas in; requests spread over those that answer out, past those that do not.

It stands where one HttpClient stands, for one event loop. A request goes to the replica that is expected to
answer first; in turn where several are alike. Where there are very many, it speaks with some of them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Optional

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotConnectedError, NotSentError, Parts
from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.choice import chosen
from chainctl.calls.generation_range import EVERY, is_elsewhere
from chainctl.calls.outliers import eject_outliers
from chainctl.calls.replica import Replica
from chainctl.calls.retry import RETRIED_HEADER, is_not_begun
from chainctl.calls.subset import LEAST_SPOKEN_WITH, ranked

_USED_SEC = 30.0
_QUIET_SEC = 60.0
_ASKED_AT_ONCE = 16


class Fleet:
    """The replicas of one service. What is not begun by one is asked of the next at once.

    `zone` is the caller's own, "" where it has none; `turn` is whose turn it is first, another for each caller.
    """

    def __init__(self, wake: Callable[[], None], zone: str = "", turn: int = 0) -> None:
        self._wake = wake
        self._zone = zone
        self._caller = f"{random.getrandbits(64):x}"
        self._replicas: dict[Address, Replica] = {}
        self._open: Optional[list[Replica]] = None
        self._turn = turn
        self._looks = 0
        self._ranking: tuple[list[Address], list[Address]] = ([], [])
        self._used_at = time.monotonic()
        self._most = LEAST_SPOKEN_WITH
        self._busy_at = self._used_at
        self._wants_more = False

    @property
    def is_used(self) -> bool:
        """Say whether calls are under way, or there were some not long ago."""
        is_recent = time.monotonic() - self._used_at < _USED_SEC
        return is_recent or any(replica.under_way for replica in self._replicas.values())

    def set(self, addresses: Iterable[Address], *, are_proven: bool) -> None:
        """Turn to these replicas. Those that are new are passed over until they answer, unless proven."""
        before, wanted = self._replicas, self._spoken_with(list(addresses))
        self._replicas = {
            one: before.get(one) or Replica(one, self._wake, self._change, is_out=not are_proven)
            for one in wanted
        }
        for address, replica in before.items():
            if address not in self._replicas:
                replica.close()
        self._change()

    def probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask replicas whether they take calls, and leave alone those that fail most.

        Of many only every other one is asked that is known, in turns: it says for 1.5 seconds that it leaves.
        """
        replicas = list(self._replicas.values())
        eject_outliers([replica.record for replica in replicas], time.monotonic())
        self._looks += 1
        is_many = len(replicas) > _ASKED_AT_ONCE
        for place, replica in enumerate(replicas):
            if not is_many or replica.is_out or (place + self._looks) % 2:
                replica.probe(loop)
        self._change()

    @property
    def is_there(self) -> bool:
        """Say whether some replica takes calls, as far as it is known."""
        return any(not replica.is_out for replica in self._replicas.values())

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
            place = replica.under_way = replica.under_way + 1
            began = time.monotonic()
            try:
                answer = await replica.http.request(head, parts, deadline)
            except NotSentError:
                if not self._has_another(replica, tried):
                    raise
                continue
            except BrokenAnswerError:
                replica.leave_out()
                raise
            except TimeoutError:
                replica.took(time.monotonic() - began, place, 0)
                raise
            finally:
                replica.under_way -= 1
            replica.took(time.monotonic() - began, place, answer.status)
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
        place = replica.under_way = replica.under_way + 1
        began = time.monotonic()
        try:
            answer, chunks = await opening
        except BaseException as error:
            replica.under_way -= 1
            if isinstance(error, BrokenAnswerError):
                replica.leave_out()
            raise
        replica.took(time.monotonic() - began, place, answer.status)
        return answer, _Counted(replica, chunks)

    def _chosen(self, tried: list[Replica]) -> Replica:
        self._used_at = now = time.monotonic()
        self._turn += 1
        open_ones = self._open
        if open_ones is None and not tried:
            open_ones = self._open = self._all_open(now)
        one = chosen(open_ones if open_ones and not tried else self._left(tried, now), self._turn, self._zone)
        self._wants_more = self._wants_more or one.under_way > 0
        return one

    def _all_open(self, now: float) -> list[Replica]:
        """Return those that take any call; none while the chain is edited, as then each call asks for its own."""
        every = self._replicas.values()
        if any(one.serves is not EVERY for one in every):
            return []
        return [one for one in every if _is_open(one, now)]

    def _left(self, tried: list[Replica], now: float) -> list[Replica]:
        """Return the best that there are for a call, which some have been asked for already."""
        every = list(self._replicas.values())
        left = [one for one in every if one not in tried] or every
        if any(one.serves is not EVERY for one in left):  # the chain is being edited
            call = CURRENT_CALL.get()
            number = None if call is None else call.generation or 0
            left = [one for one in left if one.serves.has(number)] or left
        here = [one for one in left if _is_open(one, now)] or [one for one in left if one.is_new]
        return here or [one for one in left if one.is_aside or not one.is_out] or left

    def _change(self) -> None:
        """Look anew for those to turn to, with the next call."""
        self._open = None

    def _spoken_with(self, addresses: list[Address]) -> list[Address]:
        """Return all of them, or a part where there are very many: a larger one as long as all in it are busy."""
        now = time.monotonic()
        if self._wants_more:
            self._busy_at = now
            self._most = min(self._most * 2, max(len(addresses), LEAST_SPOKEN_WITH))
        elif now - self._busy_at > _QUIET_SEC:
            self._busy_at, self._most = now, max(self._most // 2, LEAST_SPOKEN_WITH)
        self._wants_more = False
        if self._ranking[0] != addresses:
            self._ranking = addresses, ranked(self._caller, addresses)
        return self._ranking[1][: self._most]

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
        self._change()
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


def _is_open(replica: Replica, now: float) -> bool:
    return not replica.is_out and not replica.is_silent and replica.record.ejected_until <= now

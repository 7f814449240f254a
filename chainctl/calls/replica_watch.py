"""The address of a service in; a client of all replicas that are there now, looked for anew while it is used, out.

Several containers share one network alias; several processes have sockets side by side. A service
with one replica is called through one plain client, which pays nothing for this. Nobody looks while there are
no calls; so the first one waits for a look, and goes where all others would.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Optional, Union

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, Parts
from chainctl.calls.fleet import Fleet
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.calls.replica import CLOSED, OPEN_PATH

LOOK_SEC = 0.5
WAKE_SEC = 0.1
"""So often somebody who waits for a service that sleeps looks whether it is there."""
_JITTER = 0.1
_PER_LOOK = 128
_FEWEST_LOOKS = 4
_ANSWER_SEC = 1.0
LOOKS_ALONE = 20
"""So often in a row one replica is found alone before it is called plainly: another may just start anew."""
_FIRST_SEC = 0.3
"""So long the first call waits at most for a look, and so long for what replicas answer: without, it goes anywhere."""


class ReplicaWatch:
    """Looks for replicas from the first call on, as long as there are connections.

    `only` is the client for a service with one replica, `use` is told which client to use. `zone` is the
    caller's own, "" where it has none.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        only: HttpClient,
        use: Callable[[Client], None],
        zone: str = "",
    ) -> None:
        self._loop = loop
        self._zone = zone
        self._address = address
        self._only = only
        self._use = use
        self.first_call = FirstCall(self)
        self._asking: Optional[asyncio.Future[list[Address]]] = None
        self._fleet: Optional[Fleet] = None
        self._has_looked = False
        self._looks_alone = 0
        self._next: Optional[asyncio.TimerHandle] = None
        self._looking: Optional[asyncio.Task[None]] = None
        self._alone: Optional[Address] = None
        self._skipped = 0
        self._many = 0

    def wake(self) -> None:
        """Begin to look, unless that is being done."""
        if self._next is None:
            self._has_looked = False
            self._look()

    async def look_now(self) -> None:
        """Turn to the replicas that there are by now; all who wait for that wait for one look."""
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_once())
        await asyncio.shield(self._looking)

    async def is_there(self) -> bool:
        """Look whether a replica takes calls. One that is silent is there, and busy."""
        await self.look_now()
        if self._fleet is None:
            return await self._only_is_there()
        await self._fleet.asked(_FIRST_SEC)
        return self._fleet.is_there

    async def _only_is_there(self) -> bool:
        head = request_head(self._address, "GET", OPEN_PATH, {})
        try:
            answer = await self._only.request(head, (), self._loop.time() + _ANSWER_SEC)
        except ConnectionError:
            return False
        except TimeoutError:
            return True
        return answer.status != CLOSED

    async def _look_once(self) -> None:
        if self._address.socket:
            found = sockets_beside(self._address.socket)
        else:
            try:
                found = await self._loop.run_in_executor(None, resolved, self._address)
            except OSError:
                return
        self._has_looked = True  # what is new has yet to answer
        self._found(found)
        self.wake()

    async def looked(self) -> Union[HttpClient, Fleet]:
        """Look, unless that is being done, and return which client to use; it is the one for later calls, too."""
        self.wake()
        if self._asking is not None:
            await asyncio.wait((self._asking,), timeout=_FIRST_SEC)
        if self._fleet is not None:
            await self._fleet.asked(_FIRST_SEC)
        client = self._only if self._fleet is None else self._fleet
        self._use(client)
        return client

    def _look(self) -> None:
        self._next = self._loop.call_later(LOOK_SEC * random.uniform(1 - _JITTER, 1 + _JITTER), self._again)
        if self._address.socket:
            self._found(sockets_beside(self._address.socket))
            return
        if self._is_spared():
            return
        asking = self._asking = self._loop.run_in_executor(None, resolved, self._address)
        asking.add_done_callback(self._resolved)

    def _is_spared(self) -> bool:
        """Say whether the name is not asked for this time: who answers has not done so yet, or would say very much.

        Those that are known are asked whether they take calls all the same.
        """
        if self._asking is not None and not self._asking.done():
            return True
        self._skipped += 1
        if self._fleet is None or self._skipped >= looks_per_answer(self._many):
            self._skipped = 0
            return False
        self._fleet.probe(self._loop)
        return True

    def _again(self) -> None:
        client = self._only if self._fleet is None else self._fleet
        if client.is_used:
            self._look()
        else:
            self._next = None
            self._turn_to_one()
            self._use(self.first_call)

    def _resolved(self, asking: asyncio.Future[list[Address]]) -> None:
        if not asking.cancelled() and asking.exception() is None and self._next is not None:
            self._found(asking.result())

    def _found(self, addresses: list[Address]) -> None:
        """Turn to what was found; where nothing was, go on with what there is."""
        self._many = len(addresses)
        is_alone = len(addresses) == 1 and self._is_plain(addresses[0])
        if is_alone and self._fleet is None:
            self._follow(addresses[0])
        self._looks_alone = self._looks_alone + 1 if is_alone else 0
        if self._looks_alone and (self._fleet is None or self._looks_alone >= LOOKS_ALONE):
            self._turn_to_one()
        elif addresses:
            self._turn_to(addresses)
        self._has_looked = True

    def _follow(self, alone: Address) -> None:
        """Leave the connections to a replica whose place another one has taken."""
        if self._alone not in (None, alone):
            self._only.close()
        self._alone = alone

    def _is_plain(self, found: Address) -> bool:
        """Say whether the plain client leads to it, too: one socket is of one replica, a name of any."""
        return found.socket == self._address.socket if self._address.socket else True

    def _turn_to(self, addresses: list[Address]) -> None:
        is_first = self._fleet is None
        fleet = self._fleet = self._fleet or Fleet(self.wake, self._zone, random.getrandbits(16))
        fleet.set(addresses, are_proven=not self._has_looked)
        fleet.probe(self._loop)
        if is_first:
            self._use(fleet)
            self._only.close()

    def _turn_to_one(self) -> None:
        if self._fleet is not None:
            self._use(self._only)
            self._fleet.close()
            self._fleet = None


class FirstCall:
    """Stands for the client of a service that nobody has called for a while."""

    def __init__(self, watch: ReplicaWatch) -> None:
        self._watch = watch

    async def request(self, head: bytes, parts: Parts, deadline: Optional[float] = None) -> Answer:
        """Do what `HttpClient.request` does, after a look."""
        return await (await self._watch.looked()).request(head, parts, deadline)

    async def stream(
        self, head: bytes, parts: Parts, deadline: Optional[float] = None
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Do what `HttpClient.stream` does, after a look."""
        return await (await self._watch.looked()).stream(head, parts, deadline)

    async def send_stream(
        self, head: bytes, chunks: AsyncIterator[Parts], deadline: Optional[float] = None
    ) -> tuple[Answer, AsyncIterator[bytes]]:
        """Do what `HttpClient.send_stream` does, after a look."""
        return await (await self._watch.looked()).send_stream(head, chunks, deadline)

    def close(self) -> None:
        """Close nothing: where nobody calls, no connection is open."""


Client = Union[HttpClient, Fleet, FirstCall]


def is_watched(address: Address) -> bool:
    """Say whether an address can stand for several replicas: a number stands for one."""
    if address.socket:
        return True
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return not address.is_tls
    return False


def looks_per_answer(addresses: int) -> int:
    """Return with which look the name is asked for again, where it has so many addresses."""
    return 1 + min(_FEWEST_LOOKS - 1, addresses // _PER_LOOK)


def sockets_beside(path: str) -> list[Address]:
    """Return the sockets of all replicas: `path`, `path.2`, `path.3` and so on, as far as they are there."""
    own = Path(path)
    numbered = (p for p in own.parent.glob(f"{own.name}.*") if p.name[len(own.name) + 1 :].isdecimal())
    found = [*([own] if own.exists() else []), *sorted(numbered)]
    return [Address("localhost", socket=str(one)) for one in found]


def resolved(address: Address) -> list[Address]:
    """Return the address of every replica. Raises OSError when the name is not known."""
    found = socket.getaddrinfo(address.host, address.port, socket.AF_INET, socket.SOCK_STREAM)
    hosts = sorted({str(place[0]) for *_, place in found})
    return [Address(host, address.port, path=address.path) for host in hosts]

"""One caller's connection in, each of its requests passed to what is routed at that moment out."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from chainctl.adapters.local.front_door import answers, rewrite
from chainctl.adapters.local.front_door.answers import Refusal
from chainctl.adapters.local.front_door.caller import CallerLink, Request
from chainctl.adapters.local.front_door.exchange import Exchange, counted
from chainctl.adapters.local.front_door.flights import Backend, Switch
from chainctl.adapters.local.front_door.heads import RequestHead
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.upstream import UpstreamLink


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What opens services to the door, and the door to callers (None: it is open to all)."""

    token: str
    api_key: bytes | None = None


class Visit:
    """A connection from its first request to its last."""

    def __init__(self, caller: CallerLink, switch: Switch, keys: Keys, limits: DoorLimits) -> None:
        self._caller = caller
        self._switch = switch
        self._keys = keys
        self._limits = limits
        self._kept: tuple[Backend, UpstreamLink] | None = None
        self._is_last = False

    @property
    def caller(self) -> CallerLink:
        return self._caller

    async def run(self) -> None:
        """Serve until the caller leaves."""
        try:
            while await self._serve_next() and not self._is_last:
                pass
        except ConnectionError:
            return
        finally:
            self._forget_link()
            self._caller.close()

    def end(self) -> None:
        """Serve what is under way, nothing more."""
        self._is_last = True
        if self._caller.is_idle:
            self._caller.close()

    async def _serve_next(self) -> bool:
        request = await self._caller.next_request()
        if request is None:
            return False
        if isinstance(request, Refusal):
            self._caller.write([request.rendered(is_closing=True)])
            return False
        return await self._serve(request)

    async def _serve(self, request: Request) -> bool:
        exchange = Exchange(self._caller, request, self._limits)
        credential = _credential_of(request.head, self._keys.api_key)
        if credential is None and self._keys.api_key is not None:
            return await exchange.refuse(answers.WRONG_KEY)
        backend = self._switch.choose()
        if backend is None and self._limits.hold_sec:
            await self._switch.waiting.wait(self._limits.hold_sec)
            backend = self._switch.choose()
        if backend is None:
            return await exchange.refuse(answers.NO_ROUTE)
        head = rewrite.request_bytes(request.head, self._keys.token, credential=credential)
        with (
            ExitStack() as flights,
            backend.flights.flight(),
            counted(exchange, self._switch.tally_of(backend)),
        ):
            return await self._exchange(exchange, backend, head, self._spares(backend, flights))

    async def _exchange(
        self, exchange: Exchange, backend: Backend, head: bytes, spares: Iterable[Backend]
    ) -> bool:
        link = self._link_to(backend)
        try:
            return await exchange.run(backend, link, head, spares)
        finally:
            self._kept = None if exchange.link is None else (exchange.backend or backend, exchange.link)

    def _spares(self, backend: Backend, flights: ExitStack) -> Iterator[Backend]:
        """Yield other replicas for a request that one could not take; each counts as asked."""
        for spare in self._switch.spares(backend):
            if not spare.flights.is_away:
                flights.enter_context(spare.flights.flight())
                yield spare

    def _link_to(self, backend: Backend) -> UpstreamLink | None:
        """Return the kept connection when it leads to this very backend."""
        if self._kept is not None and self._kept[0] is backend and self._kept[1].is_reusable:
            return self._kept[1]
        self._forget_link()
        return None

    def _forget_link(self) -> None:
        if self._kept is not None:
            self._kept[1].abort()
        self._kept = None


def _credential_of(head: RequestHead, api_key: bytes | None) -> bytes | None:
    """Return the lower-case name of the header that holds the key, None when none does."""
    if api_key is None:
        return None
    for name, value in head.headers.pairs:
        if any(hmac.compare_digest(shown, api_key) for shown in _shown_keys(name, value)):
            return name
    return None


def _shown_keys(name: bytes, value: bytes) -> list[bytes]:
    if name == b"x-api-key":
        return [value]
    scheme, _, key = value.partition(b" ")
    is_known = name == b"authorization" and scheme.lower() in (b"bearer", b"api-key")
    return [key.strip()] if is_known else []

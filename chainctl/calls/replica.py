"""The address of one replica in; requests to it, and what is known of how it takes them, out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Optional

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer
from chainctl.calls.choice import paced
from chainctl.calls.generation_range import EVERY, SERVES_HEADER, GenerationRange
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.calls.outliers import Record

OPEN_PATH = "/openz"
ZONE_HEADER = "x-chainctl-zone"
"""Says of an answer to `/openz` in which zone the replica runs."""
_CONNECT_SEC = 1.0
_LOST_SEC = 3
_PATIENCE_SEC = 0.4
_PROBE_SEC = 2.0
CLOSED = 503
_FAILED = 500
_FADES = 0.966  # twice a second: halved in ten
_KEPT_LOOKS = 20
"""So often a pace is kept that no call renewed: with many callers a slow replica is rarely called by each of them."""


class Replica:
    """One replica: its connections, its requests under way, and whether it is passed over.

    `is_new` is one of which it is not known yet whether it takes calls, `is_aside` one that answers and would
    rather have others take them; `is_silent` has not answered a probe for a while. `serves` are the generations
    whose calls it takes, as far as it is known, `pace_sec` is its time per call under way. `changed` is
    called when others may be the ones to turn to.
    """

    def __init__(
        self, address: Address, wake: Callable[[], None], changed: Callable[[], None], *, is_out: bool
    ) -> None:
        self.http = HttpClient(address, connect_sec=_CONNECT_SEC, lost_sec=_LOST_SEC)
        self.http.on_wake = wake
        self.under_way = 0
        self.pace_sec = 0.0
        self.zone = ""
        self.is_out = is_out
        self.is_new = is_out
        self.is_aside = False
        self.is_silent = False
        self.serves = EVERY
        self.record = Record()
        self._changed = changed
        self._is_warm = False
        self._looks_idle = 0
        self._probe_head = request_head(address, "GET", OPEN_PATH, {})
        self._probing: Optional[asyncio.Task[None]] = None

    @property
    def probing(self) -> Optional[asyncio.Task[None]]:
        """The question that was put last, if any."""
        return self._probing

    def leave_out(self) -> None:
        """Pass it over until it answers a probe."""
        self._is(out=True)
        self.http.close()

    def told(self, answer: Answer) -> None:
        """Learn from an answer which generations it serves."""
        text = answer.headers.get(SERVES_HEADER)
        self.serves = EVERY if text is None else GenerationRange.parse(text)

    def took(self, seconds: float, place: int, status: int) -> None:
        """Learn from a call, begun as the `place`-th under way; the status is 0 where there was no answer."""
        if self._is_warm:
            self.pace_sec = paced(self.pace_sec, seconds, place)
        self._is_warm = True  # the first one had to connect
        self._looks_idle = 0
        self.record.note(failed=status == 0 or status >= _FAILED)

    def probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask whether it takes calls, unless it is being asked."""
        self._looks_idle += 1
        if self._looks_idle > _KEPT_LOOKS:
            self.pace_sec *= _FADES  # who was slow once is tried again
        self.record.fade()
        if self._probing is None or self._probing.done():
            self._probing = loop.create_task(self._probe(loop))

    def close(self) -> None:
        """Close what is idle; what is under way ends as it would."""
        self.http.on_wake = None
        self.http.close()
        if self._probing is not None:
            self._probing.cancel()

    async def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        silence = loop.call_later(_PATIENCE_SEC, self._fall_silent)
        try:
            answer = await self.http.request(self._probe_head, (), loop.time() + _PROBE_SEC)
        except TimeoutError:  # one that is busy does take calls, where no other does
            return
        except ConnectionError:
            self._is(out=True)
        else:
            is_closed = answer.status == CLOSED
            self._is(out=is_closed, aside=is_closed)
            self.zone = answer.headers.get(ZONE_HEADER, "")
            self.told(answer)
            if is_closed:
                self.http.close()  # who is about to end waits until no connection is left to close on a caller
        finally:
            silence.cancel()

    def _fall_silent(self) -> None:
        if not self.is_silent:
            self.is_silent = True
            self._changed()

    def _is(self, *, out: bool, aside: bool = False) -> None:
        before = (self.is_out, self.is_new, self.is_aside, self.is_silent)
        self.is_out, self.is_new, self.is_aside, self.is_silent = out, False, aside, False
        if before != (out, False, aside, False):
            self._changed()

"""What is known of the call that is being run: ids, deadline, and how to stop what it has under way."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Optional

GENERATION_HEADER = "x-chainctl-generation"
_MAKING = threading.Lock()


class CallScope:
    """The calls that sync code has under way for one call; they end with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: set[Future[Any]] = set()
        self.is_cancelled = False

    def enter(self, future: Future[Any]) -> None:
        """Let a call end with this scope; at once when the scope has ended."""
        with self._lock:
            self._futures.add(future)
            is_late = self.is_cancelled
        future.add_done_callback(self._forget)
        if is_late:
            future.cancel()

    def cancel(self) -> None:
        """End all calls of the scope, now and later."""
        with self._lock:
            self.is_cancelled = True
            futures = list(self._futures)
        for future in futures:
            future.cancel()

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._futures.discard(future)


@dataclass
class CallContext:
    """One call. `deadline` is a time of `time.monotonic()` in seconds, None where there is none.

    `trace_id` has 128 bits, `span_id` 64: those of W3C Trace Context. `generation` is that of the chain's
    code with which the call runs, None for the newest one; it changes only while the chain is edited.
    """

    request_id: str = ""
    trace_id: int = 0
    span_id: int = 0
    parent_id: int = 0
    is_sampled: bool = True
    deadline: Optional[float] = None
    generation: Optional[int] = None
    _scope: Optional[CallScope] = None

    @property
    def scope(self) -> CallScope:
        """What sync code has under way; most calls have nothing, so it is made when it is first asked for."""
        if self._scope is None:
            with _MAKING:
                self._scope = self._scope or CallScope()
        return self._scope

    @property
    def remaining_sec(self) -> Optional[float]:
        return None if self.deadline is None else self.deadline - time.monotonic()


CURRENT_CALL: ContextVar[Optional[CallContext]] = ContextVar("chainctl_call", default=None)

"""Calls and the time in; which of them make the next batch, and when it is due, out. Pure."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Generic, Optional, TypeVar

from chainctl.sdk.batched import Batching

T = TypeVar("T")


class Assembly(Generic[T]):
    """Calls that wait to be one batch, first come, first served; times are seconds of any one clock."""

    def __init__(self, limits: Batching) -> None:
        self._limits = limits
        self._since: OrderedDict[T, float] = OrderedDict()  # its first is found at once, however many went
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._since)

    @property
    def is_full(self) -> bool:
        return len(self._since) >= self._limits.max_size

    def add(self, call: T, now: float) -> None:
        """Let a call wait."""
        self._since[call] = now

    def drop(self, call: T) -> bool:
        """Take out a call that is wanted no more; return whether it still waited."""
        return self._since.pop(call, None) is not None

    def due_at(self) -> Optional[float]:
        """When the next batch is to begin; None while nobody waits.

        A full one is overdue, and so is any when nothing else comes.
        """
        first = next(iter(self._since.values()), None)
        if first is None:
            return None
        return -math.inf if self.is_full or self.is_draining else first + self._limits.max_latency

    def take(self) -> list[T]:
        """Take out the calls of the next batch: those that came first."""
        count = min(len(self._since), self._limits.max_size)
        return [self._since.popitem(last=False)[0] for _ in range(count)]

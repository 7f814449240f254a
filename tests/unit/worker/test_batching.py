"""Which calls make a batch, and when: for any calls, at any times, some of which go away."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chainctl.sdk.batched import Batching
from chainctl.worker.batching import Assembly


class Assembling(RuleBasedStateMachine):
    """Calls come, go away and are taken while a clock goes on; a list says what must happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.came = 0
        self.waiting: list[tuple[int, float]] = []
        self.taken: list[int] = []
        self.gone: set[int] = set()
        self.limits = Batching(1, 0.0)
        self.assembly: Assembly[int] = Assembly(self.limits)

    @precondition(lambda self: self.came == 0)
    @rule(size=st.integers(1, 5), latency=st.floats(0, 10))
    def configure(self, size: int, latency: float) -> None:
        """Begin anew with other limits."""
        self.limits = Batching(size, latency)
        self.assembly = Assembly(self.limits)

    @rule(passed=st.floats(0, 5))
    def come(self, passed: float) -> None:
        """A call comes some time after what happened last."""
        self.now += passed
        self.waiting.append((self.came, self.now))
        self.assembly.add(self.came, self.now)
        self.came += 1

    @precondition(lambda self: self.came)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        """A call is cancelled, whether it waits or was taken."""
        call = data.draw(st.integers(0, self.came - 1))
        is_waiting = any(number == call for number, _ in self.waiting)
        assert self.assembly.drop(call) == is_waiting
        if is_waiting:
            self.waiting = [one for one in self.waiting if one[0] != call]
            self.gone.add(call)

    @rule()
    def take(self) -> None:
        """A batch begins: with those that came first, and no more than it may have."""
        batch = self.assembly.take()
        size = self.limits.max_size
        assert batch == [number for number, _ in self.waiting[:size]]
        self.waiting = self.waiting[size:]
        self.taken += batch

    @invariant()
    def nothing_is_lost_or_twice(self) -> None:
        """Each call waits, was taken once, or went away; those that were taken were so in their order."""
        assert len(self.assembly) == len(self.waiting)
        assert self.taken == sorted(set(self.taken))
        everywhere = [*self.taken, *self.gone, *(number for number, _ in self.waiting)]
        assert sorted(everywhere) == list(range(self.came))

    @invariant()
    def is_due_in_time(self) -> None:
        """A full batch is overdue, another one due so long after its first call."""
        due = self.assembly.due_at()
        if not self.waiting:
            assert due is None
        elif len(self.waiting) >= self.limits.max_size:
            assert due == -math.inf
        else:
            assert due == self.waiting[0][1] + self.limits.max_latency


TestAssembling = Assembling.TestCase


@given(st.integers(1, 9), st.integers(0, 20))
def test_draining_waits_for_nobody(size: int, count: int) -> None:
    """When nothing else comes, whatever waits is due, and goes in as few batches as there can be."""
    assembly: Assembly[int] = Assembly(Batching(size, 60.0))
    for call in range(count):
        assembly.add(call, 0.0)
    assembly.is_draining = True
    batches = []
    while assembly.due_at() is not None:
        assert assembly.due_at() == -math.inf
        batches.append(assembly.take())
    assert [call for batch in batches for call in batch] == list(range(count))
    assert len(batches) == -(-count // size)

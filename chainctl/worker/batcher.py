"""Single calls in; batches of them that run as places come free, and each call's own result, out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Optional, Protocol

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.sdk.batched import Batching
from chainctl.telemetry.span import Span
from chainctl.wire.invalid import InvalidValue
from chainctl.worker.batching import Assembly
from chainctl.worker.error_reply import PASSING
from chainctl.worker.gate import Gate
from chainctl.worker.output import OutputMismatch

_SOON_SEC = 0.0005
"""Timers of event loops are no finer."""


class Caller(Protocol):
    """The call that gives an element. It is held for as long as its batch runs, wanted or not."""

    context: CallContext
    span: Optional[Span]

    def hold(self) -> None: ...

    def release(self) -> None: ...


class Batcher:
    """Puts the calls of one generation together, for one event loop. `name` is that of the method, for messages.

    A batch asks for a place at the gate when it is due, and goes on filling until it has one. `on_idle` is
    called when no call waits any more.
    """

    def __init__(
        self,
        limits: Batching,
        gate: Gate,
        work: Callable[[list[Any]], Awaitable[Any]],
        name: str,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._assembly: Assembly[_Member] = Assembly(limits)
        self._gate = gate
        self._work = work
        self._name = name
        self._on_idle = on_idle
        self._driver: Optional[asyncio.Task[None]] = None
        self._bell: Optional[asyncio.Future[None]] = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        return len(self._assembly)

    async def result(self, element: Any, caller: Caller) -> Any:
        """Have an element be part of a batch, and return its result. Raises what its batch has for it.

        A call that is cancelled leaves its batch; a batch that all have left is cancelled.
        """
        loop = asyncio.get_running_loop()
        member = _Member(element, caller, loop.create_future())
        self._assembly.add(member, loop.time())
        if self._driver is None:
            self._driver = loop.create_task(self._drive())
        elif self._assembly.is_full:
            self._ring()
        try:
            await member.outcome
        except asyncio.CancelledError:
            self._leave(member)
            raise
        return member.outcome.result().value()

    def drain(self) -> None:
        """Let batches begin at once from now on."""
        self._assembly.is_draining = True
        self._ring()

    def _leave(self, member: _Member) -> None:
        if not self._assembly.drop(member) and member.batch is not None:
            member.batch.leave(member)

    async def _drive(self) -> None:
        """Begin batches as they are due, as long as calls wait."""
        try:
            while len(self._assembly):
                await self._until_due()
                since = await self._gate.place()
                members = self._assembly.take()
                if not members:
                    self._gate.give_back()
                    continue
                batch = _Batch(members)
                batch.task = asyncio.get_running_loop().create_task(self._run(batch, since))
                self._running.add(batch.task)
                batch.task.add_done_callback(self._running.discard)
        finally:
            self._driver = None
            self._on_idle()

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while (due := self._assembly.due_at()) is not None and due - loop.time() > _SOON_SEC:
            self._bell = loop.create_future()
            timer = loop.call_at(due, self._ring)
            try:
                await self._bell
            finally:
                timer.cancel()
                self._bell = None

    def _ring(self) -> None:
        """Have the driver look again at what waits."""
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _run(self, batch: _Batch, since: float) -> None:
        if batch.is_deserted:
            self._gate.give_back()
            return
        CURRENT_CALL.set(batch.context)
        began = time.perf_counter_ns()
        batch.begin(began)
        try:
            results = self._counted(await self._work([m.element for m in batch.members]), len(batch.members))
        except BaseException as error:  # noqa: BLE001  # whoever waits is told; nobody waits for this task
            batch.note_run(began)
            batch.fail(error)
        else:
            batch.note_run(began)
            batch.fan_out(results)
        finally:
            self._gate.leave(since)
            batch.end()

    def _counted(self, results: Any, count: int) -> Sequence[Any]:
        """The results, if there is one for each element. Raises OutputMismatch."""
        if isinstance(results, (list, tuple)) and len(results) == count:
            return results
        is_list = isinstance(results, (list, tuple))
        found = f"a list of {len(results)}" if is_list else f"an object of type {type(results).__name__}"
        wrong = f"{found} for a batch of {count}"
        raise OutputMismatch(f"`{self._name}` returned {wrong}", InvalidValue.single(wrong))


class _Outcome:
    """What a batch has for one call."""

    __slots__ = ("_error", "_result", "_traceback")

    def __init__(self, result: Any, error: Optional[BaseException] = None) -> None:
        self._result = result
        self._error = error
        self._traceback: Optional[TracebackType] = None if error is None else error.__traceback__

    def value(self) -> Any:
        """Return the result, or raise the error; several calls may have the same one, none sees another's frames."""
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
        return self._result


class _Member:
    """A call in a batch, or one that waits for it."""

    __slots__ = ("batch", "caller", "element", "outcome", "since_ns")

    def __init__(self, element: Any, caller: Caller, outcome: asyncio.Future[_Outcome]) -> None:
        self.element = element
        self.caller = caller
        self.outcome = outcome
        self.batch: Optional[_Batch] = None
        self.since_ns = time.perf_counter_ns()

    def settle(self, outcome: _Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class _Batch:
    """Calls that run as one."""

    def __init__(self, members: Sequence[_Member]) -> None:
        self.members = members
        self.context = _context_of([member.caller.context for member in members])
        self.task: Optional[asyncio.Task[None]] = None
        self._has_begun = False
        self._left = 0
        for member in members:
            member.batch = self

    @property
    def is_deserted(self) -> bool:
        return self._left == len(self.members)

    def leave(self, member: _Member) -> None:
        """Do without a call; without the last one nothing is left to do.

        A task that has not begun is let begin: cancelled before, it would never give back its place.
        """
        member.batch = None
        self._left += 1
        if self.is_deserted and self._has_begun and self.task is not None:
            self.task.cancel()

    def fan_out(self, results: Sequence[Any]) -> None:
        for member, result in zip(self.members, results):  # noqa: B905  # they were counted
            member.settle(
                _Outcome(None, _raisable(result)) if isinstance(result, BaseException) else _Outcome(result)
            )

    def fail(self, error: BaseException) -> None:
        """Give all calls the same error; where the batch was cancelled, so are they."""
        for member in self.members:
            if isinstance(error, PASSING):
                member.outcome.cancel()
            else:
                member.settle(_Outcome(None, error))

    def begin(self, now_ns: int) -> None:
        self._has_begun = True
        for member in self.members:
            member.caller.hold()
            if member.caller.span is not None:
                member.caller.span.queue_ns = now_ns - member.since_ns

    def end(self) -> None:
        for member in self.members:
            member.caller.release()

    def note_run(self, began_ns: int) -> None:
        took = time.perf_counter_ns() - began_ns
        for member in self.members:
            if member.caller.span is not None:
                member.caller.span.run_ns = took


def _context_of(calls: Sequence[CallContext]) -> CallContext:
    """What a batch runs as: its first call, with the time that the most patient one has, and a scope of its own."""
    first = calls[0]
    deadlines = [call.deadline for call in calls]
    known = [deadline for deadline in deadlines if deadline is not None]
    return CallContext(
        first.request_id,
        first.trace_id,
        first.span_id,
        first.parent_id,
        first.is_sampled,
        max(known) if len(known) == len(deadlines) else None,
        first.generation,
    )


def _raisable(error: BaseException) -> BaseException:
    """An error that tells the caller's task nothing else: one that says "cancelled" or "over" would."""
    if isinstance(error, (*PASSING, StopIteration, StopAsyncIteration)):
        wrapped = RuntimeError(f"the batch returned {type(error).__name__} for this call")
        wrapped.__cause__ = error
        return wrapped
    return error

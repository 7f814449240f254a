"""A load plan in; requests to one address, and what they ended with, out.

Latencies of an open loop count from when a request was due, not from when there was a free
connection for it: a generator that waits for a slow answer before it asks again leaves out the
very requests that would have waited (coordinated omission: G. Tene, "How NOT to Measure
Latency", 2013, and his wrk2).
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import Iterator
from typing import Any

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotSentError
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.events import Emit, Notice
from chainctl.telemetry.trace_context import new_span_id, new_trace_id
from chainctl.workflows.bench.arrivals import due_times
from chainctl.workflows.bench.outcome import LEAST_ERROR, OK, Failure, Outcome, Sent, Tally, outcome_of
from chainctl.workflows.bench.plan import LoadPlan

NOT_SENT = Failure(0, "not_sent")
_NS = 1_000_000_000
# Timers of event loops are no finer than this; being so late is no delay of the chain's.
_TIMER_NS = 2_000_000
_PAUSE_SEC = 0.05
_TELL_SEC = 10.0


async def generate(plan: LoadPlan, stop: asyncio.Event, random: random.Random, emit: Emit) -> Outcome:
    """Load an address until the plan is done or `stop` is set, which gives up what is under way.

    Errors of requests are counted, none is raised. A long load tells from time to time how far it is.
    """
    client = HttpClient(Address.of(plan.url), _tls(plan))
    load = _Load(plan, client, random)
    began_cpu, began_ns = time.process_time_ns(), time.monotonic_ns()
    workers: list[asyncio.Future[None]] = [asyncio.ensure_future(load.work()) for _ in range(plan.clients)]
    stopping, telling = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(load.tell(emit))
    finished = asyncio.ensure_future(_all(workers))
    either: set[asyncio.Future[Any]] = {finished, stopping}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        is_cut = not finished.done()
        seconds = load.close(is_cut=is_cut)
        if not is_cut:
            finished.result()
    finally:
        await _ended(finished, stopping, telling, *workers)
        client.close()
    cpu_share = (time.process_time_ns() - began_cpu) / max(1, time.monotonic_ns() - began_ns)
    return outcome_of(load.tally, seconds, cpu_share=cpu_share, is_cut=is_cut)


async def _all(workers: list[asyncio.Future[None]]) -> None:
    await asyncio.gather(*workers)


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel until all have ended: `asyncio.wait_for` of Python 3.11 may swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_PAUSE_SEC)


class _Load:
    """What the clients of one load share. Times are nanoseconds of the monotonic clock."""

    def __init__(self, plan: LoadPlan, client: HttpClient, random: random.Random) -> None:
        self.tally = Tally()
        self._plan = plan
        self._client = client
        self._head = request_head(Address.of(plan.url), "POST", "/run_remote", _headers(plan))
        self._begin_ns = time.monotonic_ns()
        self._measured_ns = self._begin_ns + int(plan.warmup_sec * _NS)
        self._end_ns = self._measured_ns + int(plan.duration_sec * _NS)
        self._due = self._due_ns(random)
        self._last_ns = self._measured_ns
        self._is_closed = False
        self._taken = 0
        self._measured = 0

    async def work(self) -> None:
        """Be one client: send requests as they come due, one at a time."""
        for due_ns in self._due:
            if self._is_closed:
                return
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / _NS)
            now_ns = time.monotonic_ns()
            is_punctual = wait_ns > 0 and now_ns - due_ns < _TIMER_NS
            await self._send(due_ns, 0 if is_punctual else now_ns - due_ns)

    async def tell(self, emit: Emit) -> None:
        """Say how far it is, until cancelled."""
        while True:
            await asyncio.sleep(_TELL_SEC)
            seconds = (time.monotonic_ns() - self._begin_ns) / _NS
            errors = sum(self.tally.failures.values())
            emit(Notice(f"{seconds:.0f} s: {self.tally.answered:,} answers measured, {errors:,} errors"))

    def close(self, *, is_cut: bool) -> float:
        """Return how long requests were begun and measured, in seconds. Nothing is counted after it."""
        self._is_closed = True
        end_ns = min(self._end_ns, time.monotonic_ns()) if is_cut else self._end_ns
        if not is_cut and self._measured >= self._plan.requests:
            end_ns = min(self._end_ns, self._last_ns)
            self.tally.in_window = self.tally.answered
        return max(0, end_ns - self._measured_ns) / _NS

    def _due_ns(self, random: random.Random) -> Iterator[int]:
        """Yield when requests are due, to whichever client comes, until the plan is done."""
        if self._plan.rate is None:
            while (now_ns := time.monotonic_ns()) < self._end_ns and self._has_one_more(now_ns):
                yield now_ns
            return
        for at_sec in due_times(self._plan.rate, self._plan.arrivals, random):
            due_ns = self._begin_ns + int(at_sec * _NS)
            if due_ns >= self._end_ns or not self._has_one_more(due_ns):
                return
            if time.monotonic_ns() < self._end_ns:
                yield due_ns
            elif due_ns >= self._measured_ns:
                self.tally.failures[NOT_SENT] += 1

    def _has_one_more(self, due_ns: int) -> bool:
        if due_ns < self._measured_ns:
            return True
        self._measured += 1
        return self._measured <= self._plan.requests

    async def _send(self, due_ns: int, late_ns: int) -> None:
        body = self._plan.bodies[self._taken % len(self._plan.bodies)]
        self._taken += 1
        trace_id, span_id = new_trace_id(), new_span_id()
        # Not sampled: services keep the spans, and do not flood whoever collects traces.
        head = self._head + b"traceparent: 00-%032x-%016x-00\r\n" % (trace_id, span_id)
        deadline = asyncio.get_running_loop().time() + self._plan.timeout_sec
        start_ns, began_ns = time.time_ns(), time.monotonic_ns()
        status, kind = 0, OK
        try:
            answer = await self._client.request(head, [body], deadline)
            status, kind = answer.status, kind_of(answer)
        except TimeoutError:
            kind = "timeout"
        except NotSentError:
            kind = "connect"
        except BrokenAnswerError:
            kind = "broken"
        if self._is_closed:
            return
        ended_ns = time.monotonic_ns()
        sent = Sent(f"{trace_id:032x}", f"{span_id:016x}", start_ns, ended_ns - began_ns, status)
        self._count(sent, kind, due_ns, late_ns, ended_ns)
        if kind == "connect":
            await asyncio.sleep(_PAUSE_SEC)

    def _count(self, sent: Sent, kind: str, due_ns: int, late_ns: int, ended_ns: int) -> None:
        if due_ns >= self._measured_ns:
            self.tally.add(sent, kind, late_ns)
            self._last_ns = max(self._last_ns, ended_ns)
        if sent.status and self._measured_ns <= ended_ns < self._end_ns:
            self.tally.in_window += 1


def kind_of(answer: Answer) -> str:
    """Return "ok", or the kind that an error's body names; "other" for an error of somebody else's."""
    if answer.status < LEAST_ERROR:
        return OK
    try:
        kind = json.loads(bytes(answer.body))["error"]["kind"]
    except (ValueError, KeyError, TypeError):
        return "other"
    return kind if isinstance(kind, str) else "other"


def _headers(plan: LoadPlan) -> dict[str, str]:
    key = {"authorization": f"Bearer {plan.api_key}"} if plan.api_key else {}
    return {"content-type": "application/json", **key}


def _tls(plan: LoadPlan) -> ssl.SSLContext | None:
    if not plan.is_insecure:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

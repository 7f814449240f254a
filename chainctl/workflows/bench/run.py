"""A load plan in; its outcome out, measured in an event loop of its own that Ctrl-C stops early."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable

import uvloop

from chainctl.events import Emit, Notice
from chainctl.workflows.bench.generator import generate
from chainctl.workflows.bench.outcome import Outcome
from chainctl.workflows.bench.plan import MOST_REQUESTS, LoadPlan

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
RunLoad = Callable[[LoadPlan, Emit], Outcome]


def run_load(plan: LoadPlan, emit: Emit) -> Outcome:
    """Measure; a first interrupt ends it with what there is, and is not raised. For the main thread."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_until_interrupted(plan, emit))
    finally:  # the loop leaves the system's own handlers behind
        for number, handler in before.items():
            signal.signal(number, handler)


async def _until_interrupted(plan: LoadPlan, emit: Emit) -> Outcome:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    emit(Notice(_announcement(plan)))
    try:
        return await generate(plan, stop, random.Random(), emit)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _announcement(plan: LoadPlan) -> str:
    if plan.rate is None:
        how = f"{plan.clients} client{'' if plan.clients == 1 else 's'}"
    else:
        how = f"{plan.rate:g} requests/s ({plan.arrivals})"
    end = f"{plan.duration_sec:g} s"
    if plan.requests < MOST_REQUESTS:
        end = f"{plan.requests:,} requests or {end}"
    return f"loading {plan.url}: {how}, {plan.warmup_sec:g} s to warm up, then {end}"

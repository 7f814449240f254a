"""A chain and a load plan in; what was measured, where the time went and what would be needed, out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainctl.deploy.target import DeployTarget
from chainctl.errors import CallFailedError, ChainctlError
from chainctl.events import Emit
from chainctl.worker.gate import MOST_WITHOUT_LIMIT
from chainctl.workflows.bench.capacity import Advice, Means, Usage, advise, usages
from chainctl.workflows.bench.hops import Hops, hops_of
from chainctl.workflows.bench.outcome import Outcome, Sent
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.run import RunLoad, run_load
from chainctl.workflows.call import call
from chainctl.workflows.seen_span import SeenSpan
from chainctl.workflows.top import Sight, look
from chainctl.workflows.trace import Told, gather

_ATTEMPTS = 3
_LOOKS = 6
_PAUSE_SEC = 0.05
_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """All that a load showed. `target_rate` is the one that the advice is for, in requests per second.

    `silent` says what could not be learned, and why.
    """

    plan: LoadPlan
    outcome: Outcome
    hops: Hops
    usages: tuple[Usage, ...] = ()
    advice: tuple[Advice, ...] = ()
    target_rate: float = 0.0
    silent: tuple[str, ...] = ()


def bench(
    plan: LoadPlan, chain: str, target: DeployTarget | None, emit: Emit, load: RunLoad = run_load
) -> Report:
    """Call once, load, then ask the chain's services what they saw; without a target nobody is asked.

    Raises CallFailedError when the chain does not answer a single call; what goes wrong under load
    is counted. An interrupt under load ends it early.
    """
    _try(plan, chain if target is not None else "CHAIN")
    before, missing = _look(target, chain)
    outcome = load(plan, emit)
    if target is None:
        return Report(plan, outcome, Hops((), 0))
    told = _told(target, chain, outcome.last)
    after, missing_after = _look(target, chain)
    silent = tuple(dict.fromkeys((*told.silent, *missing, *missing_after)))
    return report_of(plan, outcome, told.spans, means_of(before, after), silent)


def report_of(
    plan: LoadPlan,
    outcome: Outcome,
    spans: Sequence[SeenSpan],
    means: Mapping[str, Means],
    silent: tuple[str, ...] = (),
) -> Report:
    """Put together what was measured and what services told. Advice is for the asked rate, or for twice the seen."""
    hops = hops_of(spans, outcome.last)
    used = usages(hops.hops, means, outcome.rate)
    target_rate = plan.rate or _GROWTH * outcome.rate
    scale = target_rate / outcome.rate if outcome.rate else 0.0
    advice = tuple(advise(usage, scale) for usage in used) if scale else ()
    return Report(plan, outcome, hops, tuple(used), advice, target_rate, silent)


def means_of(before: Sight | None, after: Sight | None) -> dict[str, Means]:
    """Compare two looks at a chain: of each chainlet, the services that were called, and their CPU time a call."""
    if after is None:
        return {}
    found: dict[str, list[str]] = {}
    for service, reading in after.readings.items():
        earlier = before.readings.get(service) if before else None
        if reading.calls.calls > (earlier.calls.calls if earlier else 0.0):
            found.setdefault(after.chainlets[service], []).append(service)
    return {chainlet: _means(services, before, after) for chainlet, services in found.items()}


def _means(services: Sequence[str], before: Sight | None, after: Sight) -> Means:
    limit = min(int(after.readings[service].limit) for service in services)
    concurrency = limit if limit < MOST_WITHOUT_LIMIT else 0
    if before is None or any(service not in before.readings for service in services):
        return Means(len(services), concurrency)
    calls = sum(after.readings[s].calls.since(before.readings[s].calls).calls for s in services)
    cpu_sec = sum(max(0.0, after.readings[s].cpu_sec - before.readings[s].cpu_sec) for s in services)
    return Means(len(services), concurrency, cpu_sec / calls if cpu_sec else None)


def _try(plan: LoadPlan, chain: str) -> None:
    """Call once, so that what is wrong with every call is told at once and as `chainctl call` tells it."""
    for attempt in range(_ATTEMPTS):
        try:
            call(
                plan.url,
                plan.bodies[0],
                chain=chain,
                api_key=plan.api_key,
                timeout_sec=plan.timeout_sec,
                insecure=plan.is_insecure,
            ).read()
        except CallFailedError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _look(target: DeployTarget | None, chain: str) -> tuple[Sight | None, tuple[str, ...]]:
    """Read the metrics, for which a load is not given up when there are none."""
    if target is None:
        return None, ()
    try:
        sight = look(target, chain, lambda: 0.0)
    except ChainctlError as error:
        return None, (error.message,)
    return sight, sight.silent


def _told(target: DeployTarget, chain: str, last: Sequence[Sent]) -> Told:
    """Gather spans once the last request is in them, or after a while: a call is noted after its answer."""
    waiting = threading.Event()
    try:
        told = gather(target, chain)
        for _ in range(_LOOKS):
            if not last or any(span.parent_id == last[-1].span_id for span in told.spans):
                break
            waiting.wait(_PAUSE_SEC)
            told = gather(target, chain)
    except ChainctlError as error:
        return Told((), (error.message,))
    return told

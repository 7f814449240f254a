"""Loads seen over time and the bounds of services in; how many replicas each should have, and why, out. Pure.

Wanted are as many as give each replica its share of the calls under way, waiting and held, as in the ratio of
Kubernetes' HorizontalPodAutoscaler. More are wanted as soon as a short window agrees, or at once where it is
twice as many, as in the panic mode of Knative's autoscaler (KPA); fewer only once the most that was needed in a
long window is less, as in the HPA's stabilization window. From nothing to one a single held request is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chainctl.deploy.load import Loads
from chainctl.deploy.release import Release, Scaling, ServiceSpec

UP_WINDOW_SEC = 2.0
"""For so long more must be needed before there are more: one busy look is noise."""
_PANIC = 2
"""So many times what runs is no noise."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The calls that a service has to answer at one moment.

    Not `is_whole` where some replica did not answer: there may be more. `woken_by` is the chainlet that wakes
    and calls it, where nobody waits for it yet.
    """

    calls: int
    is_whole: bool = True
    woken_by: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """How many replicas a demand asked for at a time, in seconds of a steady clock.

    `needed` are more where that is not all: as many as there were.
    """

    at: float
    asked: int
    needed: int
    demand: Demand


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many replicas a service should have, and why."""

    wanted: int
    cause: str


@dataclass(frozen=True, slots=True)
class Course:
    """What a service needed lately, oldest first, as far back as a decision looks."""

    scaling: Scaling
    samples: tuple[Sample, ...] = ()

    def seen(self, at: float, demand: Demand, running: int) -> Course:
        """Return the course with one more look; what is not known can not take replicas away."""
        asked = max(needed_for(self.scaling, demand.calls), 1 if demand.woken_by else 0)
        needed = asked if demand.is_whole else max(asked, min(running, self.scaling.most))
        samples = _without_middle([*self.samples, Sample(at, asked, needed, demand)])
        since = at - self.scaling.down_after_sec
        older = [sample for sample in samples if sample.at <= since]
        return replace(self, samples=(*older[-1:], *(s for s in samples if s.at > since)))

    def verdict(self, running: int) -> Verdict:
        """Decide from what was seen; `running` is how many there are now. Nothing changes before the first look."""
        if not self.samples:
            return Verdict(running, "")
        last, least = self.samples[-1], self.scaling.least
        more = self._more(running)
        if more > running:
            is_least = (
                running < least == more and last.demand.calls <= least * self.scaling.target_concurrency
            )
            cause = f"at least {least} should run" if is_least else _up_cause(self.scaling, last.demand)
            return Verdict(more, cause)
        if running > self.scaling.most:
            return Verdict(self.scaling.most, f"at most {self.scaling.most} may run")
        peak = max(self.samples, key=lambda sample: sample.needed)
        is_long_enough = self.samples[0].at <= last.at - self.scaling.down_after_sec
        if is_long_enough and peak.needed < running:
            return Verdict(peak.needed, _down_cause(self.scaling, self.samples))
        return Verdict(running, "")

    def _more(self, running: int) -> int:
        last = self.samples[-1]
        if running == 0 or last.asked >= _PANIC * running:
            return last.asked
        lately = (s.asked for s in self.samples if s.at >= last.at - UP_WINDOW_SEC)
        return min(lately)


def needed_for(scaling: Scaling, calls: int) -> int:
    """Return how many replicas so many calls need, within the bounds; none only for no call."""
    if calls == 0:
        return scaling.least
    return min(max(math.ceil(calls / scaling.target_concurrency), scaling.least, 1), scaling.most)


def demands(release: Release, loads: Loads, running: Mapping[str, int]) -> dict[str, Demand]:
    """Return what each service of a release that follows its load has to do, by name.

    `running` has how many replicas of each are ready. What is called by one that is woken is woken with it, at
    the same time: waiting for the first call to arrive there would add up their starts.
    """
    found = {s.name: _demand(s, release, loads, running) for s in release.services if s.scaling}
    asleep = {name for name in found if not running.get(name)}
    waking = [s for s in release.services if s.name in asleep and found[s.name].calls]
    for caller in waking:
        for name in _reached(caller.name, release):
            if name in asleep and not found[name].calls and not found[name].woken_by:
                found[name] = replace(found[name], woken_by=caller.chainlet)
    return found


def _demand(service: ServiceSpec, release: Release, loads: Loads, running: Mapping[str, int]) -> Demand:
    own = loads.services.get(service.name)
    here = running.get(service.name, 0)
    calls = own.under_way + own.waiting if own else 0
    calls += sum(load.awaited.get(service.name, 0) for load in loads.services.values())
    calls += loads.held if service.name == release.entrypoint else 0
    return Demand(calls, is_whole=(own.replicas if own else 0) >= here)


def _reached(start: str, release: Release) -> list[str]:
    """Return all services that one calls, directly or not."""
    callees = {s.name: [call.service for call in s.calls] for s in release.services}
    found: dict[str, None] = {}
    left = [*callees.get(start, ())]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            left += callees.get(name, ())
    return sorted(found)


def _without_middle(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Drop what lies between two equal ones: a window that reaches into them has the last one."""
    if len(samples) > 2 and len({(s.asked, s.needed) for s in samples[-3:]}) == 1:
        return [*samples[:-2], samples[-1]]
    return samples


def _up_cause(scaling: Scaling, demand: Demand) -> str:
    if demand.woken_by and not demand.calls:
        return f"{demand.woken_by}, which calls it, is woken"
    return f"{_calls(demand.calls)} under way or waiting, {scaling.target_concurrency} each"


def _down_cause(scaling: Scaling, samples: Iterable[Sample]) -> str:
    most = max(sample.demand.calls for sample in samples)
    seconds = f"{scaling.down_after_sec:g} s"
    if most == 0:
        return f"no call for {seconds}"
    return f"at most {_calls(most)} under way or waiting for {seconds}, {scaling.target_concurrency} each"


def _calls(count: int) -> str:
    return f"{count} call{'s' if count != 1 else ''}"

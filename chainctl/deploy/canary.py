"""What a front door counted of two releases in; whether the new one may have all traffic, and why, out. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

MIN_ANSWERS = 20
FAR_MORE_ANSWERS = 100
FAILURE_MARGIN = 0.05
SLOWER_FACTOR = 2.0
SLOWER_MARGIN_SEC = 0.05
DEFAULT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Canary:
    """How a push tries a release: with which part of the traffic, and for how long."""

    percent: int
    seconds: float = DEFAULT_SECONDS


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a door counted of one service since the traffic was split.

    `begun` are requests that it was given, `answered` those that have an answer or are lost, `failed`
    the latter with those that were answered 5xx or broke off. `mean_sec` is the mean time to the
    beginning of an answer.
    """

    begun: int = 0
    answered: int = 0
    failed: int = 0
    mean_sec: float = 0.0

    @property
    def failure_rate(self) -> float:
        return self.failed / self.answered if self.answered else 0.0


class Outcome(enum.Enum):
    """What follows from what was counted."""

    GO_ON = "go on"
    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and its reason, in one sentence without an end."""

    outcome: Outcome
    reason: str = ""


def judge(old: Traffic, new: Traffic, *, is_over: bool) -> Verdict:
    """Compare a new release with the old one over the same time; `is_over` when that time has passed.

    Failures decide as soon as there are MIN_ANSWERS of the new release, times in the end or after
    FAR_MORE_ANSWERS. With fewer answers than MIN_ANSWERS in the end, one failure is one too many.
    """
    if new.answered >= MIN_ANSWERS:
        if new.failure_rate > old.failure_rate + FAILURE_MARGIN:
            return _abort(
                f"{_percent(new.failure_rate)} of its requests failed,"
                f" {_percent(old.failure_rate)} of the old release's"
            )
        if _is_slower(old, new) and (is_over or new.answered >= FAR_MORE_ANSWERS):
            return _abort(
                f"it took {_millis(new.mean_sec)} on average, the old release {_millis(old.mean_sec)}"
            )
    if not is_over:
        return Verdict(Outcome.GO_ON)
    if _is_stuck(old, new):
        return _abort(f"it answered {new.answered} of {new.begun} requests")
    if new.answered < MIN_ANSWERS:
        return _of_few(new)
    return Verdict(Outcome.PROMOTE, f"{_percent(new.failure_rate)} of its {new.answered} requests failed")


def evidence(service: str, traffic: Traffic) -> str:
    """One line of what was counted."""
    time = f", {_millis(traffic.mean_sec)} on average" if traffic.answered else ""
    return (
        f"{service}: {traffic.begun} requests, {traffic.answered} answered,"
        f" {traffic.failed} failed ({_percent(traffic.failure_rate)}){time}"
    )


def _is_slower(old: Traffic, new: Traffic) -> bool:
    limit = SLOWER_FACTOR * old.mean_sec + SLOWER_MARGIN_SEC
    return old.answered >= MIN_ANSWERS and new.mean_sec > limit


def _is_stuck(old: Traffic, new: Traffic) -> bool:
    """Say whether most requests of the new release are without an answer, and of the old one are not."""
    return (
        new.begun >= MIN_ANSWERS
        and new.answered < new.begun / 2
        and (old.begun == 0 or old.answered >= old.begun / 2)
    )


def _of_few(new: Traffic) -> Verdict:
    few = f"only {new.answered} requests were answered, too few to compare (at least {MIN_ANSWERS})"
    if new.failed:
        return _abort(f"{few}, and {new.failed} of them failed")
    return Verdict(Outcome.PROMOTE, f"{few}; none of them failed")


def _abort(reason: str) -> Verdict:
    return Verdict(Outcome.ABORT, reason)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _millis(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"

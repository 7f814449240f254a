"""A Canary and a target in; a watch that lets the flip follow, or raises why it may not, out."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chainctl.deploy.canary import Canary, Outcome, Traffic, evidence, judge
from chainctl.deploy.execute import Watch
from chainctl.deploy.operations import SplitRoute
from chainctl.deploy.target import DeployTarget
from chainctl.errors import CanaryError
from chainctl.events import Emit, Notice

LOOK_SEC = 1.0
_NOTHING = Traffic()


def rest(seconds: float) -> None:
    """Wait; an interruption ends it."""
    threading.Event().wait(seconds)


def watching(
    canary: Canary,
    target: DeployTarget,
    emit: Emit,
    clock: Callable[[], float],
    pause: Callable[[float], None] = rest,
) -> Watch:
    """Return a watch that looks at what the door counted until that decides, or the time is over."""

    def watch(split: SplitRoute) -> None:
        end = clock() + canary.seconds
        while True:
            left = end - clock()
            counted = target.traffic(split.chain)
            old, new = counted.get(split.before, _NOTHING), counted.get(split.service, _NOTHING)
            verdict = judge(old, new, is_over=left <= 0)
            seen = [evidence(split.service, new), evidence(split.before, old)]
            if verdict.outcome is Outcome.ABORT:
                raise _aborted(split, verdict.reason, seen)
            if verdict.outcome is Outcome.PROMOTE:
                for line in (*seen, f"The canary gets all traffic: {verdict.reason}"):
                    emit(Notice(line))
                return
            pause(min(LOOK_SEC, left))

    return watch


def _aborted(split: SplitRoute, reason: str, seen: list[str]) -> CanaryError:
    return CanaryError(
        f"The canary {split.service} was taken back: {reason}",
        hint=f"{split.before} has all traffic again; see `chainctl logs {split.chain}`, correct it, push again",
        details=seen,
    )

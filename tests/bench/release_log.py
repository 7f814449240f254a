"""What callers saw and what pushes did in; how many requests failed, mixed releases or were late, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Marks = tuple[str, ...]
PROPER_ENDS = frozenset({"end", "1000", "1012"})
"""How a stream or a WebSocket may end: its last event, or its close code."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, stream or WebSocket as its caller saw it.

    `marks` are those of each of its answers, equal ones once. `end` is how it ended, for requests
    "ok"; `error` what went wrong. Times are seconds of one clock.
    """

    how: str
    began: float
    ended: float
    marks: tuple[Marks, ...] = ()
    end: str = ""
    error: str = ""

    @property
    def is_held(self) -> bool:
        return self.how in ("stream", "websocket")

    @classmethod
    def of(cls, line: Sequence[Any]) -> Seen:
        how, began, ended, marks, end, error = line
        return cls(how, began, ended, tuple(tuple(mark) for mark in marks), end, error)

    def line(self) -> list[object]:
        return [self.how, self.began, self.ended, [list(mark) for mark in self.marks], self.end, self.error]


@dataclass(frozen=True, slots=True)
class Tried:
    """One release of all chains. `codes` are the exit codes of its pushes, `wanted` those that are true.

    `is_good` says that it was to be promoted; `away` is when the engine or the supervisor was gone, until
    the push after it had ended; `messages` are the last lines of pushes that ended otherwise than they should.
    """

    number: int
    what: str
    began: float
    ended: float
    marks: Marks
    codes: tuple[int, ...]
    wanted: tuple[int, ...]
    is_good: bool = True
    away: tuple[float, float] | None = None
    messages: tuple[str, ...] = ()

    @property
    def is_truthful(self) -> bool:
        return all(code in self.wanted for code in self.codes)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run comes to. `wrong` has one line for everything that should not have been."""

    requests: int
    per_second: float
    streams: int
    websockets: int
    failed: int
    mixed: int
    never_promoted: int
    late: int
    badly_ended: int
    untrue_codes: int
    failed_while_away: int
    seconds_away: float
    slowest_sec: float
    wrong: tuple[str, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        return not (
            self.failed
            or self.mixed
            or self.never_promoted
            or self.late
            or self.badly_ended
            or self.untrue_codes
        )


def tally(seen: Iterable[Seen], tried: Sequence[Tried]) -> Tally:
    """Judge every request against the releases.

    A request that was under way while the engine was gone is counted apart. Nobody may see marks that no
    release has, nor those of a release that was never promoted, nor, once a push has ended, an older one.
    """
    known = list(seen)
    aways = [one.away for one in tried if one.away]
    good = {one.marks for one in tried if one.is_good}
    bad = {one.marks for one in tried} - good
    present = [one for one in known if not _was_away(one, aways)]
    held = [one for one in present if one.is_held]
    asked = [one for one in known if not one.is_held]
    failed = [one for one in present if one.error and not one.is_held]
    mixed = [one for one in present if len(one.marks) > 1 or any(m not in good | bad for m in one.marks)]
    never = [one for one in present if any(m in bad for m in one.marks)]
    late = [one for one in present if _is_late(one, tried)]
    ended = [one for one in held if one.error or one.end not in PROPER_ENDS]
    untrue = [one for one in tried if not one.is_truthful]
    seconds = max((one.ended for one in known), default=0) - min((one.began for one in known), default=0)
    lines = [
        *(f"release {o.number} ({o.what}): exit codes {o.codes}: {' '.join(o.messages)}" for o in untrue),
        *(_told("failed", one) for one in failed),
        *(_told("mixed", one) for one in mixed),
        *(_told("never promoted", one) for one in never),
        *(_told("late", one) for one in late),
        *(_told("ended badly", one) for one in ended),
    ]
    return Tally(
        requests=len(asked),
        per_second=len(asked) / seconds if seconds else 0.0,
        streams=sum(one.how == "stream" for one in held),
        websockets=sum(one.how == "websocket" for one in held),
        failed=len(failed),
        mixed=len(mixed),
        never_promoted=len(never),
        late=len(late),
        badly_ended=len(ended),
        untrue_codes=len(untrue),
        failed_while_away=sum(bool(one.error) for one in known if _was_away(one, aways)),
        seconds_away=sum(until - since for since, until in aways),
        slowest_sec=max((one.ended - one.began for one in present if not one.is_held), default=0.0),
        wrong=tuple(lines),
    )


def _was_away(one: Seen, aways: Sequence[tuple[float, float]]) -> bool:
    return any(one.ended >= since and one.began <= until for since, until in aways)


def _is_late(one: Seen, tried: Sequence[Tried]) -> bool:
    """Say whether it began after a push of another release had ended, and before the next one began."""
    done = [push for push in tried if push.is_good and push.ended < one.began]
    if not done or not one.marks:
        return False
    allowed = {
        done[-1].marks,
        *(push.marks for push in tried if push.began <= one.ended and push.ended >= one.began),
    }
    older = {push.marks for push in done}
    return any(mark in older and mark not in allowed for mark in one.marks)


def _told(what: str, one: Seen) -> str:
    marks = " ".join("/".join(mark) for mark in one.marks)
    return f"{what}: {one.how} at {one.began:.3f} for {one.ended - one.began:.3f} s: {marks} {one.end} {one.error}"

"""What callers saw and which edits were made in; how many requests failed, were mixed or late, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.release_log import Seen
from tests.bench.watch_chain import Marks


@dataclass(frozen=True, slots=True)
class Edited:
    """One edit: when it was saved and when the command told what came of it, in seconds of one clock.

    `what` is how the command called it, "" where it told nothing; `is_served` what it said, `is_good` what is true.
    """

    number: int
    marks: Marks
    saved: float
    told: float
    what: str
    is_served: bool
    is_good: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run comes to. `wrong` has one line for everything that should not have been."""

    requests: int
    per_second: float
    edits: int
    broken: int
    failed: int
    mixed: int
    never_served: int
    late: int
    untrue: int
    slowest_sec: float
    wrong: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.failed or self.mixed or self.never_served or self.late or self.untrue)


def tally(seen: Iterable[Seen], first: Marks, edits: Sequence[Edited]) -> Tally:
    """Judge every request: its marks are those of one good edition, and of none older than was told before it."""
    known = list(seen)
    good = [first, *(one.marks for one in edits if one.is_good)]
    bad = {one.marks for one in edits if not one.is_good} - {*good}
    failed = [one for one in known if one.error]
    mixed = [one for one in known if any(marks not in good and marks not in bad for marks in one.marks)]
    never = [one for one in known if any(marks in bad for marks in one.marks)]
    late = [one for one in known if _is_late(one, good, edits)]
    untrue = [one for one in edits if one.is_served is not one.is_good]
    seconds = max((one.ended for one in known), default=0) - min((one.began for one in known), default=0)
    lines = [
        *(f"edit {one.number} was {'' if one.is_served else 'not '}served: {one.what}" for one in untrue),
        *(_told(what, one) for what, some in (("failed", failed), ("mixed", mixed)) for one in some),
        *(_told(what, one) for what, some in (("never served", never), ("late", late)) for one in some),
    ]
    return Tally(
        requests=len(known),
        per_second=len(known) / seconds if seconds else 0.0,
        edits=len(edits),
        broken=sum(not one.is_good for one in edits),
        failed=len(failed),
        mixed=len(mixed),
        never_served=len(never),
        late=len(late),
        untrue=len(untrue),
        slowest_sec=max((one.ended - one.began for one in known), default=0.0),
        wrong=tuple(lines),
    )


def _is_late(one: Seen, good: Sequence[Marks], edits: Sequence[Edited]) -> bool:
    told = [edit.marks for edit in edits if edit.is_good and edit.is_served and edit.told < one.began]
    if not told or not one.marks or one.marks[0] not in good:
        return False
    return good.index(one.marks[0]) < good.index(told[-1])


def _told(what: str, one: Seen) -> str:
    marks = " ".join("/".join(mark) for mark in one.marks)
    return f"{what}: at {one.began:.3f} for {one.ended - one.began:.3f} s: {marks} {one.error}"

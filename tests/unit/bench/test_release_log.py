"""What callers saw, judged against the releases."""

from __future__ import annotations

import pytest

from tests.bench.release_chain import Edition, Fault
from tests.bench.release_log import Seen, Tally, Tried, tally
from tests.bench.releases import KILLED, course_of

ONE, TWO, BAD = ("T1", "L1"), ("T1", "L2"), ("T1", "L3")
TRIED = (
    Tried(1, "good", 0, 1, ONE, (0,), (0,)),
    Tried(2, "good", 10, 12, TWO, (0,), (0,)),
    Tried(3, "bad", 20, 22, BAD, (5,), (5,), is_good=False),
    Tried(4, "killed", 30, 40, TWO, (6,), (0, 6), away=(32, 40)),
)


def judged(*seen: Seen) -> Tally:
    return tally(seen, TRIED)


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (Seen("kept connection", 2, 3, (ONE,), "ok"), None),
        (Seen("kept connection", 11, 11.5, (TWO,), "ok"), None),
        (Seen("kept connection", 11, 13, (ONE,), "ok"), None),
        (Seen("kept connection", 13, 13.1, (ONE,), "ok"), "late"),
        (Seen("kept connection", 11, 12, (("T2", "L1"),), "ok"), "mixed"),
        (Seen("kept connection", 21, 21.1, (BAD,), "ok"), "never promoted"),
        (Seen("new connection", 5, 6, error="reset"), "failed"),
        (Seen("new connection", 33, 34, error="refused"), None),
        (Seen("stream", 9, 13, (ONE,), "end"), None),
        (Seen("stream", 11, 13, (ONE, TWO), "end"), "mixed"),
        (Seen("stream", 5, 6, (ONE,), "", "no end event"), "ended badly"),
        (Seen("websocket", 5, 13, (ONE,), "1012"), None),
        (Seen("websocket", 5, 13, (ONE,), "1006", "closed"), "ended badly"),
    ],
)
def test_each_fault_is_told_and_nothing_else(seen: Seen, wrong: str | None) -> None:
    """A flip may be seen from both sides while it is made, not after; an engine that is away is not a fault."""
    said = judged(seen).wrong
    assert [line.partition(":")[0] for line in said] == ([wrong] if wrong else [])
    assert judged(seen).is_clean is (wrong is None)


def test_an_exit_code_that_is_not_true_is_told() -> None:
    """It counts once for a release."""
    lied = Tried(2, "bad", 3, 4, BAD, (0, 5), (5,), is_good=False, messages=("up to date",))
    assert tally((), (TRIED[0], lied)).wrong == ("release 2 (bad): exit codes (0, 5): up to date",)


@pytest.mark.parametrize("count", [8, 10, 12, 30])
def test_every_fault_has_its_turn(count: int) -> None:
    """Each once, whatever the number of releases; the others are good."""
    course = course_of(count)
    assert len(course) == count
    assert sorted(map(str, filter(None, course))) == sorted([*map(str, Fault), KILLED])


def test_what_was_seen_goes_through_json_lines() -> None:
    """A line gives back what made it."""
    seen = Seen("stream", 1.5, 2.5, (ONE, TWO), "end", "")
    assert Seen.of(seen.line()) == seen


def test_editions_never_share_all_their_marks() -> None:
    """So an answer that mixes two of them is like none."""
    edition, marks = Edition(), list[tuple[str, ...]]()
    for number in range(2, 32):
        edition = edition.edited(number)
        marks.append(edition.marks)
    assert len(set(marks)) == len(marks)

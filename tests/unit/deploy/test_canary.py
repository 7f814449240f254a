"""What a door counted becomes a verdict; each line of the rules, on both sides of its bound."""

from __future__ import annotations

import pytest

from chainctl.deploy.canary import MIN_ANSWERS, Outcome, Traffic, evidence, judge

GO_ON, PROMOTE, ABORT = Outcome.GO_ON, Outcome.PROMOTE, Outcome.ABORT
OLD = Traffic(900, 900, 9, 0.02)


def traffic(answered: int, failed: int = 0, mean_sec: float = 0.02, begun: int = 0) -> Traffic:
    return Traffic(begun or answered, answered, failed, mean_sec)


CASES = [
    ("nothing yet", traffic(0), OLD, False, GO_ON),
    ("too few to decide, though all failed", traffic(19, 19), OLD, False, GO_ON),
    ("as good as the old one", traffic(20), OLD, False, GO_ON),
    ("within the margin: 1 % and 5 %", traffic(100, 6), OLD, False, GO_ON),
    ("beyond it", traffic(100, 7), OLD, False, ABORT),
    ("beyond it in the end", traffic(100, 7), OLD, True, ABORT),
    ("failures that the old one has too", traffic(100, 52), traffic(900, 450), True, PROMOTE),
    ("slow at first", traffic(99, 0, 0.2), OLD, False, GO_ON),
    ("slow for long", traffic(100, 0, 0.2), OLD, False, ABORT),
    ("slow in the end", traffic(20, 0, 0.2), OLD, True, ABORT),
    ("twice as slow and 50 ms", traffic(100, 0, 0.09), OLD, True, PROMOTE),
    ("slower than an old one of few answers", traffic(100, 0, 9.0), traffic(19), True, PROMOTE),
    ("good in the end", traffic(20), OLD, True, PROMOTE),
    ("few in the end, none failed", traffic(19), OLD, True, PROMOTE),
    ("few in the end, one failed", traffic(19, 1), OLD, True, ABORT),
    ("none in the end", traffic(0), Traffic(), True, PROMOTE),
    ("no answers to many requests", traffic(0, begun=40), OLD, True, ABORT),
    ("no answers of either", traffic(0, begun=40), traffic(0, begun=400), True, PROMOTE),
]


@pytest.mark.parametrize(
    ("new", "old", "is_over", "outcome"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_rules(new: Traffic, old: Traffic, outcome: Outcome, *, is_over: bool) -> None:
    """One line of the table each."""
    verdict = judge(old, new, is_over=is_over)
    assert verdict.outcome is outcome
    assert bool(verdict.reason) is (outcome is not GO_ON)


def test_reasons_have_the_numbers() -> None:
    """Rates, times and counts of both releases."""
    assert judge(OLD, traffic(50, 10), is_over=False).reason == (
        "20 % of its requests failed, 1 % of the old release's"
    )
    assert judge(OLD, traffic(50, 0, 0.5), is_over=True).reason == (
        "it took 500 ms on average, the old release 20 ms"
    )
    assert judge(OLD, traffic(3), is_over=True).reason == (
        f"only 3 requests were answered, too few to compare (at least {MIN_ANSWERS}); none of them failed"
    )


def test_evidence_is_one_line() -> None:
    """Without answers there is no time."""
    assert evidence("shop-root-1", traffic(50, 10, 0.0123)) == (
        "shop-root-1: 50 requests, 50 answered, 10 failed (20 %), 12.3 ms on average"
    )
    assert evidence("shop-root-1", Traffic()) == "shop-root-1: 0 requests, 0 answered, 0 failed (0 %)"

"""Figures of builds become a page; a bound is met, or it is said that it is not."""

from __future__ import annotations

from tests.bench.build_report import Figure, Versus, report
from tests.bench.host import Host

HOST = Host("a CPU", 2, 8.0, "Linux 6", "3.11.7")


def test_bounds_are_judged_by_medians_of_pairs() -> None:
    """Ratios, differences and plain values."""
    ratio = Figure("slow", Versus("fast", [2.0, 9.0, 4.0], [1.0, 3.0, 1.0]), 2, "×")
    difference = Figure("edit", Versus("nothing", [0.4, 0.5], [0.2, 0.1], is_difference=True), 0.5, " s")
    plain = Figure("images", Versus("", [2.0], [2.0], is_difference=True, is_plain=True), 2, "")
    free = Figure("other", Versus("fast", [1.0], [2.0]), None, "×")
    assert [f.verdict for f in (ratio, difference, plain, free)] == ["FAIL", "pass", "pass", ""]
    text = report([ratio, difference, plain, free], HOST, 0.0, 9.0, 1.0, 3)
    assert "2 of 3 bounds are met" in text
    assert "| slow | fast | ≤ 2× | 3.00 [2.00, 4.00]× | FAIL |" in text
    assert "| edit | nothing | ≤ 0.5 s | 0.30 [0.20, 0.40] s | pass |" in text
    assert "| images | – | ≤ 2 | 2.00 [2.00, 2.00] | pass |" in text
    assert "| other | fast | – | 0.50 [0.50, 0.50]× | – |" in text
    assert "3 rounds on 1970-01-01, 9 s." in text

"""The bench of manifests: what it says of what was measured."""

from __future__ import annotations

from tests.bench.manifests import Written, measured, passes, prose, rows


def test_small_chains_are_measured() -> None:
    """The files are there: one a chainlet, and those of the door and of kustomize."""
    one, two = measured((1, 2), rounds=1)
    assert two.files == one.files + 1
    assert one.whole > one.manifests > 0


def test_bounds_are_judged() -> None:
    """By the largest chain, and by how it grew."""
    fine = [Written(100, 109, (0.4, 0.5), (0.1, 0.1)), Written(200, 209, (0.9, 1.0), (0.2, 0.2))]
    assert passes(fine)
    assert [row.split(" | ")[-1].strip(" |") for row in rows(fine)] == ["–", "pass", "pass"]
    assert not passes([fine[0], Written(200, 209, (2.5,), (0.2,))])
    assert not passes([fine[0], Written(200, 209, (1.0,), (0.3,))])
    assert "0.400 s, 0.500 s" in prose(fine)

"""The numbers of docs/scale.md are those of the simulation, and of the code."""

from __future__ import annotations

from chainctl.adapters.docker.haproxy_route import SLOTS
from chainctl.calls import choice, outliers, subset
from chainctl.calls.replica_watch import looks_per_answer
from chainctl.deploy.settings import DEFAULT_START_TIMEOUT_SEC
from tests.bench.scale_simulation import DOOR_CONNECTIONS, Scale, longest_list, scales, table
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_simulation_says() -> None:
    """`python -m tests.bench.scale_simulation` prints it anew."""
    assert table(scales()) in PAGE


def test_where_things_give_out_is_computed() -> None:
    """The text around the table follows from the same figures."""
    assert f"{longest_list():,} replicas of one service" in PAGE
    assert f"{len(SLOTS)} slots for replicas of the entrypoint, and {DOOR_CONNECTIONS:,} connections" in PAGE
    full = next(n for n in range(1, 100) if Scale(n).answer_bytes > 512)
    assert f"more than {full - 1} addresses" in PAGE
    machines = next(n for n in range(1, 1000) if Scale(n * 5).pull_sec > DEFAULT_START_TIMEOUT_SEC) - 1
    assert f"{machines * 50:,} replicas on {machines} machines" in PAGE


def test_the_bounds_are_those_of_the_code() -> None:
    """What the page says of looks, choices and failures."""
    assert [looks_per_answer(n) for n in (127, 128, 383, 384, 10_000)] == [1, 2, 3, 4, 4]
    assert f"Of more than {choice.MOST_COMPARED} replicas eight are drawn" in PAGE
    assert f"speaks with {subset.LEAST_SPOKEN_WITH} of them at most" in PAGE
    assert outliers.LEAST_CALLS == 10

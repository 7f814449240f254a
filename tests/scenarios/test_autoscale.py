"""Chains that follow their load: they sleep, are woken by a request, and are repaired after a kill."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import await_condition
from tests.scenarios.pushed_chain import TARGETS, PushedChain, pushing
from tests.scenarios.scaled_chain import (
    DEPTH_TWO,
    Calls,
    await_replicas,
    listed,
    replicas,
    scaling,
)

NAMES = ("High", "Low")


@pytest.fixture(scope="module", params=TARGETS)
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """A chain of two chainlets that sleep after a second without a call."""
    with pushing(tmp_path_factory.mktemp("scaled"), request.param) as push:
        yield push(DEPTH_TWO.format(delay=1), f"scaled-{os.getpid()}")


def test_a_chain_sleeps_and_its_next_request_is_answered(chain: PushedChain) -> None:
    """The scaler may be killed while it puts it to sleep; it ends when it is told to. What sleeps is shown so."""
    calls = Calls()
    with scaling(chain) as killed:
        await_condition(lambda: len(replicas(chain)) < len(NAMES), seconds=60)
        killed.kill()
    with scaling(chain) as here:
        await_replicas(chain, {})
        assert [one["chainlet"] for one in listed(chain)["asleep"]] == [*NAMES]
        refused = chain.chainctl("scale", f"{chain.name}/Low=3", "--target", chain.target, expect=2)
        assert "0 to 2 replicas" in refused.stderr
        calls.make(chain, 0.1)
        assert calls.statuses == [200]
        assert here.end() == 0


@pytest.mark.load
def test_no_request_is_lost_while_replicas_come_and_go(chain: PushedChain) -> None:
    """Up under load, down after it, to none and back, over and over."""
    calls = Calls()
    with scaling(chain):
        for _ in range(3):
            with calls.of(chain, 6, 0.05):
                await_replicas(chain, dict.fromkeys(NAMES, 2), 120)
                await_condition(lambda: len(calls.statuses) % 500 > 400, seconds=120)
            with calls.of(chain, 1, 0.01):
                await_replicas(chain, dict.fromkeys(NAMES, 1), 120)
            await_replicas(chain, {}, 120)
            calls.make(chain, 0.01)
    assert len(calls.statuses) > 500
    assert set(calls.statuses) == {200}

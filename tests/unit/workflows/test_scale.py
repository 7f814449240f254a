"""Scales as they are asked for, recorded, kept by pushes and rollbacks; everything outside in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.deploy.generations import carried_over
from chainctl.errors import LockHeldError, UsageError
from chainctl.state.ledger import Ledger
from chainctl.workflows.redeploy import Redeployed
from chainctl.workflows.rollout import Rollout
from chainctl.workflows.scale import scale
from tests.unit.workflows.test_push import draft
from tests.unit.workflows.test_rollouts import World


def scaled_to(world: World, counts: Mapping[str, int]) -> Redeployed:
    return scale("shop", counts, world.site, world.told.append, world.now)


def counts_of(world: World) -> dict[str, int]:
    """How many replicas run of each chainlet."""
    found: dict[str, int] = {}
    for service in world.target.observe("shop").services:
        found[service.chainlet] = found.get(service.chainlet, 0) + 1
    return found


def push_again(world: World, *edited: str, keep_warm: int = 0) -> None:
    """Push as the command does: what was asked for meanwhile is carried over."""
    last = world.ledger.latest("shop")
    wanted = draft(*edited)
    wanted = replace(wanted, release=carried_over(wanted.release, last.release if last else None))
    world.push_draft(wanted, Rollout(keep_warm))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which a chain serves."""
    world = World(Ledger(tmp_path, "memory"))
    world.push()
    return world


def test_a_scale_is_a_release(world: World) -> None:
    """It has a number, says what it changed, and is not recorded twice."""
    done = scaled_to(world, {"Left": 3})
    assert (done.number, counts_of(world)["Left"]) == (2, 3)
    assert world.past()[0].changes == ("Left: 3 replicas, 1 before",)
    assert scaled_to(world, {"Left": 3}).number == 2


def test_a_push_keeps_what_was_asked_for(world: World) -> None:
    """Of an edited chainlet too."""
    scaled_to(world, {"Left": 3})
    push_again(world)
    assert world.ledger.numbers("shop") == [1, 2]
    push_again(world, "Left")
    assert counts_of(world)["Left"] == 3


def test_a_rollback_goes_back_to_other_code_and_keeps_the_scale(world: World) -> None:
    """A release that differs in scale alone is no other one."""
    before = world.running()
    push_again(world, "Left")
    scaled_to(world, {"Left": 2})
    done = world.rollback()
    assert (done.origin, done.number) == (1, 4)
    assert world.running() == before
    assert counts_of(world)["Left"] == 2


def test_a_scale_leaves_warm_services_alone(world: World) -> None:
    """They are not what it was asked for."""
    before = world.running()
    push_again(world, "Left", keep_warm=1)
    scaled_to(world, {"Left": 2})
    assert before <= world.running()


def test_a_scale_of_what_is_not_there_is_refused(world: World) -> None:
    """Before anything is touched."""
    world.target.applied.clear()
    with pytest.raises(UsageError, match="shop has no chainlet called Nobody"):
        scaled_to(world, {"Nobody": 2})
    with world.ledger.lock("shop"), pytest.raises(LockHeldError):
        scaled_to(world, {"Left": 2})
    assert world.target.applied == []

"""The local door spreads requests over replicas, and past those that are away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chainctl.adapters.local.front_door.flights import Backend, Switch
from chainctl.adapters.local.front_door.limits import DoorLimits
from tests.unit.adapters.local.door_rig import OK, always_ok, open_door, run

FIRST = Backend("shop", Path("/shop"))
SECOND = Backend("shop", Path("/shop.2"), replica=2)
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_requests_go_to_the_replica_with_the_fewest_in_turn() -> None:
    """One that is busy gets none until the others are as busy."""
    switch = Switch()
    switch.flip(FIRST, SECOND)
    chosen = [switch.choose() for _ in range(10)]
    assert [chosen.count(one) for one in (FIRST, SECOND)] == [5, 5]
    with SECOND.flights.flight():
        assert {id(switch.choose()) for _ in range(5)} == {id(FIRST)}


def test_a_replica_that_is_away_gets_nothing_and_comes_back() -> None:
    """Where all are away, all are asked."""
    switch = Switch()
    switch.flip(FIRST, SECOND)
    FIRST.flights.is_away = True
    assert {id(switch.choose()) for _ in range(5)} == {id(SECOND)}
    SECOND.flights.is_away = True
    assert {id(switch.choose()) for _ in range(5)} == {id(FIRST), id(SECOND)}
    FIRST.flights.is_away = SECOND.flights.is_away = False
    assert {id(switch.choose()) for _ in range(5)} == {id(FIRST), id(SECOND)}


def test_what_stands_in_gets_all_while_it_is_ready() -> None:
    """Where it is away, or has left, the replicas have the requests again; they are its spares."""
    stand_in = Backend("shop", Path("/shop.99"), replica=99)
    switch = Switch()
    switch.flip(FIRST, SECOND)
    switch.intercept = stand_in
    assert {id(switch.choose()) for _ in range(5)} == {id(stand_in)}
    assert switch.spares(stand_in) == [FIRST, SECOND]
    assert switch.spread == 2
    stand_in.flights.is_away = True
    assert {id(switch.choose()) for _ in range(5)} == {id(FIRST), id(SECOND)}
    stand_in.flights.is_away = False
    switch.leave("shop", 99)
    assert {id(switch.choose()) for _ in range(5)} == {id(FIRST), id(SECOND)}


def test_a_replica_leaves_alone() -> None:
    """The same of a canary."""
    other, more = Backend("new", Path("/new")), Backend("new", Path("/new.2"), replica=2)
    switch = Switch()
    switch.flip(FIRST, SECOND)
    switch.split(other, 50, more)
    switch.leave("new", 2)
    switch.leave("shop", 2)
    assert [switch.choose() for _ in range(4)].count(other) == 2
    assert {id(one) for one in (switch.choose() for _ in range(8))} == {id(FIRST), id(other)}
    switch.leave("shop")
    assert switch.choose() is None


def test_when_the_first_leaves_others_go_on() -> None:
    """One that starts again comes back into its own place only, the others keep theirs."""
    switch, again = Switch(), Backend("shop", Path("/shop.2"), replica=2)
    switch.flip(FIRST, SECOND)
    switch.leave("shop", 1)
    assert {id(switch.choose()) for _ in range(4)} == {id(SECOND)}
    switch.renew(again)
    switch.renew(FIRST)
    assert {id(switch.choose()) for _ in range(4)} == {id(again)}


def test_a_request_that_nobody_read_is_taken_by_another_replica() -> None:
    """Nothing listens at the first one; the caller does not notice, and its connection is kept."""

    async def scenario() -> None:
        async with open_door() as rig, rig.service(always_ok, "shop") as here:
            gone = Backend("shop", Path("/nowhere/shop.2"), replica=2)
            rig.switch.flip(here.backend, gone)
            caller = await rig.call()
            for _ in range(4):
                await caller.send(REQUEST)
                assert await caller.answer() == (200, OK[-2:])
            assert here.backend.flights.count == gone.flights.count == 0

    run(scenario)


PATIENT = DoorLimits(hold_sec=20)


def test_a_request_is_held_until_there_is_somebody_again() -> None:
    """Where the chain may sleep; whoever wakes it is told at once that one waits."""

    async def scenario() -> None:
        async with open_door(limits=PATIENT) as rig, rig.service(always_ok, "shop") as here:
            rig.switch.flip(None)
            caller = await rig.call()
            await caller.send(REQUEST)
            assert await rig.switch.waiting.held(20) == 1
            rig.switch.flip(here.backend)
            assert await caller.answer() == (200, OK[-2:])
            assert await rig.switch.waiting.held(0) == 0

    run(scenario)


def test_a_caller_that_leaves_is_held_no_longer() -> None:
    """It wakes nobody."""

    async def scenario() -> None:
        async with open_door(limits=PATIENT) as rig:
            caller = await rig.call()
            await caller.send(REQUEST)
            assert await rig.switch.waiting.held(20) == 1
            await caller.cut()
            while await rig.switch.waiting.held(0):
                await asyncio.sleep(0)

    run(scenario)


@pytest.mark.parametrize("hold_sec", [0.0, 0.05])
def test_a_request_is_not_held_for_ever_and_without_a_bound_not_at_all(hold_sec: float) -> None:
    """Then there is nobody to answer, as before."""

    async def scenario() -> None:
        async with open_door(limits=DoorLimits(hold_sec=hold_sec)) as rig:
            caller = await rig.call()
            await caller.send(REQUEST)
            status, _ = await caller.answer()
            assert status == 503

    run(scenario)

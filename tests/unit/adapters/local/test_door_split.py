"""The local door splits traffic evenly, sends each request to one release, and counts both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chainctl.adapters.local.front_door.flights import Backend, Switch
from tests.unit.adapters.local.door_rig import OK, Peer, always_ok, open_door, run

OLD, NEW = Backend("old", Path("/old")), Backend("new", Path("/new"))
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SICK = b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\nsick"


@pytest.mark.parametrize("percent", [1, 10, 33, 50, 99])
def test_of_a_hundred_requests_a_part_goes_to_the_canary(percent: int) -> None:
    """Exactly, and evenly: of any ten in a row no more than a tenth more than its part."""
    switch = Switch(OLD)
    switch.split(NEW, percent)
    chosen = [switch.choose() for _ in range(100)]
    assert chosen.count(NEW) == percent
    most = max(chosen[n : n + 10].count(NEW) for n in range(90))
    assert most <= percent / 10 + 1


def test_a_flip_ends_a_split() -> None:
    """Whoever it is to; so does the end of either service."""
    for winner in (OLD, NEW):
        switch = Switch(OLD)
        switch.split(NEW, 50)
        switch.flip(winner)
        assert {switch.choose() for _ in range(9)} == {winner}
    switch = Switch(OLD)
    switch.split(NEW, 50)
    switch.leave("new")
    assert {switch.choose() for _ in range(9)} == {OLD}
    switch.leave("old")
    assert switch.choose() is None


async def always_sick(peer: Peer) -> None:
    """Answer every request with an error."""
    while True:
        await peer.request()
        await peer.send(SICK)


def test_a_split_counts_from_nothing() -> None:
    """Requests, answers and failures of each, on one kept connection of one caller."""

    async def scenario() -> None:
        async with open_door() as rig, rig.service(always_ok, "old") as old:
            caller = await rig.call()
            await caller.send(REQUEST)
            await caller.answer()
            async with rig.service(always_sick, "new") as new:
                rig.switch.flip(old.backend)
                rig.switch.split(new.backend, 25)
                statuses = []
                for _ in range(20):
                    await caller.send(REQUEST)
                    statuses.append((await caller.answer())[0])
            assert (statuses.count(200), statuses.count(500)) == (15, 5)
            shown = {
                name: (tally.begun, tally.answered, tally.failed)
                for name, tally in rig.switch.tallies.items()
            }
            assert shown == {"old": (15, 15, 0), "new": (5, 5, 5)}
            assert all(0 < tally.mean_sec < 1 for tally in rig.switch.tallies.values())

    run(scenario)


def test_an_answer_that_breaks_off_is_a_failure_and_a_caller_who_leaves_is_none() -> None:
    """The first is the service's doing."""

    async def breaks_off(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK.replace(b"length: 2", b"length: 9"))
        await peer.cut()

    async def scenario() -> None:
        heard = asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            heard.set()
            await peer.reader.read()

        async with open_door() as rig:
            async with rig.service(breaks_off, "broken"):
                caller = await rig.call()
                await caller.send(REQUEST)
                await caller.rest()
            async with rig.service(silent, "left") as left:
                caller = await rig.call()
                await caller.send(REQUEST)
                await heard.wait()
                await caller.cut()
                await left.backend.flights.landed()
            tallies = rig.switch.tallies
            assert (tallies["broken"].answered, tallies["broken"].failed) == (1, 1)
            assert (tallies["left"].begun, tallies["left"].answered) == (1, 0)

    run(scenario)

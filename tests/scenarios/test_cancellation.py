"""A caller who leaves, in front of a chain of depth three on every target; the leaf's own words that it was stopped."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.scenarios.pushed_chain import TARGETS, PushedChain, pushing

CHAIN = """
import asyncio
from collections.abc import AsyncIterator

import chainctl as chains

SMALL = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))


class Leaf(chains.ChainletBase):
    remote_config = SMALL

    async def run_remote(self, seconds: float) -> str:
        print("leaf begins")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            print("leaf was stopped")
            raise
        print("leaf ends")
        return "slept"


class Middle(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, leaf: Leaf = chains.depends(Leaf)) -> None:
        self._leaf = leaf

    async def run_remote(self, seconds: float) -> str:
        return await self._leaf.run_remote(seconds)


@chains.mark_entrypoint("sleepers")
class Top(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, middle: Middle = chains.depends(Middle)) -> None:
        self._middle = middle

    async def run_remote(self, seconds: float) -> str:
        return await self._middle.run_remote(seconds)


class Drip(chains.ChainletBase):
    remote_config = SMALL

    async def run_remote(self, seconds: float) -> AsyncIterator[str]:
        try:
            yield "first "
            await asyncio.sleep(seconds)
            yield "last"
        finally:
            print("drip is over")


class Tap(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, drip: Drip = chains.depends(Drip)) -> None:
        self._drip = drip

    async def run_remote(self, seconds: float) -> AsyncIterator[str]:
        async for drop in self._drip.run_remote(seconds):
            yield drop
"""


@pytest.fixture(scope="module", params=TARGETS)
def sleepers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PushedChain]:
    """The chain on each target."""
    with pushing(tmp_path_factory.mktemp("cancel"), request.param) as push:
        yield push(CHAIN, f"t-cancel-{request.param}")


def stopped(chain: PushedChain) -> int:
    return chain.messages().count("leaf was stopped")


def test_a_closed_connection_stops_the_whole_tree(sleepers: PushedChain) -> None:
    """The leaf, two services away from the door, is told while it sleeps."""
    already, begun = stopped(sleepers), sleepers.messages().count("leaf begins")
    connection = sleepers.begun({"seconds": 60})
    sleepers.await_message("leaf begins", begun + 1)
    connection.close()
    sleepers.await_message("leaf was stopped", already + 1)


def test_one_caller_who_leaves_stops_nobody_else(sleepers: PushedChain) -> None:
    """Calls of others go on."""
    already, begun = stopped(sleepers), sleepers.messages().count("leaf begins")
    leaver, stayer = sleepers.begun({"seconds": 60}), sleepers.begun({"seconds": 3})
    sleepers.await_message("leaf begins", begun + 2)
    leaver.close()
    with stayer:
        assert b'"slept"' in read_until(stayer, b'"slept"')
    sleepers.await_message("leaf was stopped", already + 1)
    assert stopped(sleepers) == already + 1


def test_a_caller_who_ends_its_sending_side_counts_as_gone(sleepers: PushedChain) -> None:
    """Nothing tells one from the other before an answer is written."""
    already, begun = stopped(sleepers), sleepers.messages().count("leaf begins")
    with sleepers.begun({"seconds": 60}) as connection:
        sleepers.await_message("leaf begins", begun + 1)
        connection.shutdown(socket.SHUT_WR)
        sleepers.await_message("leaf was stopped", already + 1)


@pytest.mark.parametrize("target", TARGETS)
def test_a_caller_who_leaves_a_stream_ends_its_source(
    target: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The generator in the service behind the entrypoint runs its `finally`."""
    with pushing(tmp_path_factory.mktemp("tap"), target) as push:
        chain = push(CHAIN, f"t-tap-{target}", entrypoint="Tap")
        connection = chain.begun({"seconds": 60})
        read_until(connection, b"first ")
        connection.close()
        chain.await_message("drip is over")


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Return what came up to where something is in it. Fails at the end of the connection."""
    came = b""
    while wanted not in came:
        data = connection.recv(65536)
        assert data, came
        came += data
    return came

"""Traffic through a real front door: flipped under load, drained, and found again after restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chainctl.adapters.docker.doors import ContainerDoor
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.haproxy_config import DIRECTORY
from chainctl.adapters.docker.haproxy_control import door_state, flip, prepare
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE, route_text
from chainctl.adapters.docker.haproxy_state import DoorState
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.deploy.operations import EnsureFrontDoor, Route, SplitRoute
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError
from tests.docker.target_rig import (
    Answer,
    Load,
    Rig,
    call,
    engine,
    image,
    rig,
    service_at,
    waited_for,
)

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]
FLIPS = 10


def state_of(rig: Rig) -> DoorState:
    with Connection.opened(rig.engine) as connection:
        state = door_state(ContainerDoor(connection, f"{rig.chain}-door"))
    assert state is not None
    return state


def route_of(rig: Rig) -> str | None:
    door = rig.target.observe(rig.chain).front_door
    return door.route if door else None


@dataclass(frozen=True)
class Pair:
    """Two versions of one chainlet that both run behind a door; tests route to the first to begin with."""

    rig: Rig
    url: str
    first: ServiceSpec
    second: ServiceSpec


@pytest.fixture(scope="module")
def shared(engine: Engine, image: str) -> Iterator[Pair]:
    """One pair for all tests that leave it as it was."""
    rig = Rig(engine, image)
    first, second = rig.spec("Hello", "1"), rig.spec("Hello", "2")
    rig.start(first, second)
    yield Pair(rig, rig.open(), first, second)
    rig.sweep()


@pytest.fixture
def pair(shared: Pair) -> Pair:
    """The pair with the traffic at the first."""
    shared.rig.route(shared.first)
    return shared


def await_answers(load: Load, service: str) -> None:
    """Wait until a service has answered a few more calls of a load."""
    before = load.seen[f"ok {service}"]
    waited_for(lambda: load.seen[f"ok {service}"] > before + 20)


def test_flips_under_load_lose_nothing(pair: Pair) -> None:
    """Callers that keep their connections see only answers, while the route goes to and fro."""
    load = Load(pair.url)
    with load.running():
        for number in range(FLIPS):
            wanted = (pair.second, pair.first)[number % 2]
            pair.rig.route(wanted)
            await_answers(load, wanted.name)
    assert load.failures == {}
    assert sum(load.seen.values()) > 100 * FLIPS


@pytest.mark.alone
def test_a_split_gives_each_its_part_and_loses_nothing(pair: Pair) -> None:
    """By requests, though callers keep their connections; a flip to either ends it, counts begin anew."""
    load = Load(pair.url)
    with load.running():
        pair.rig.apply(SplitRoute(pair.rig.chain, pair.second.name, pair.first.name, 25, "test"))
        before = load.seen.copy()
        await_answers(load, pair.second.name)
        counted = pair.rig.target.traffic(pair.rig.chain)
        pair.rig.route(pair.first)
        after = load.seen.copy()
    seen = {name: after[f"ok {name}"] - before[f"ok {name}"] for name in (pair.first.name, pair.second.name)}
    assert load.failures == {}
    assert seen[pair.second.name] / sum(seen.values()) == pytest.approx(0.25, abs=0.1)
    old, new = counted[pair.first.name], counted[pair.second.name]
    assert new.answered / (old.answered + new.answered) == pytest.approx(0.25, abs=0.05)
    assert (old.failed, new.failed) == (0, 0)
    pair.rig.apply(SplitRoute(pair.rig.chain, pair.second.name, pair.first.name, 25, "test"))
    assert all(traffic.answered == 0 for traffic in pair.rig.target.traffic(pair.rig.chain).values())


@pytest.mark.alone
def test_a_door_that_restarts_in_a_split_leads_to_the_old_release(pair: Pair) -> None:
    """Only what was promoted is written down."""
    pair.rig.apply(SplitRoute(pair.rig.chain, pair.second.name, pair.first.name, 99, "test"))
    with pair.rig.engine.client() as client:
        client.restart(f"{pair.rig.chain}-door", timeout=1)
    assert waited_for(lambda: service_at(pair.url)) == pair.first.name
    assert {service_at(pair.url) for _ in range(20)} == {pair.first.name}
    assert route_of(pair.rig) == pair.first.name


@pytest.mark.alone
def test_the_way_back_to_a_warm_service_is_short(pair: Pair) -> None:
    """Its slot stays resolved and checked, so that the flip waits for nothing."""
    pair.rig.route(pair.second)
    slot = state_of(pair.rig).slot_of(pair.first.name)
    assert slot is not None
    waited_for(lambda: getattr(state_of(pair.rig).slot_of(pair.first.name), "status", "") == "DRAIN")
    begun = time.monotonic()
    pair.rig.route(pair.first)
    assert time.monotonic() - begun < 1.0
    assert state_of(pair.rig).slot_of(pair.first.name) is not None


def test_an_upgrade_under_load_loses_nothing(rig: Rig) -> None:
    """A whole push, with the old service drained, stopped and removed."""
    older, newer = rig.spec("Hello", "1"), rig.spec("Hello", "2")
    rig.push(rig.desired(older))
    load = Load(rig.url)
    with load.running():
        rig.push(rig.desired(newer))
    assert load.failures == {}
    assert {f"ok {older.name}", f"ok {newer.name}"} == set(load.seen)
    assert [s.name for s in rig.target.observe(rig.chain).services] == [newer.name]


def test_a_stream_under_way_is_finished(rig: Rig) -> None:
    """Stopping a service that has lost the traffic waits for what it still answers."""
    older, newer = rig.spec("Hello", "1"), rig.spec("Hello", "2")
    rig.start(older, newer)
    url = rig.open()
    rig.route(older)
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(call(url, "/stream?30")))
    caller.start()
    waited_for(lambda: any(slot.streams for slot in state_of(rig).slots))
    rig.route(newer)
    assert service_at(url) == newer.name
    assert not answers
    rig.stop(older)
    caller.join()
    assert answers[0].body.split() == [str(number).encode() for number in range(30)]
    assert all(slot.is_free for slot in state_of(rig).slots if not slot.is_serving)


@pytest.mark.alone
def test_a_restarted_door_has_its_route(pair: Pair) -> None:
    """What was flipped at run time is also written down."""
    pair.rig.route(pair.second)
    with pair.rig.engine.client() as client:
        client.restart(f"{pair.rig.chain}-door", timeout=1)
    assert waited_for(lambda: service_at(pair.url)) == pair.second.name
    assert route_of(pair.rig) == pair.second.name


def test_a_service_with_another_address_is_found(rig: Rig) -> None:
    """The door asks the engine's name server, so a moved service needs no operation."""
    spec = rig.spec()
    rig.start(spec)
    url = rig.open()
    rig.route(spec)
    network = f"chainctl-{rig.chain}"
    before = rig.inspect(spec.name)["NetworkSettings"]["Networks"][network]["IPAddress"]
    with rig.engine.client() as client:
        client.stop(spec.name, timeout=1)
        client.disconnect_container_from_network(spec.name, network)
        client.create_container(
            spec.image, name=f"{spec.name}-squatter", labels={"chainctl.chain": rig.chain}
        )
        client.connect_container_to_network(f"{spec.name}-squatter", network, ipv4_address=None)
        client.start(f"{spec.name}-squatter")
        client.connect_container_to_network(spec.name, network, aliases=[spec.name])
        client.start(spec.name)
    after = rig.inspect(spec.name)["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert before != after
    assert waited_for(lambda: service_at(url)) == spec.name


def test_a_flip_that_was_cut_off_is_done_again(pair: Pair) -> None:
    """Prepared, flipped, or written down only: each shows as no route, or the old one, and converges."""
    rig, url, first, second = pair.rig, pair.url, pair.first, pair.second
    door = f"{rig.chain}-door"
    own = next(slot.name for slot in state_of(rig).slots if slot.is_serving)
    other = next(slot.name for slot in state_of(rig).slots if slot.is_free)
    address = rig.inspect(second.name)["NetworkSettings"]["Networks"][f"chainctl-{rig.chain}"]["IPAddress"]
    with Connection.opened(rig.engine) as connection:
        running = ContainerDoor(connection, door)
        prepare(running, other, second.name, address)
        assert (route_of(rig), service_at(url)) == (first.name, first.name)
        flip(running, [other], [])
        assert route_of(rig) is None
        flip(running, [other], [own])
        assert route_of(rig) is None
        rig.route(second)
        assert (route_of(rig), service_at(url)) == (second.name, second.name)
        file = OwnedFile(ROUTE_FILE, 0o400, 99, route_text(first.name).encode())
        put_files(connection, door, str(DIRECTORY), [file])
    assert route_of(rig) is None
    assert [type(op) for op in rig.push(rig.desired(first, second)).operations][-1] is Route
    assert (route_of(rig), service_at(url)) == (second.name, second.name)


def test_a_route_to_what_does_not_run_is_refused(pair: Pair) -> None:
    """The traffic stays where it is."""
    with pytest.raises(DeployError, match="does not run, so it gets no traffic"):
        pair.rig.route(pair.rig.spec("Hello", "3"))
    assert (route_of(pair.rig), service_at(pair.url)) == (pair.first.name, pair.first.name)


def test_a_door_answers_for_nobody_and_speaks_for_the_chain(rig: Rig) -> None:
    """Without a route its error says when to come again; with one, forged headers of ours are dropped."""
    spec = rig.spec()
    rig.start(spec)
    url = rig.open()
    answer = call(url)
    assert (answer.status, answer.json["error"]["kind"]) == (503, "service_down")
    assert (answer.headers["retry-after"], answer.headers["x-chainctl-not-started"]) == ("1", "1")
    rig.route(spec)
    forged = {"X-Chainctl-Token": "a", "x-chainctl-other": "b", "X_Chainctl_Token": "c", "x-mine": "d"}
    said = call(url, headers=forged).json["headers"]
    seen = {name: value for name, value in said.items() if name.startswith("x")}
    assert seen.pop("x-forwarded-for")
    token = rig.vault.token(rig.chain).lower()
    assert seen == {
        "x-chainctl-token": token,
        "x-chainctl-door": "1",
        "x-forwarded-proto": "http",
        "x-mine": "d",
    }


@pytest.mark.alone
def test_a_door_that_was_stopped_or_only_made_comes_back(rig: Rig) -> None:
    """With the same port and the route that it had."""
    spec = rig.spec()
    rig.push(rig.desired(spec))
    url = rig.url
    with rig.engine.client() as client:
        client.stop(f"{rig.chain}-door", timeout=1)
    door = rig.target.observe(rig.chain).front_door
    assert door is not None
    assert (door.status is ServiceStatus.RUNNING, door.route, door.url) == (False, spec.name, url)
    (operation,) = rig.push(rig.desired(spec)).operations
    assert isinstance(operation, EnsureFrontDoor)
    assert (rig.url, waited_for(lambda: service_at(url))) == (url, spec.name)
    assert rig.inspect(f"{rig.chain}-door")["HostConfig"]["RestartPolicy"]["Name"] == "always"

"""A front door that is a service of a swarm: flipped under load, restarted, changed, and moved to and fro."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chainctl.adapters.docker.doors import Doors
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.front_door_route import closed
from chainctl.adapters.docker.haproxy_control import close
from chainctl.adapters.docker.labels import door_name, network_name
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.swarm.door_tasks import front_doors
from chainctl.adapters.swarm.labels import DOOR_LABEL
from chainctl.adapters.swarm.nodes import node_here
from chainctl.adapters.swarm.services import find_service
from chainctl.adapters.swarm.tasks import tasks_of
from chainctl.deploy.door_config import PEER_PORT
from chainctl.deploy.operations import EnsureFrontDoor, SplitRoute
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import FrontDoor, SecretRef, ServiceSpec
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError
from tests.docker.swarm_rig import SwarmRig, engine, image, swarm, swarm_rig
from tests.docker.target_rig import Answer, Load, call, service_at, waited_for

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "swarm", "swarm_rig"]
DOOR = FrontDoor(bind="0.0.0.0")
HERE = FrontDoor()


class Served:
    """A chain of two versions behind a door on every node; tests leave the traffic at the first."""

    def __init__(self, rig: SwarmRig) -> None:
        self.rig = rig
        self.first: ServiceSpec = rig.spec("Hello", "1")
        self.second: ServiceSpec = rig.spec("Hello", "2")

    @property
    def answers(self) -> str | None:
        return service_at(self.rig.url)


@pytest.fixture(scope="module")
def made(swarm: Engine, image: str) -> Iterator[Served]:
    """One chain for all tests that leave it as it was."""
    served = Served(SwarmRig(swarm, image))
    served.rig.start(served.first, served.second)
    served.rig.open(DOOR)
    served.rig.route(served.first)
    yield served
    served.rig.sweep()


@pytest.fixture
def served(made: Served) -> Served:
    """The chain as it was, whatever the test before did."""
    made.rig.open(DOOR)
    made.rig.route(made.first)
    return made


def door_task(rig: SwarmRig) -> Any:
    """Return the task that is the door of the only node."""
    with Connection.opened(rig.engine) as connection:
        return next(t for t in tasks_of(connection, [door_name(rig.chain)]) if t.is_running)


@contextmanager
def listening() -> Iterator[int]:
    """Have somebody else at a port of all addresses."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_flips_and_splits_under_load_lose_nothing(served: Served) -> None:
    """As with the one container: no task is replaced, and callers keep their connections."""
    rig, task = served.rig, door_task(served.rig).id
    load = Load(rig.url)
    with load.running():
        rig.route(served.second)
        rig.apply(SplitRoute(rig.chain, served.first.name, served.second.name, 25, "test"))
        waited_for(lambda: load.seen[f"ok {served.first.name}"] > 100)
        door = rig.target.observe(rig.chain).front_door
        counted = rig.target.traffic(rig.chain)
        rig.route(served.first)
    assert load.failures == {}
    assert door is not None
    assert (door.route, door.canary, door.status) == (
        served.second.name,
        served.first.name,
        ServiceStatus.RUNNING,
    )
    assert min(counted[one.name].answered for one in (served.first, served.second)) > 0
    assert door_task(rig).id == task
    assert served.answers == served.first.name


def test_a_door_that_is_killed_comes_back_with_the_last_route(served: Served) -> None:
    """What Swarm starts reads it from the service; meanwhile services are asked through a container of their own."""
    rig = served.rig
    rig.route(served.second)
    before = door_task(rig)
    with rig.engine.client() as client:
        client.kill(before.container)
    said = json.loads(rig.target.ask(rig.chain, served.second.name, "/-/spans"))
    assert said["service"] == served.second.name
    assert waited_for(lambda: service_at(f"http://127.0.0.1:{rig.url.rpartition(':')[2]}"), 30)
    assert served.answers == served.second.name
    assert door_task(rig).id != before.id
    seen = rig.target.observe(rig.chain)
    assert seen.front_door is not None
    assert seen.front_door.route == served.second.name
    mine = {"label": [f"chainctl.chain={rig.chain}", "chainctl.role=helper"]}
    with rig.engine.client() as client:
        assert client.containers(all=True, filters=mine) == []


def test_only_doors_reach_the_control_of_doors(served: Served) -> None:
    """A service of the chain is refused at each address that it can name, and can not even name the others'."""
    rig, task = served.rig, door_task(served.rig)
    with Connection.opened(rig.engine) as connection:
        service = find_service(connection, served.first.name, rig.chain)
        assert service is not None
        container = next(t.container for t in tasks_of(connection, [service.id]) if t.is_running)
        script = "import socket,sys; s=socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); "
        script += "s.sendall(b'show info\\n'); print('said', s.recv(100))"
        said = [
            run_in(connection, container, ["python3", "-c", script, address, str(PEER_PORT)])
            for address in task.addresses.values()
        ]
        with front_doors(connection, rig.chain) as doors:
            assert "Name: HAProxy" in doors.running()[0].ask("show info")
    assert len(said) == 2
    assert not any("HAProxy" in one for one in said), said


def test_a_key_is_rotated_and_told_to_nobody(swarm_rig: SwarmRig) -> None:
    """Tasks are replaced, the route stays; neither the service nor a container shows a value."""
    rig = swarm_rig
    spec: ServiceSpec = rig.spec()
    rig.start(spec)
    rig.secrets["api_key"] = b"older key\n"
    door = replace(DOOR, api_key=SecretRef("api_key", "f1"))
    url = rig.open(door)
    rig.route(spec)
    assert call(url).status == 401
    assert call(url, headers={"x-api-key": "older key"}).status == 200
    rig.secrets["api_key"] = b"newer-key"
    rig.open(replace(door, api_key=SecretRef("api_key", "f2")))
    assert call(url, headers={"x-api-key": "older key"}).status == 401
    assert call(url, headers={"authorization": "Bearer newer-key"}).json["service"] == spec.name
    with rig.engine.client() as opened:
        client: Any = opened
        shown = [client.inspect_service(door_name(rig.chain)), rig.inspect(door_task(rig).container)]
    text = json.dumps(shown)
    assert "newer-key" not in text
    assert rig.vault.token(rig.chain) not in text
    assert sum("chainctl-" in name for name in rig.objects()) <= 5
    rig.down()
    assert (rig.leftovers(), rig.objects()) == ([], [])


@pytest.mark.parametrize(
    ("door", "why"),
    [
        (replace(DOOR, tls=SecretRef("tls", "f1")), "tls.pem"),
        (replace(DOOR, image="python:3.11-slim"), "haproxy"),
    ],
    ids=["certificate", "image"],
)
def test_settings_that_haproxy_refuses_change_nothing(served: Served, door: FrontDoor, why: str) -> None:
    """A trial finds out before the running door is touched."""
    task = door_task(served.rig).id
    with pytest.raises(DeployError, match="HAProxy refuses the settings") as caught:
        served.rig.open(door)
    assert why in " ".join(caught.value.details)
    assert door_task(served.rig).id == task
    assert served.answers == served.first.name


def test_a_port_that_is_taken_on_a_node_is_named_and_the_old_one_kept(served: Served) -> None:
    """Swarm starts the new task in vain, and goes back by itself."""
    url = served.rig.url
    with listening() as port, pytest.raises(DeployError, match=f"Port {port} on 0.0.0.0 is taken"):
        served.rig.open(replace(DOOR, port=port))
    assert waited_for(lambda: service_at(url), 30) == served.first.name
    seen = served.rig.target.observe(served.rig.chain).front_door
    assert seen is not None
    assert (seen.url, seen.digest) == (url, DOOR.digest)


def test_it_is_moved_to_one_container_and_back_with_port_and_route(served: Served) -> None:
    """Where the move fails, what was there serves again."""
    rig, url = served.rig, served.rig.url
    with listening() as port, pytest.raises(DeployError, match="is taken"):
        rig.open(replace(HERE, port=port))
    assert waited_for(lambda: service_at(url), 30) == served.first.name
    assert rig.open(HERE) == url
    assert served.answers == served.first.name
    with rig.engine.client() as client:
        assert f"{door_name(rig.chain)}-control" not in [n["Name"] for n in client.networks()]
    with listening() as port, pytest.raises(DeployError, match="is taken"):
        rig.open(replace(DOOR, port=port))
    assert waited_for(lambda: service_at(url), 30) == served.first.name
    assert rig.open(DOOR) == url
    assert served.answers == served.first.name
    with rig.engine.client() as client:
        assert door_name(rig.chain) not in str([c["Names"] for c in client.containers(all=True)]).split("'")


def test_a_move_that_was_cut_off_is_taken_up(served: Served) -> None:
    """With both forms there a door is not as wanted, and making it so leaves one."""
    rig, url = served.rig, served.rig.url
    with rig.engine.client() as client:
        labels = {"chainctl.chain": rig.chain, "chainctl.role": "door"}
        client.create_container("haproxy:lts", name=door_name(rig.chain), labels=labels)
    seen = rig.target.observe(rig.chain)
    assert seen.front_door is not None
    assert seen.front_door.digest == ""
    wanted = rig.desired(served.first, served.second, door=DOOR, entrypoint=served.first.name)
    assert [type(op) for op in reconcile(wanted, seen).operations][:1] == [EnsureFrontDoor]
    rig.open(DOOR)
    assert (rig.url, served.answers) == (url, served.first.name)
    with rig.engine.client() as client:
        assert client.containers(all=True, filters={"name": f"^/{door_name(rig.chain)}$"}) == []


def test_doors_that_were_closed_by_somebody_who_was_cut_off_are_opened(served: Served) -> None:
    """They are not as wanted, and making them so opens them."""
    rig, url = served.rig, served.rig.url
    with Connection.opened(rig.engine) as connection, front_doors(connection, rig.chain) as doors:
        with pytest.raises(KeyboardInterrupt):
            interrupted_while_closed(doors, url)
        assert service_at(url) == served.first.name
        close(doors.running()[0])
    seen = rig.target.observe(rig.chain).front_door
    assert seen is not None
    assert (seen.digest, service_at(url)) == ("", None)
    rig.open(DOOR)
    assert service_at(url) == served.first.name


def interrupted_while_closed(doors: Doors, url: str) -> None:
    with closed(doors, 1.0):
        assert waited_for(lambda: service_at(url) is None)
        raise KeyboardInterrupt


def test_requests_wait_in_the_doors_of_a_chain_that_sleeps(swarm_rig: SwarmRig) -> None:
    """What all of them hold is counted together, and one that is held ends the wait."""
    rig = swarm_rig
    spec: ServiceSpec = rig.spec()
    rig.start(spec)
    url = rig.open(replace(DOOR, holds=True))
    assert rig.target.loads(rig.chain, [spec.name], within_sec=0.1).held == 0
    answers: list[Answer] = []
    callers = [threading.Thread(target=lambda: answers.append(call(url))) for _ in range(2)]
    for caller in callers:
        caller.start()
    assert waited_for(lambda: rig.target.loads(rig.chain, [spec.name], within_sec=20).held == 2)
    rig.route(spec)
    for caller in callers:
        caller.join(30)
    assert [answer.status for answer in answers] == [200, 200]
    loads = rig.target.loads(rig.chain, [spec.name])
    assert (loads.held, loads.services[spec.name].replicas) == (0, 1)


def test_a_node_with_the_label_has_no_door(swarm_rig: SwarmRig) -> None:
    """Where no other node is left that is said, and nothing is made."""
    rig = swarm_rig
    rig.start()
    with Connection.opened(rig.engine) as connection:
        node = node_here(connection)
    with labelled(rig, node), pytest.raises(DeployError, match="No node of the swarm takes a front door"):
        rig.open(DOOR)
    assert rig.target.observe(rig.chain).front_door is None


@contextmanager
def labelled(rig: SwarmRig, node: str) -> Iterator[None]:
    """Keep doors away from a node for a while."""
    with rig.engine.client() as opened:
        client: Any = opened
        before = client.inspect_node(node)["Spec"]

        def put(labels: dict[str, str]) -> None:
            version = client.inspect_node(node)["Version"]["Index"]
            client.update_node(node, version=version, node_spec={**before, "Labels": labels})

        put({**(before.get("Labels") or {}), DOOR_LABEL: "no"})
        try:
            yield
        finally:
            put(before.get("Labels") or {})


def test_a_door_without_traffic_says_so(swarm_rig: SwarmRig) -> None:
    """And is reached on the node's other addresses too."""
    swarm_rig.start()
    url = swarm_rig.open(DOOR)
    with swarm_rig.engine.client() as client:
        gateway = client.inspect_network("bridge")["IPAM"]["Config"][0].get("Gateway", "127.0.0.1")
    port = int(url.rpartition(":")[2])
    connection = http.client.HTTPConnection(gateway, port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 503
    connection.close()
    assert network_name(swarm_rig.chain) in door_task(swarm_rig).addresses

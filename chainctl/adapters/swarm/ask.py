"""A service and a request in; its answer, asked for from within the chain's network, out.

Tasks run on any node, where nothing reaches into them. So a container of this node that is in the network
carries the request: the door, or one that is made for it and goes again.
"""

from __future__ import annotations

import http.client
import io
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from chainctl.adapters.docker.control import FramedWire
from chainctl.adapters.docker.front_door_body import USER_ID
from chainctl.adapters.docker.front_door_image import require_image
from chainctl.adapters.docker.labels import ROLE, chain_labels, door_name, network_name
from chainctl.adapters.docker.services_body import confinement
from chainctl.adapters.docker.session_connection import SessionUnavailableError, attached
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, find_own, remove, start
from chainctl.adapters.swarm.labels import HELPER_ROLE
from chainctl.adapters.swarm.places import replica_task
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.release import FrontDoor
from chainctl.errors import DeployError
from chainctl.events import Event

_RELAY = 'exec 3<>"/dev/tcp/$1/$2" && head -c "$3" >&3 && cat <&3'
_IDLE = ["bash", "-c", "exec sleep 600"]
_MEMORY = 32 << 20
_ASK_SEC = 10.0
_SHOWN = 200
_OK = 200


def ask_replica(connection: Connection, chain: str, name: str, path: str, token: str) -> bytes:
    """Return what a replica, by its own name, answers to GET. Raises DeployError for any answer but 200."""
    status, body = _exchange(connection, chain, name, _request("GET", path, token), _ASK_SEC)
    if status != _OK:
        details = [f"{status} {body[:_SHOWN].decode(errors='replace')}".strip()]
        raise DeployError(f"{name} did not answer GET {path}", details=details)
    return body


def call_replica(
    connection: Connection, chain: str, name: str, body: bytes, timeout_sec: float, token: str
) -> tuple[int, bytes]:
    """Call `run_remote` with JSON; returns the status, 0 for no answer, and the body.

    Raises DeployError when the service is not there.
    """
    return _exchange(connection, chain, name, _request("POST", "/run_remote", token, body), timeout_sec)


def _exchange(
    connection: Connection, chain: str, name: str, request: bytes, within_sec: float
) -> tuple[int, bytes]:
    task = replica_task(connection, chain, name)
    if task is None:
        raise DeployError(f"The service {name} is not running", hint="push again")
    with _in_network(connection, chain) as container:
        said = _relayed(connection, container, task.address(chain), request, within_sec)
    return _parsed(said, within_sec)


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """The token is in no argument: the request is what the relay reads."""
    head = [
        f"{method} {path} HTTP/1.1",
        f"host: localhost:{SERVICE_PORT}",
        f"x-chainctl-token: {token}",
        "connection: close",
        *([f"content-type: application/json\r\ncontent-length: {len(body)}"] if body else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def _relayed(
    connection: Connection, container: str, address: str, request: bytes, within_sec: float
) -> bytes:
    """Return all that comes back until the service closes, or time is up."""
    command = ["bash", "-c", _RELAY, "-", address, str(SERVICE_PORT), str(len(request))]
    try:
        with connection.changing(f"run a command in {container}"):
            made = connection.client.exec_create(container, command, stdin=True)
            session = attached(connection.client, made["Id"])
    except SessionUnavailableError as error:
        raise DeployError(f"{container} can not be reached: the engine answers {error}") from error
    wire = FramedWire(session)
    timer = threading.Timer(within_sec, wire.cut)
    timer.start()
    answer = bytearray()
    try:
        with closing(wire), suppress(OSError, ValueError):  # what was cut gives what has come
            wire.send(request)
            while data := wire.receive():
                answer += data
    finally:
        timer.cancel()
        timer.join()
    return bytes(answer)


def _parsed(said: bytes, within_sec: float) -> tuple[int, bytes]:
    if not said.startswith(b"HTTP/"):
        return 0, said.strip() or f"no answer within {within_sec:g} s".encode()
    answer = http.client.HTTPResponse(_Received(said))  # type: ignore[arg-type]  # it only makes a file of it
    try:
        answer.begin()
        return answer.status, answer.read()
    except (http.client.HTTPException, ValueError) as error:
        return 0, f"no whole answer: {error}".encode()


class _Received:
    """Stands for a socket of which all was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@contextmanager
def _in_network(connection: Connection, chain: str) -> Iterator[str]:
    """Yield a container that is in the chain's network: its door, or one that is there as long as it is needed."""
    door = find_own(connection, door_name(chain), chain)
    if door is not None and door.is_running:
        yield door.id
        return
    image = FrontDoor().image
    require_image(connection, image, _ignored)
    name = f"{door_name(chain)}-helper-{uuid.uuid4().hex[:8]}"
    body: dict[str, object] = {
        "Image": image,
        "Cmd": _IDLE,
        "User": f"{USER_ID}:{USER_ID}",
        "Labels": {**chain_labels(chain), ROLE: HELPER_ROLE},
        "HostConfig": {
            **confinement(),
            "NetworkMode": network_name(chain),
            "Memory": _MEMORY,
            "MemorySwap": _MEMORY,
            "PidsLimit": 16,
        },
        "NetworkingConfig": {"EndpointsConfig": {network_name(chain): {}}},
    }
    create(connection, name, body)
    try:
        start(connection, name)
        yield name
    finally:
        remove(connection, name)


def _ignored(_event: Event) -> None:
    """An image that is fetched on the way is nothing to tell of."""

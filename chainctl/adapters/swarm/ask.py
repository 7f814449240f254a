"""A service and a request in; its answer, asked for from within the chain's network, out.

Tasks run on any node, where nothing reaches into them. So a container of this node that is in the network
carries the request: the door, or one that is made for it and goes again.
"""

from __future__ import annotations

import http.client
import io

from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.inside import Inside
from chainctl.adapters.swarm.places import replica_task
from chainctl.calls.address import SERVICE_PORT
from chainctl.errors import DeployError

_RELAY = 'exec 3<>"/dev/tcp/$1/$2" && head -c "$3" >&3 && cat <&3'
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
    command = ["bash", "-c", _RELAY, "-", task.address(chain), str(SERVICE_PORT), str(len(request))]
    with Inside(connection, chain) as inside:
        said = inside.feed(command, request, within_sec)
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

"""A service's socket and a path in; what the service answers there out."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from chainctl.adapters.local.private_directory import checked_socket
from chainctl.errors import DeployError

ANSWER_SEC = 10.0
_SHOWN = 200
_OK = 200


def ask_service(path_of_socket: Path, service: str, path: str, token: str) -> bytes:
    """Return the body. Raises DeployError when the service is not there or does not answer with 200."""
    connection = _UnixConnection(path_of_socket)
    try:
        connection.request("GET", path, headers={"x-chainctl-token": token})
        answer = connection.getresponse()
        body = answer.read()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise DeployError(f"The service {service} is not running", hint="push again") from error
    except (OSError, http.client.HTTPException) as error:
        raise DeployError(f"{service} did not answer GET {path}", details=[str(error)]) from error
    finally:
        connection.close()
    if answer.status != _OK:
        said = f"{answer.status} {body[:_SHOWN].decode(errors='replace')}"
        raise DeployError(f"{service} did not answer GET {path}", details=[said])
    return body


def call_service(
    path_of_socket: Path, service: str, body: bytes, token: str, timeout_sec: float
) -> tuple[int, bytes]:
    """Call `run_remote` with JSON; returns the status, 0 for no answer, and the body.

    Raises DeployError when the service is not there.
    """
    connection = _UnixConnection(path_of_socket, timeout_sec)
    headers = {"content-type": "application/json", "x-chainctl-token": token}
    try:
        connection.request("POST", "/run_remote", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise DeployError(f"The service {service} is not running", hint="push again") from error
    except (OSError, http.client.HTTPException) as error:
        return 0, f"no answer: {type(error).__name__}: {error}".encode()
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket of a service."""

    def __init__(self, path: Path, timeout_sec: float = ANSWER_SEC) -> None:
        super().__init__("localhost", timeout=timeout_sec)
        self._path = path
        self._timeout_sec = timeout_sec

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_sec)
        self.sock.connect(str(checked_socket(self._path)))

"""A service and a path in; what the service answers there, asked from within its container, out."""

from __future__ import annotations

import base64

from chainctl.adapters.docker.labels import INTERCEPT
from chainctl.adapters.docker.services_body import PROBE
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find_own
from chainctl.adapters.docker.target_exec import NO_ANSWER, run_in
from chainctl.errors import DeployError

_SHOWN = 200
BODY_LIMIT = 90_000
"""Bytes of a call's body: it travels as an argument, of which Linux takes 128 KiB."""
_GRACE_SEC = 10


def ask_service(connection: Connection, chain: str, service: str, path: str) -> bytes:
    """Return the body. Raises DeployError when the service is not there or does not answer with 200."""
    container = find_own(connection, service, chain)
    if container is None or not container.is_running:
        raise DeployError(f"The service {service} is not running", hint="push again")
    if INTERCEPT in container.labels:
        raise DeployError(f"{service} is not here: it is intercepted by {container.labels[INTERCEPT]}")
    said = run_in(connection, container.id, [container.command, "-I", PROBE, path])
    status, _, body = said.partition(" ")
    if said.startswith(NO_ANSWER) or status != "200":
        raise DeployError(f"{service} did not answer GET {path}", details=[said[:_SHOWN].strip()])
    return body.removesuffix("\n").encode()


def call_service(
    connection: Connection, chain: str, service: str, body: bytes, timeout_sec: float
) -> tuple[int, bytes]:
    """Call `run_remote` with JSON; returns the status, 0 for no answer, and the body.

    Raises DeployError when the service is not there.
    """
    container = find_own(connection, service, chain)
    if container is None or not container.is_running:
        raise DeployError(f"The service {service} is not running", hint="push again")
    if len(body) > BODY_LIMIT:
        raise DeployError(
            f"the call has {len(body)} bytes, of which {BODY_LIMIT} can be sent to a release without traffic",
            hint="test it with less, or without `gate`: then it is called through the front door.",
        )
    connection.client.timeout = round(timeout_sec) + _GRACE_SEC
    text = base64.b64encode(body).decode()
    said = run_in(
        connection, container.id, [container.command, "-I", PROBE, "/run_remote", text, str(timeout_sec)]
    )
    status, _, rest = said.partition(" ")
    is_answer = status.isdecimal() and not said.startswith(NO_ANSWER)
    return (int(status), rest.removesuffix("\n").encode()) if is_answer else (0, said.strip().encode())

"""A service and a path in; what the service answers there, asked from within its container, out."""

from __future__ import annotations

from chainctl.adapters.docker.services_body import PROBE
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find_own
from chainctl.adapters.docker.target_exec import NO_ANSWER, run_in
from chainctl.errors import DeployError

_SHOWN = 200


def ask_service(connection: Connection, chain: str, service: str, path: str) -> bytes:
    """Return the body. Raises DeployError when the service is not there or does not answer with 200."""
    container = find_own(connection, service, chain)
    if container is None or not container.is_running:
        raise DeployError(f"The service {service} is not running", hint="push again")
    said = run_in(connection, container.id, [container.command, "-I", PROBE, path])
    status, _, body = said.partition(" ")
    if said.startswith(NO_ANSWER) or status != "200":
        raise DeployError(f"{service} did not answer GET {path}", details=[said[:_SHOWN].strip()])
    return body.removesuffix("\n").encode()

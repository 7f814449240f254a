"""Names and create bodies of containers in; the containers on one engine changed and found out."""

from __future__ import annotations

from collections.abc import Mapping

from chainctl.adapters.docker.labels import CHAIN
from chainctl.adapters.docker.observe_container import KEEPS_RUNNING, Container
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import DeployError

Body = dict[str, object]
"""What POST /containers/create takes."""


def find(connection: Connection, name: str) -> Container | None:
    """Return a container by name or id, None when there is none."""
    from docker.errors import NotFound

    with connection.reading(f"inspect {name}"):
        try:
            said = connection.client.inspect_container(name)
        except NotFound:
            return None
    return Container.of(said)


def find_own(connection: Connection, name: str, chain: str) -> Container | None:
    """Return a container of the chain. Raises DeployError when the name is somebody else's."""
    container = find(connection, name)
    if container is None or container.chain == chain:
        return container
    raise DeployError(
        f"A container named {name} exists that does not belong to {chain}",
        hint=f"rename it with `docker rename {name} OTHER`, then push again",
    )


def of_chain(connection: Connection, chain: str) -> list[Container]:
    """Return every container of a chain, running or not, sorted by name."""
    with connection.reading(f"list the containers of {chain}"):
        listed = connection.client.containers(all=True, quiet=True, filters={"label": f"{CHAIN}={chain}"})
    found = (find(connection, one["Id"]) for one in listed)
    return sorted((c for c in found if c is not None), key=lambda c: c.name)


def create(connection: Connection, name: str, body: Body) -> None:
    """Make a container without starting it. Raises DeployError."""
    with connection.changing(f"create {name}"):
        connection.client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]  # so in types-docker


def start(connection: Connection, name: str) -> None:
    """Start a container. Raises DeployError."""
    with connection.changing(f"start {name}"):
        connection.client.start(name)


def stop(connection: Connection, name: str, grace_sec: float) -> None:
    """Ask a container to end, and end it after the grace; one that is gone has ended."""
    from docker.errors import NotFound

    with connection.changing(f"stop {name}"):
        try:
            connection.client.stop(name, timeout=round(grace_sec))
        except NotFound:
            return


def remove(connection: Connection, name: str) -> None:
    """Remove a container at once, running or not, if there is one."""
    from docker.errors import APIError, NotFound

    with connection.changing(f"remove {name}"):
        try:
            connection.client.remove_container(name, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if "already in progress" not in str(error.explanation):
                raise


def rename(connection: Connection, name: str, new_name: str) -> None:
    with connection.changing(f"rename {name}"):
        connection.client.rename(name, new_name)


def signal(connection: Connection, name: str, number: str) -> None:
    """Send a signal to a container; one that ended since it was looked at, or is gone, hears nothing."""
    from docker.errors import APIError, NotFound

    with connection.changing(f"signal {name}"):
        try:
            connection.client.kill(name, number)
        except NotFound:
            return
        except APIError as error:
            if "is not running" not in str(error.explanation):
                raise


def keep_running(connection: Connection, name: str) -> None:
    """Let the engine restart a container from now on, after crashes and after its own restart."""
    with connection.changing(f"keep {name} running"):
        connection.client.update_container(name, restart_policy=_POLICY)  # type: ignore[arg-type]  # the stubs lack "unless-stopped"


def last_lines(connection: Connection, name: str, count: int) -> list[str]:
    """Return the last lines that a container wrote, [] when it is gone."""
    from docker.errors import NotFound

    with connection.reading(f"read the log of {name}"):
        try:
            said = connection.client.logs(name, tail=count)
        except NotFound:
            return []
    return said.decode(errors="replace").splitlines()


_POLICY: Mapping[str, str] = {"Name": KEEPS_RUNNING}

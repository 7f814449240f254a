"""An Engine in; a connection to it out, if it is a manager of a swarm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import ChainctlError, DeployError, EngineError

_NO_MANAGER = "not a swarm manager"


@contextmanager
def opened(engine: Engine) -> Iterator[Connection]:
    """Open a connection. Raises EngineError with what to do when the engine manages no swarm."""
    with Connection.opened(engine) as connection:
        try:
            yield connection
        except (EngineError, DeployError) as error:
            if _NO_MANAGER not in error.message:
                raise
            raise no_manager(engine) from error


def no_manager(engine: Engine) -> ChainctlError:
    return EngineError(
        f"The engine {engine.address.url} is no manager of a swarm",
        hint="name a manager in DOCKER_HOST, or begin a swarm with `docker swarm init`",
    )

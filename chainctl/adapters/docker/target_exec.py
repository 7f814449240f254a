"""A command and the container to run it in, in; what it wrote out."""

from __future__ import annotations

from collections.abc import Sequence

from chainctl.adapters.docker.engine_error import refusal
from chainctl.adapters.docker.target_connection import Connection

NO_ANSWER = "no answer: "


def run_in(connection: Connection, container: str, command: Sequence[str]) -> str:
    """Run a command in a container and return its output, both streams together.

    What can not be run, because the container is gone or has ended, gives NO_ANSWER and why.
    """
    from docker.errors import APIError

    with connection.reading(f"run a command in {container}"):
        try:
            made = connection.client.exec_create(container, list(command))
            said = connection.client.exec_start(made["Id"])
        except APIError as error:
            return NO_ANSWER + refusal(error)
    return said.decode(errors="replace")

"""The name of a front door's image in; the image on the engine, pulled when it is not there, out."""

from __future__ import annotations

from chainctl.adapters.docker.engine_error import refusal
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import DeployError
from chainctl.events import Emit, Notice


def require_image(connection: Connection, image: str, emit: Emit) -> None:
    """Pull an image unless the engine has it. Raises DeployError when it can not be had."""
    from docker.errors import APIError

    if _has_image(connection, image):
        return
    emit(Notice(f"The engine pulls {image} for the front door"))
    with connection.reading(f"pull {image}"):
        try:
            for line in connection.client.pull(image, stream=True, decode=True):
                if "error" in line:
                    raise _unavailable(image, str(line["error"]))
        except APIError as error:
            raise _unavailable(image, refusal(error)) from error


def _has_image(connection: Connection, image: str) -> bool:
    from docker.errors import NotFound

    with connection.reading(f"inspect the image {image}"):
        try:
            connection.client.inspect_image(image)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return False
    return True


def _unavailable(image: str, reason: str) -> DeployError:
    return DeployError(
        f"The front door's image {image} is not on the engine and can not be pulled: {reason}",
        hint=f"load it with `docker pull {image}` or `docker load`, then push again",
    )

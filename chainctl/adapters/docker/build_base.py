"""An image's base in; the base on the engine out: the locked one, pulled only when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from chainctl.adapters.docker.build_failure import base_changed, base_unavailable
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_error import refusal
from chainctl.build.plan import ImagePlan
from chainctl.events import BuildStepped, Emit

if TYPE_CHECKING:
    from docker import APIClient


def require_base(engine: Engine, client: APIClient, image: ImagePlan, emit: Emit) -> None:
    """Pull the base image unless the engine has it. Raises BuildError when the planned one can not be had.

    Both builders would pull it too, but BuildKit, asked like this, can not log in to a registry.
    """
    if image.base_image == "scratch":
        return
    found = _id_of(engine, client, image.base_image)
    if not found:
        emit(BuildStepped(image.chainlet, f"pull {image.base_image}"))
        for reason in pull_errors(engine, client, image.base_image):
            raise base_unavailable(image.chainlet, image.base_image, reason)
        found = _id_of(engine, client, image.base_image)
    if image.base_id and found != image.base_id:
        raise base_changed(image.chainlet, image.base_image, locked=image.base_id, found=found)


def _id_of(engine: Engine, client: APIClient, name: str) -> str:
    """The id of an image that the engine has, or ""."""
    from docker.errors import NotFound

    with engine.errors(f"inspect the image {name}"):
        try:
            return str(client.inspect_image(name)["Id"])  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return ""


def pull_errors(engine: Engine, client: APIClient, name: str) -> Iterator[str]:
    """Pull an image; yield why it cannot be had."""
    from docker.errors import APIError

    with engine.errors(f"pull the image {name}"):
        try:
            with closing(client.pull(name, stream=True, decode=True)) as lines:
                yield from (str(line["error"]) for line in lines if "error" in line)
        except APIError as error:
            yield refusal(error)

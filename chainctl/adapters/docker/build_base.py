"""An image's base in; the base on the engine out, pulled only when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from chainctl.adapters.docker.build_failure import base_of_another_platform, base_unavailable
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_error import refusal
from chainctl.build.plan import ImagePlan
from chainctl.events import BuildStepped, Emit

if TYPE_CHECKING:
    from docker import APIClient


def require_base(engine: Engine, client: APIClient, image: ImagePlan, emit: Emit) -> None:
    """Pull the base image unless the engine has it for the image's platform.

    Raises BuildError when it can not be had. Both builders would pull it too, but BuildKit, asked
    like this, can not log in to a registry.
    """
    name = image.base_image
    if name == "scratch":
        return
    there = _platform_of(engine, client, name)
    wanted = image.platform or _own_platform(engine, client, there)
    if there and _fits(there, wanted):
        return
    emit(BuildStepped(image.chainlet, f"pull {name}"))
    for reason in _pull_errors(engine, client, name, image.platform or None):
        if there:
            raise base_of_another_platform(image.chainlet, name, there, wanted, reason)
        raise base_unavailable(image.chainlet, name, reason)
    pulled = wanted and _platform_of(engine, client, name)
    if pulled and not _fits(pulled, wanted):
        raise base_of_another_platform(image.chainlet, name, pulled, wanted)


def _own_platform(engine: Engine, client: APIClient, base: str | None) -> str:
    """Return the engine's platform where a base on it is to be compared with that, else ""."""
    if base is None or base.endswith("/"):
        return ""
    with engine.errors("name its platform"):
        said = client.version()
    return f"{said['Os']}/{said['Arch']}"


def _fits(platform: str, wanted: str) -> bool:
    """Compare without the variant; an image that names no platform fits any."""
    return platform.endswith("/") or platform.split("/")[:2] == wanted.split("/")[:2]


def _platform_of(engine: Engine, client: APIClient, name: str) -> str | None:
    """Return the platform of an image, None when the engine has no such image."""
    from docker.errors import NotFound

    with engine.errors(f"inspect the image {name}"):
        try:
            said = client.inspect_image(name)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return None
    return f"{said.get('Os') or 'linux'}/{said.get('Architecture') or ''}"


def _pull_errors(engine: Engine, client: APIClient, name: str, platform: str | None) -> Iterator[str]:
    from docker.errors import APIError

    with engine.errors(f"pull the image {name}"):
        try:
            with closing(client.pull(name, stream=True, decode=True, platform=platform)) as lines:
                yield from (str(line["error"]) for line in lines if "error" in line)
        except APIError as error:
            yield refusal(error)

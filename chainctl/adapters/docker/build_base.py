"""An image's base in; the base on the engine out: the locked one, pulled only when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainctl.adapters.docker.build_failure import base_changed, base_of_another_platform, base_unavailable
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
    found = _found(engine, client, name)
    wanted = image.platform or _own_platform(engine, client, found)
    if not found or not _fits(found.platform, wanted):
        found = _pulled(engine, client, image, found, wanted, emit)
    if image.base_id and (not found or found.id != image.base_id):
        raise base_changed(image.chainlet, name, locked=image.base_id, found=found.id if found else "")


@dataclass(frozen=True, slots=True)
class _Found:
    """An image on the engine; `platform` ends with a slash where it names none."""

    id: str
    platform: str


def _pulled(
    engine: Engine, client: APIClient, image: ImagePlan, there: _Found | None, wanted: str, emit: Emit
) -> _Found | None:
    """Pull a base for the platform that is wanted. Raises BuildError."""
    name = image.base_image
    emit(BuildStepped(image.chainlet, f"pull {name}"))
    for reason in pull_errors(engine, client, name, image.platform or None):
        if there:
            raise base_of_another_platform(image.chainlet, name, there.platform, wanted, reason)
        raise base_unavailable(image.chainlet, name, reason)
    found = _found(engine, client, name)
    if found and wanted and not _fits(found.platform, wanted):
        raise base_of_another_platform(image.chainlet, name, found.platform, wanted)
    return found


def _own_platform(engine: Engine, client: APIClient, base: _Found | None) -> str:
    """Return the engine's platform where a base on it is to be compared with that, else ""."""
    if base is None or base.platform.endswith("/"):
        return ""
    with engine.errors("name its platform"):
        said = client.version()
    return f"{said['Os']}/{said['Arch']}"


def _fits(platform: str, wanted: str) -> bool:
    """Compare without the variant; an image that names no platform fits any."""
    return platform.endswith("/") or platform.split("/")[:2] == wanted.split("/")[:2]


def _found(engine: Engine, client: APIClient, name: str) -> _Found | None:
    """Return an image that the engine has, None when it has no such image."""
    from docker.errors import NotFound

    with engine.errors(f"inspect the image {name}"):
        try:
            said = client.inspect_image(name)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return None
    platform = f"{said.get('Os') or 'linux'}/{said.get('Architecture') or ''}"
    return _Found(str(said["Id"]), platform)


def pull_errors(engine: Engine, client: APIClient, name: str, platform: str | None = None) -> Iterator[str]:
    """Pull an image; yield why it cannot be had."""
    from docker.errors import APIError

    with engine.errors(f"pull the image {name}"):
        try:
            with closing(client.pull(name, stream=True, decode=True, platform=platform)) as lines:
                yield from (str(line["error"]) for line in lines if "error" in line)
        except APIError as error:
            yield refusal(error)

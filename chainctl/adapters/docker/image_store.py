"""One engine in; its images of ours, with who uses them, out; and those removed that are named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import CHAIN, CHAINLET, ROLE, Role
from chainctl.adapters.docker.observe_container import epoch
from chainctl.adapters.docker.services import stop_service
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import remove
from chainctl.deploy.image_store import Leftover, Stored, StoredImage

_RUNS = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True)
class DockerImageStore:
    """The images of one engine that carry our labels; others are never looked at."""

    engine: Engine

    def stored(self, chain: str | None = None) -> Stored:
        with Connection.opened(self.engine) as connection:
            with connection.reading("tell what it keeps"):
                usage = connection.client.df()
                containers = connection.client.containers(all=True)
            ours = [one for one in usage.get("Images") or () if _is_of(one, chain)]
            times = {one["Id"]: _named_at(connection, one["Id"]) for one in ours}
        images = (stored_image(one, containers, times[one["Id"]]) for one in ours)
        return Stored(
            images=tuple(sorted(images, key=lambda i: (i.chain, i.chainlet, -i.since, i.id))),
            leftovers=tuple(sorted(_leftovers(containers, chain), key=lambda one: one.name)),
            bytes=usage.get("LayersSize"),
        )

    def remove_image(self, image: StoredImage) -> None:
        """Take its names one by one, the one that releases use last: with it the image goes."""
        from docker.errors import NotFound

        names = sorted(image.names, key=lambda name: name == image.own_name)
        with Connection.opened(self.engine) as connection:
            for name in names or [image.id]:
                with connection.changing(f"remove the image {name}"):
                    try:
                        connection.client.remove_image(name)
                    except NotFound:
                        continue

    def remove_leftover(self, leftover: Leftover) -> None:
        with Connection.opened(self.engine) as connection:
            if leftover.is_service:
                stop_service(connection, leftover.name, leftover.chain, 0)
            else:
                remove(connection, leftover.name)


def stored_image(
    said: Mapping[str, Any], containers: Sequence[Mapping[str, Any]], named_at: float
) -> StoredImage:
    """Read what the engine tells of an image and of the containers that were made from it."""
    users = defaultdict[bool, list[str]](list)
    for container in containers:
        if container.get("ImageID") == said["Id"]:
            users[container.get("State") in _RUNS].append(_name(container))
    labels, shared = said["Labels"], said.get("SharedSize", -1)
    return StoredImage(
        id=said["Id"],
        names=tuple(sorted(name for name in said.get("RepoTags") or () if name != "<none>:<none>")),
        chain=labels[CHAIN],
        chainlet=labels.get(CHAINLET, ""),
        bytes=said["Size"],
        own_bytes=said["Size"] - shared if shared >= 0 else None,
        since=max(float(said["Created"]), named_at),
        users=tuple(sorted(users[True] + users[False])),
        running=tuple(sorted(users[True])),
    )


def _leftovers(containers: Sequence[Mapping[str, Any]], chain: str | None) -> Iterator[Leftover]:
    for container in containers:
        role = (container.get("Labels") or {}).get(ROLE)
        is_removable = role in (Role.SERVICE, Role.FILLER) and container.get("State") not in _RUNS
        if is_removable and _is_of(container, chain):
            yield Leftover(
                id=container["Id"],
                name=_name(container),
                chain=container["Labels"][CHAIN],
                since=float(container["Created"]),
                is_service=role == Role.SERVICE,
            )


def _is_of(said: Mapping[str, Any], chain: str | None) -> bool:
    label = (said.get("Labels") or {}).get(CHAIN)
    return label is not None and chain in (None, label)


def _name(container: Mapping[str, Any]) -> str:
    """A container's name; with links it has several, and its own has no further slash."""
    return str(min(container["Names"], key=lambda name: name.count("/"))).lstrip("/")


def _named_at(connection: Connection, image: str) -> float:
    """When an image was last named: a build whose steps are all cached makes an old image new."""
    from docker.errors import NotFound

    with connection.reading(f"inspect the image {image}"):
        try:
            said = connection.client.inspect_image(image)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return 0.0
    return epoch((said.get("Metadata") or {}).get("LastTagTime") or "")

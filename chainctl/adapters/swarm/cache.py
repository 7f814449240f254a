"""A service that fetches files by itself in; a volume of this node in which it may write them out.

A volume is root's at first, and only the node that we talk to lets us give a part of it away.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainctl.adapters.docker.cache_volume import ensure_cache_volume, own_cache
from chainctl.adapters.docker.labels import filler_name
from chainctl.adapters.docker.services_body import cache_mount, filler_body
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, remove
from chainctl.adapters.swarm.nodes import Node
from chainctl.deploy.release import ServiceSpec
from chainctl.errors import DeployError


def require_cache(spec: ServiceSpec, nodes: Sequence[Node]) -> None:
    """Raise DeployError where a service keeps what it fetches, and may run on several nodes."""
    if spec.cache is not None and len(nodes) > 1:
        raise DeployError(
            f"{spec.chainlet} keeps the weights of its model_cache in a volume, "
            "which it can not have on each node of a swarm",
            hint="put the files into the data directory, so that they are in the image, or use one engine",
        )


def ensure_cache(connection: Connection, spec: ServiceSpec) -> None:
    """Make the volume, and the service's directory in it, through a container that never starts."""
    if spec.cache is None:
        return
    name = filler_name(spec.name)
    ensure_cache_volume(connection, spec)
    remove(connection, name)
    create(connection, name, filler_body(spec, cache_mount(spec.chain, spec.cache)))
    own_cache(connection, spec, name)
    remove(connection, name)

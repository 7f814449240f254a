"""A service that fetches files by itself in; a volume of its chain in which it may write them out."""

from __future__ import annotations

from chainctl.adapters.docker.labels import cache_volume
from chainctl.adapters.docker.network import ensure_volume
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.service_environment import USER_ID

_MODE = 0o755


def ensure_cache_volume(connection: Connection, spec: ServiceSpec) -> None:
    """Make the volume unless it is there. Raises DeployError."""
    if spec.cache is not None:
        ensure_volume(connection, cache_volume(spec.chain, spec.cache.name), spec.chain)


def own_cache(connection: Connection, spec: ServiceSpec, container: str) -> None:
    """Make the directory in the volume, of a container that was made and not started: a volume is root's at first."""
    if spec.cache is not None:
        directory = OwnedFile(spec.cache.name, _MODE, USER_ID)
        put_files(connection, container, spec.cache.directory, [directory])

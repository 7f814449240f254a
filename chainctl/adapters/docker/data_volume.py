"""Files that a service reads in; a volume for each that holds it whole, shared by the chain's services, out."""

from __future__ import annotations

from chainctl.adapters.docker.labels import data_filler_name, data_volume
from chainctl.adapters.docker.network import ensure_volume
from chainctl.adapters.docker.services_body import data_mount, filler_body
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, remove
from chainctl.adapters.docker.target_files import OwnedFile, get_files, put_files, put_large_file
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.service_environment import USER_ID
from chainctl.deploy.target import DataSource

WHOLE = ".chainctl-whole"  # a file's name
_PLACE = "/data"
_MODE = 0o444


def ensure_data(connection: Connection, spec: ServiceSpec, source: DataSource) -> None:
    """Fill the volumes of a service that are not whole yet.

    Each is filled through a container that is never started. A second file says that the first is
    whole, so that a volume whose filling was cut off is filled again. Raises DeployError, and what
    `source` raises.
    """
    for data in spec.data:
        filler = data_filler_name(spec.name)
        ensure_volume(connection, data_volume(spec.chain, data.sha256), spec.chain)
        remove(connection, filler)
        mount = data_mount(spec.chain, data, _PLACE, is_read_only=False)
        create(connection, filler, filler_body(spec, mount))
        if get_files(connection, filler, f"{_PLACE}/{WHOLE}").get(WHOLE, b"").decode() != data.filename:
            file = OwnedFile(data.filename, _MODE, USER_ID)
            put_large_file(connection, filler, _PLACE, file, source.get(data))
            put_files(connection, filler, _PLACE, [OwnedFile(WHOLE, _MODE, USER_ID, data.filename.encode())])
            source.drop(data)
        remove(connection, filler)

"""The secrets and data files that a service declares in; objects of the swarm that hold them, out.

They can not be changed: another value is another object, under another name. What no service needs any
more is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from chainctl.adapters.docker.labels import CHAIN, chain_labels
from chainctl.adapters.docker.secrets import TOKEN_FILE
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.labels import config_name, secret_name, token_name
from chainctl.adapters.swarm.service_body import MountedFile
from chainctl.adapters.swarm.services import doors_of, referenced, services_of
from chainctl.deploy.release import DataMount, ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.deploy.target import DataSource, Vault
from chainctl.errors import DeployError

CONFIG_BYTES = 500 << 10
"""So much Swarm takes at most."""
_IN_USE = "in use"


def secret_values(spec: ServiceSpec, vault: Vault) -> list[tuple[str, str, bytes]]:
    """Return the name of the object, of the file, and the value, of each. Raises MissingSecretError."""
    token = vault.token(spec.chain)
    values = [(secret_name(spec.chain, one), one.name, vault.value(one)) for one in spec.secrets]
    return [*values, (token_name(spec.chain, token), TOKEN_FILE, token.encode())]


def data_contents(spec: ServiceSpec, source: DataSource) -> list[tuple[DataMount, bytes]]:
    """Return the files of a service. Raises DeployError for one that is too large, and what `source` raises."""
    found = []
    for data in spec.data:
        path = source.get(data)
        size = path.stat().st_size
        if size > CONFIG_BYTES:
            raise DeployError(
                f"The file {data.filename} of {spec.chainlet} has {shown_bytes(size)}, "
                f"and a swarm hands out {shown_bytes(CONFIG_BYTES)} at most",
                hint=f"put {data.filename} into the data directory, so that it is in the image, then push again",
            )
        found.append((data, path.read_bytes()))
    return found


def ensure_secrets(
    connection: Connection, chain: str, values: Sequence[tuple[str, str, bytes]]
) -> list[MountedFile]:
    """Make the secrets that are not there, and say where a container has them. Raises DeployError."""
    there = _named(connection, "secrets", chain)
    mounted = []
    for name, file, value in values:
        if name not in there:
            with connection.changing(f"make the secret {file}"):
                there[name] = connection.client.create_secret(name, value, labels=chain_labels(chain))["ID"]
        mounted.append(MountedFile(there[name], name, file))
    return mounted


def ensure_data(
    connection: Connection, chain: str, contents: Sequence[tuple[DataMount, bytes]], source: DataSource
) -> list[MountedFile]:
    """Make the configs of data files that are not there. Raises DeployError."""
    files = [(f"{data.directory}/{data.filename}", content) for data, content in contents]
    mounted = ensure_configs(connection, chain, files)
    for data, _ in contents:
        source.drop(data)
    return mounted


def ensure_configs(
    connection: Connection, chain: str, contents: Sequence[tuple[str, bytes]]
) -> list[MountedFile]:
    """Make the configs that are not there of files, by their paths in a container. Raises DeployError."""
    there = _named(connection, "configs", chain) if contents else {}
    mounted = []
    for path, content in contents:
        name = config_name(chain, hashlib.sha256(content).hexdigest())
        if name not in there:
            with connection.changing(f"make the config of {PurePosixPath(path).name}"):
                there[name] = connection.client.create_config(name, content, labels=chain_labels(chain))["ID"]
        mounted.append(MountedFile(there[name], name, path))
    return mounted


def remove_unused(connection: Connection, chain: str) -> None:
    """Remove the secrets and configs of a chain that none of its services needs, nor its door."""
    services = [*services_of(connection, chain), *doors_of(connection, chain)]
    for kind, noun in (("secrets", "Secret"), ("configs", "Config")):
        needed = referenced(services, noun)
        for name, id in _named(connection, kind, chain).items():
            if id not in needed:
                _remove(connection, kind, id, name)


def _remove(connection: Connection, kind: str, id: str, name: str) -> None:
    """One that a task still needs is left: the next look finds it."""
    from docker.errors import NotFound

    remove = connection.client.remove_secret if kind == "secrets" else connection.client.remove_config
    try:
        with connection.changing(f"remove {name} from the {kind} of the swarm"):
            remove(id)
    except DeployError as error:
        if not isinstance(error.__cause__, NotFound) and _IN_USE not in error.message:
            raise


def _named(connection: Connection, kind: str, chain: str) -> dict[str, str]:
    """Return the ids of a chain's secrets or configs by name."""
    client = connection.client
    ask = client.secrets if kind == "secrets" else client.configs
    with connection.reading(f"list the {kind} of {chain}"):
        found: Iterable[Mapping[str, Any]] = ask(filters={"label": [f"{CHAIN}={chain}"]})
    return {one["Spec"]["Name"]: one["ID"] for one in found}

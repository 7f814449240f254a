"""The secrets that a service declares in; a volume that holds them as files, and no trace elsewhere, out."""

from __future__ import annotations

from chainctl.adapters.docker.labels import filler_name, secrets_volume
from chainctl.adapters.docker.network import remove_volume
from chainctl.adapters.docker.services_body import filler_body, secrets_mount
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import create, remove
from chainctl.adapters.docker.target_files import OwnedFile, put_files
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.service_environment import SECRETS_DIR, USER_ID
from chainctl.deploy.target import Vault

TOKEN_FILE = ".chainctl-token"  # a file's name
_FILE_MODE = 0o400
_DIRECTORY_MODE = 0o500


def secret_files(spec: ServiceSpec, vault: Vault) -> list[OwnedFile]:
    """Return the directory of secrets and its files. Raises MissingSecretError."""
    contents = {secret.name: vault.value(secret) for secret in spec.secrets}
    contents[TOKEN_FILE] = vault.token(spec.chain).encode()
    place = str(SECRETS_DIR.relative_to("/"))
    files = [OwnedFile(f"{place}/{name}", _FILE_MODE, USER_ID, contents[name]) for name in sorted(contents)]
    return [OwnedFile(place, _DIRECTORY_MODE, USER_ID), *files]


def fill_secrets(connection: Connection, spec: ServiceSpec, files: list[OwnedFile]) -> None:
    """Fill the volume of a service that was made and not started, through a container that never is.

    So the values pass only through the engine's socket: they are in no image, label, variable or
    argument, and they are there again when the container or the engine restarts. Raises DeployError.
    """
    create(connection, filler_name(spec.name), filler_body(spec, secrets_mount(spec, is_read_only=False)))
    put_files(connection, filler_name(spec.name), "/", files)
    remove(connection, filler_name(spec.name))


def remove_secrets(connection: Connection, service: str) -> None:
    """Remove the volume of a service that has no container."""
    remove_volume(connection, secrets_volume(service))

"""Secret values in, one read-only file each in a directory that only we can enter out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from chainctl.adapters.local.private_directory import private_directory
from chainctl.errors import DeployError

TOKEN_NAME = ".chainctl-token"


def write_secrets(directory: Path, secrets: Mapping[str, bytes], token: str) -> None:
    """Replace the secrets of a service. Raises DeployError for names that cannot be file names."""
    shutil.rmtree(directory, ignore_errors=True)
    private_directory(directory.parent)
    private_directory(directory)
    for name, value in sorted(secrets.items()):
        if Path(name).name != name or name == TOKEN_NAME:
            raise DeployError(f"The secret name {name!r} cannot be a file name", hint="rename the secret")
        _write(directory / name, value)
    _write(directory / TOKEN_NAME, token.encode())


def remove_secrets(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _write(path: Path, value: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    with os.fdopen(handle, "wb") as file:
        file.write(value)

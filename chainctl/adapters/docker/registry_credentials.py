"""The user's docker config and a registry in; the credentials for it, as the engine takes them, out."""

from __future__ import annotations

import warnings
from pathlib import Path

from chainctl.errors import RegistryError


def credentials_for(config_dir: Path, host: str) -> dict[str, str]:
    """Return what `docker login` has stored for a registry, {} when there is nothing.

    Credential helpers are asked where the config names one. Raises RegistryError.
    """
    from docker import auth
    from docker.credentials.errors import StoreError
    from docker.errors import DockerException

    path = config_dir / "config.json"
    if not path.is_file():
        return {}
    try:
        with warnings.catch_warnings():  # a helper that is not installed is told below
            warnings.simplefilter("ignore")
            found = auth.load_config(config_path=str(path)).resolve_authconfig(host)
    except (DockerException, StoreError) as error:
        raise _unreadable(path, host, error) from None
    except (ValueError, TypeError, AttributeError, KeyError, OSError):
        raise _unreadable(path, host, None) from None
    return {key: value for key, value in (found or {}).items() if isinstance(value, str) and value}


def _unreadable(path: Path, host: str, error: Exception | None) -> RegistryError:
    """What a helper or a parser said is not repeated: it may hold what it should not."""
    is_helper = error is not None and "redentials store" in str(error)
    what = f"The credential helper that {path} names for {host} fails" if is_helper else (
        f"{path} has no credentials for {host} that can be read"
    )  # fmt: skip
    return RegistryError(what, hint=f"log in anew with `docker login {host}`, then push again")

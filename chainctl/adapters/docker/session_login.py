"""A registry's host and the user's Docker configuration in; the login that it has for it out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.adapters.docker.session_services import Login
from chainctl.errors import EngineError

if TYPE_CHECKING:
    from docker.auth import AuthConfig

_HUB = ("registry-1.docker.io", "index.docker.io", "docker.io")


class RegistryLogins:
    """What `docker login` left in a configuration directory; credential helpers are asked where it names one."""

    def __init__(self, config_dir: Path) -> None:
        self._path = config_dir / "config.json"

    @property
    def are_there(self) -> bool:
        """Whether the configuration has or names any."""
        if not self._path.is_file():
            return False
        config = self._config()
        return bool(config.auths or config.creds_store or config.cred_helpers)

    def login(self, host: str) -> Login | None:
        """Return the login for a registry, None where there is none.

        Raises EngineError when a helper fails. What it said is not repeated: it may be what it should keep.
        """
        from docker.errors import DockerException

        config, registry = self._config(), None if host in _HUB else host
        helper = config.get_credential_store(registry)
        if helper and not shutil.which(f"docker-credential-{helper}"):
            raise self._failed(host, helper, "is not installed")
        try:
            found = config.resolve_authconfig(registry) or {}
        except (DockerException, ValueError, KeyError, TypeError):
            raise self._failed(host, helper or "", "fails") from None
        return _login({str(key).lower(): value for key, value in found.items()})

    def _config(self) -> AuthConfig:
        from docker.auth import AuthConfig, load_config

        try:
            return load_config(config_path=str(self._path))
        except (AttributeError, KeyError, TypeError, ValueError):  # JSON of another shape
            return AuthConfig({})

    def _failed(self, host: str, helper: str, how: str) -> EngineError:
        named = f"the credential helper docker-credential-{helper}" if helper else "what it has"
        return EngineError(
            f"{self._path} has no login for {host}: {named} {how}",
            hint=f"log in anew with `docker login {host}`, then push again",
        )


def _login(found: dict[str, object]) -> Login | None:
    token, user, password = (found.get(key) for key in ("identitytoken", "username", "password"))
    if isinstance(token, str) and token:
        return Login("", token)
    if isinstance(user, str) and isinstance(password, str):
        return Login(user, password)
    return None

"""What a running chainlet is told: secrets, data, the services that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, Union

import pydantic

from chainctl.errors import MissingDependencyError
from chainctl.sdk.config import RPCOptions
from chainctl.sdk.frozen import FrozenModel
from chainctl.sdk.read_secrets import READ_SECRETS

API_KEY_SECRET = "baseten_chain_api_key"  # a name, not a value


class Environment(FrozenModel):
    """The named environment a chain is deployed to."""

    name: str


class DeployedServiceDescriptor(FrozenModel):
    """Where a service answers, and how to call it.

    `name` is the class name, `display_name` the name in the chain.
    """

    name: str
    display_name: str
    options: RPCOptions = RPCOptions()
    predict_url: Optional[str] = None
    internal_url: Optional[str] = None

    @property
    def url(self) -> str:
        """The URL to call: the internal one where there is one. Raises MissingDependencyError."""
        url = self.internal_url or self.predict_url
        if url:
            return url
        raise MissingDependencyError(f"no address is known for `{self.display_name}`")


class Secrets(Mapping[str, str]):
    """Secrets by name, read when asked for; prints no values and cannot be listed.

    A value that was read is kept out of error answers and logs from then on.
    """

    def __init__(self, read: Callable[[str], Optional[str]], declared: Optional[frozenset[str]]) -> None:
        self._read = read
        self._declared = declared

    @classmethod
    def given(cls, values: Mapping[str, str], declared: Optional[frozenset[str]] = None) -> Secrets:
        """Make secrets of given values; only the `declared` ones are visible, all when None."""
        copy = dict(values)
        return cls(copy.get, declared)

    @classmethod
    def in_directory(cls, directory: Path, declared: Optional[frozenset[str]] = None) -> Secrets:
        """Make secrets of files, one secret a file, named like it."""

        def read(key: str) -> Optional[str]:
            path = directory / key
            return path.read_text() if path.is_file() else None

        return cls(read, declared)

    def __getitem__(self, key: str) -> str:
        if self._declared is not None and key not in self._declared:
            raise MissingDependencyError(
                f"secret `{key}` is not declared by this chainlet",
                hint=f'add it: `remote_config = RemoteConfig(assets=Assets(secret_keys=["{key}"]))`.',
            )
        value = self._read(key)
        if value is None:
            raise MissingDependencyError(
                f"secret `{key}` has no value here",
                hint=f'give one: `secrets={{"{key}": "…"}}` of `run_local` or of the fixture `chain`; for commands'
                f" `chainctl secret set {key}`, or the environment variable `CHAINCTL_SECRET_{key}`.",
            )
        READ_SECRETS.add(value)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a secret, or the default where a declared one has no value here."""
        declared = self._declared is None or key in self._declared
        return self[key] if key in self or not declared else default

    def __contains__(self, key: object) -> bool:
        declared = self._declared is None or key in self._declared
        return declared and isinstance(key, str) and self._read(key) is not None

    def __iter__(self) -> Iterator[str]:
        raise TypeError("secrets cannot be listed: ask for one by name")

    def __len__(self) -> int:
        raise TypeError("secrets cannot be counted: ask for one by name")

    def __repr__(self) -> str:
        return "Secrets([REDACTED])"


class DeploymentContext(FrozenModel):
    """Given to a chainlet whose `__init__` ends in `context=chains.depends_context()`."""

    chainlet_to_service: Mapping[str, DeployedServiceDescriptor]
    secrets: Union[Secrets, Mapping[str, str]]
    data_dir: Optional[Path] = None
    environment: Optional[Environment] = None

    @pydantic.field_validator("secrets")
    @classmethod
    def _redacted(cls, value: Union[Secrets, Mapping[str, str]]) -> Secrets:
        return value if isinstance(value, Secrets) else Secrets.given(value)

    def get_service_descriptor(self, chainlet_name: str) -> DeployedServiceDescriptor:
        """Return where a dependency answers. Raises MissingDependencyError."""
        if chainlet_name in self.chainlet_to_service:
            return self.chainlet_to_service[chainlet_name]
        raise MissingDependencyError(
            f"no service is known for `{chainlet_name}`",
            hint="only the chainlets that this one depends on are known to it.",
        )

    def get_baseten_api_key(self) -> str:
        """Return the API key for services outside. Raises MissingDependencyError."""
        return self.secrets[API_KEY_SECRET]

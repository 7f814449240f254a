"""Where a model runs, deployed or here, in; what its `__init__` may ask for out."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from chainctl.errors import ChainsUsageError, MissingDependencyError
from chainctl.sdk.context import Secrets
from chainctl.worker.boot import ChainletManifest

_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class ModelSite:
    """What there is for a model. `secret` returns the value of one, None where it has none.

    Without a `data_dir` it is the one beside the model's code.
    """

    secret: Callable[[str], Optional[str]]
    data_dir: Optional[Path] = None
    environment: Optional[str] = None

    @classmethod
    def deployed(cls, manifest: ChainletManifest) -> ModelSite:
        """Read what a deployment says."""

        def secret(name: str) -> Optional[str]:
            path = manifest.secrets_dir / name
            return path.read_text() if path.is_file() else None

        return cls(secret, manifest.data_dir, manifest.environment)

    @classmethod
    def here(cls, secrets: Mapping[str, str]) -> ModelSite:
        """Take the values of secrets as they are given."""
        return cls(dict(secrets).get)

    @property
    def environment_form(self) -> Optional[dict[str, str]]:
        """The environment as a model is told of it."""
        return {"name": self.environment} if self.environment else None


class ModelSecrets(Secrets):
    """Secrets that config.yaml declares. One that has no value may have one there, which is what it is then."""

    def __init__(self, secret: Callable[[str], Optional[str]], declared: Mapping[str, Any]) -> None:
        def read(name: str) -> Optional[str]:
            value, default = secret(name), declared.get(name)
            return default if value is None and isinstance(default, str) else value

        super().__init__(read, frozenset(declared))

    def __getitem__(self, key: str) -> str:
        if self._declared is not None and key not in self._declared:
            raise MissingDependencyError(
                f"secret `{key}` is not declared by this model",
                hint=f"add it to `secrets` in config.yaml: `{key}: null`.",
            )
        return super().__getitem__(key)


class DataIsThere:
    """Stands for what downloads data while a model starts: here they are there before."""

    def block_until_download_complete(self) -> None:
        """Return at once."""


def arguments_of(cls: type, truss_config: Mapping[str, Any], site: ModelSite, root: Path) -> dict[str, Any]:
    """What a model is created with: of all that there is, what its `__init__` takes. Raises ChainsUsageError."""
    offered = {
        "config": copy.deepcopy(dict(truss_config)),
        "data_dir": site.data_dir or root / "data",
        "secrets": ModelSecrets(site.secret, truss_config.get("secrets") or {}),
        "environment": site.environment_form,
        "lazy_data_resolver": DataIsThere(),
    }
    parameters = inspect.signature(cls).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return offered
    for parameter in parameters:
        is_needed = parameter.default is inspect.Parameter.empty and parameter.kind not in _REST
        if is_needed and parameter.name not in offered:
            raise ChainsUsageError(
                f"`{cls.__name__}.__init__` takes `{parameter.name}`, which no model is given",
                hint=f"take some of {', '.join(f'`{name}`' for name in offered)}, or `**kwargs`.",
            )
    return {parameter.name: offered[parameter.name] for parameter in parameters if parameter.name in offered}

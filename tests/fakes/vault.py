"""Secret values in a dictionary in; values, tokens and fingerprints, as a real vault gives them, out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from chainctl.deploy.release import SecretRef
from chainctl.errors import MissingSecretError


class MemoryVault:
    """A vault of known values."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values = dict(values or {})

    def set(self, name: str, value: bytes) -> None:
        """Rotate a secret."""
        self._values[name] = value

    def value(self, secret: SecretRef) -> bytes:
        if secret.name not in self._values:
            raise MissingSecretError(f"secret `{secret.name}` has no value here")
        return self._values[secret.name]

    def token(self, chain: str) -> str:
        return hashlib.sha256(f"token of {chain}".encode()).hexdigest()

    def fingerprints(self, chain: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, str]:
        missing = [name for name in wanted if name not in self._values]
        if missing:
            details = [f"{name}: declared by {', '.join(wanted[name])}" for name in missing]
            raise MissingSecretError(f"no value: {', '.join(missing)}", details=details)
        return {name: self._fingerprint(chain, name) for name in wanted}

    def fingerprint(self, chain: str, name: str) -> str | None:
        return self._fingerprint(chain, name) if name in self._values else None

    def _fingerprint(self, chain: str, name: str) -> str:
        keyed = f"{self.token(chain)}\0{name}\0".encode() + self._values[name]
        return hashlib.sha256(keyed).hexdigest()[:16]

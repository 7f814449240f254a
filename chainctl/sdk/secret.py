"""The name of a secret in; its value, read only when it is used, out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Optional

from chainctl.errors import MissingSecretError
from chainctl.sdk.read_secrets import READ_SECRETS


@dataclass(frozen=True)
class Secret:
    """A secret as a field of a component: only its name is stored. Read `value` in `setup` or a trigger."""

    name: str
    _value: Optional[str] = field(default=None, init=False, repr=False, compare=False)

    @property
    def value(self) -> str:
        """The value that the command was given for it, else the environment's. Raises MissingSecretError."""
        value = self._value if self._value is not None else os.environ.get(self.name)
        if value is None:
            raise MissingSecretError(
                f"the secret {self.name!r} has no value here.",
                hint=f"set the environment variable {self.name}.",
            )
        READ_SECRETS.add(value)
        return value

    def given(self, value: str) -> Secret:
        """Return the secret with a value that comes from elsewhere than the environment."""
        secret = Secret(self.name)
        object.__setattr__(secret, "_value", value)
        return secret

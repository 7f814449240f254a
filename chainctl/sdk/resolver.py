"""Who answers the questions in a signature: a Resolver, held in the one ContextVar of the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Optional, Protocol


class Resolver(Protocol):
    """Gives a chainlet's `__init__` its arguments. Fidelity is a choice of Resolver."""

    def arguments(self, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all keyword arguments for `cls`, the given ones winning.

        Raises ChainsRuntimeError where chainlets may not be created.
        """
        ...


CURRENT_RESOLVER: ContextVar[Optional[Resolver]] = ContextVar("chainctl_resolver", default=None)

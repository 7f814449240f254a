"""What the services of a chain have to do at one moment: calls under way, waiting, awaited, and held requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """All replicas of one service together.

    `awaited` counts calls that it holds for services that sleep, by their names; `replicas` how many answered.
    """

    under_way: int = 0
    waiting: int = 0
    awaited: Mapping[str, int] = field(default_factory=dict)
    replicas: int = 1

    def __add__(self, other: ServiceLoad) -> ServiceLoad:
        names = sorted({*self.awaited, *other.awaited})
        return ServiceLoad(
            self.under_way + other.under_way,
            self.waiting + other.waiting,
            {name: self.awaited.get(name, 0) + other.awaited.get(name, 0) for name in names},
            self.replicas + other.replicas,
        )


@dataclass(frozen=True, slots=True)
class Loads:
    """Those services that answered, by name; `held` are requests that the front door holds for the entrypoint."""

    services: Mapping[str, ServiceLoad] = field(default_factory=dict)
    held: int = 0


def load_of(told: Any) -> ServiceLoad:
    """Read what one replica answers to `GET /-/load`, as JSON values. Raises ValueError."""
    try:
        awaited = {str(name): int(count) for name, count in told["awaited"].items()}
        return ServiceLoad(int(told["under_way"]), int(told["waiting"]), awaited)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no load: {error}") from error

"""An Engine in; one open client of it out, whose refusals are told apart from its absence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_error import refusal
from chainctl.errors import DeployError

if TYPE_CHECKING:
    from docker import APIClient


@dataclass(frozen=True, slots=True)
class Connection:
    """One client for one thread and one operation."""

    engine: Engine
    client: APIClient

    @classmethod
    @contextmanager
    def opened(cls, engine: Engine) -> Iterator[Connection]:
        with engine.client() as client:
            yield cls(engine, client)

    def reading(self, what: str) -> AbstractContextManager[None]:
        """Return the context for questions: all that goes wrong is an EngineError."""
        return self.engine.errors(what)

    @contextmanager
    def changing(self, what: str) -> Iterator[None]:
        """Return the context for changes: an engine that refuses one fails the operation.

        `what` completes "the engine refused to …". Raises DeployError for refusals, EngineError
        when no answer comes.
        """
        from docker.errors import APIError

        with self.engine.errors(what):
            try:
                yield
            except APIError as error:
                raise DeployError(f"The engine refused to {what}: {refusal(error)}") from error

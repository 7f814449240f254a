"""Overrides of environment variables in; what one target's chains have of them, in the state's database, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.deploy.overrides import Override
from chainctl.errors import UsageError
from chainctl.state.glance import ALL_VARIABLES, CHAIN, VARIABLES, rows

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


@dataclass(frozen=True, slots=True)
class Variables:
    """The overrides of one target's chains, in the database at a URL."""

    url: str
    target: str

    def of(self, chain: str) -> tuple[Override, ...]:
        """Return all of a chain, sorted. Raises StateError."""
        found = rows(self.url, VARIABLES, {"namespace": self.target, "chain": chain})
        return tuple(sorted(Override(*map(str, row)) for row in found))

    def chains(self) -> list[str]:
        """Return the chains that have some, sorted. Raises StateError."""
        return [str(row[0]) for row in rows(self.url, ALL_VARIABLES, {"namespace": self.target})]

    def save(self, chain: str, overrides: Iterable[Override]) -> None:
        """Write all of them or none. Raises StateError, UsageError when the chain has no release any more."""
        from chainctl.state.tables import variable

        with _writing(self.url) as connection:
            self._require_release(connection, chain)
            for one in overrides:
                connection.execute(variable.delete().where(*self._key(chain, one)))
                connection.execute(
                    variable.insert().values(
                        namespace=self.target,
                        chain=chain,
                        environment=one.environment,
                        chainlet=one.chainlet,
                        name=one.name,
                        value=one.value,
                    )
                )

    def remove(self, chain: str, overrides: Iterable[Override]) -> None:
        """Take all of them away or none; their values do not matter. Raises StateError."""
        from chainctl.state.tables import variable

        with _writing(self.url) as connection:
            for one in overrides:
                connection.execute(variable.delete().where(*self._key(chain, one)))

    def _require_release(self, connection: Connection, chain: str) -> None:
        from chainctl.state.tables import head

        key = (head.c.namespace == self.target, head.c.component == CHAIN, head.c.identifier == chain)
        if connection.execute(head.select().where(*key)).first() is None:
            raise UsageError(f"{chain} was taken down meanwhile", hint="push it again first.")

    def _key(self, chain: str, one: Override) -> tuple[ColumnElement[bool], ...]:
        from chainctl.state.tables import variable

        wanted = {
            "namespace": self.target,
            "chain": chain,
            "environment": one.environment,
            "chainlet": one.chainlet,
            "name": one.name,
        }
        return tuple(variable.c[column] == value for column, value in wanted.items())


def variables_of(root: Path, target: str, database: str | None) -> Variables:
    """The overrides beside the releases of a ledger of the same place."""
    from chainctl.state.ledger import default_database

    return Variables(database or default_database(root), target)


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    from chainctl.state.database import Database

    database = Database.open(url)
    try:
        with database.writing() as connection:
            yield connection
    finally:
        database.close()

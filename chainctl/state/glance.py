"""A question in SQL in; rows of the state out, without SQLAlchemy where the standard library will do.

SQLAlchemy takes a fifth of a second to import, half of what a command takes that finds nothing to do. The
most frequent questions are therefore written once, in SQL that every database understands, and asked with
the standard library's driver where the state is a SQLite file. Writing is left to SQLAlchemy alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from chainctl.errors import StateError
from chainctl.state.schema import require_known_schema

CHAIN = "ChainDeployment"

LATEST = """SELECT revision.data FROM head JOIN revision ON revision.id = head.revision_id
WHERE head.namespace = :namespace AND head.component = :component AND head.identifier = :identifier"""
ONE = """SELECT data FROM revision WHERE namespace = :namespace AND component = :component
AND identifier = :identifier AND rev = :rev"""
NUMBERS = """SELECT rev FROM revision WHERE namespace = :namespace AND component = :component
AND identifier = :identifier ORDER BY rev"""
NAMES = """SELECT identifier FROM head WHERE namespace = :namespace AND component = :component
ORDER BY identifier"""
VARIABLES = """SELECT environment, chainlet, name, value FROM variable
WHERE namespace = :namespace AND chain = :chain"""
ALL_VARIABLES = "SELECT DISTINCT chain FROM variable WHERE namespace = :namespace ORDER BY chain"
ALL_NAMES = "SELECT DISTINCT identifier FROM head WHERE component = :component ORDER BY identifier"
OWNED = """SELECT component, identifier FROM head WHERE namespace = :namespace AND owner = :owner
AND component != :component"""
SCHEMA = "SELECT value FROM meta WHERE key = 'schema_version'"


def rows(url: str, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Ask a database. One that is not there has no rows. Raises StateError."""
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    if path is None:
        return _rows_elsewhere(url, query, values)
    if not path.is_file():
        return []
    try:
        return _sqlite_rows(path, "mode=ro", query, values)
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        return _rows_of_the_unwritable(path, query, values, error)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error


def _sqlite_rows(path: Path, how: str, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=30)) as connection:
        found = connection.execute(SCHEMA).fetchone()
        require_known_schema(str(found[0]) if found else None, path)
        return connection.execute(query, values).fetchall()


def _rows_of_the_unwritable(
    path: Path, query: str, values: Mapping[str, Any], why: sqlite3.OperationalError
) -> Sequence[Sequence[Any]]:
    """Read a database whose directory is read-only: nobody can be writing to it, so no file beside it is needed."""
    try:
        return _sqlite_rows(path, "immutable=1", query, values)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, why) from error


def _unreadable(path: Path, error: sqlite3.Error) -> StateError:
    return StateError(
        f"the state in {path} can not be read: {error}",
        hint="see that the file is yours; if it is damaged, move it away: what runs is not touched by that,"
        " and a push records it anew.",
    )


def _rows_elsewhere(url: str, query: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    from sqlalchemy import text

    from chainctl.state.database import Database

    database = Database.open(url)
    try:
        with database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]
    finally:
        database.close()

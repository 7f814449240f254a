"""A database's URL in; transactions on tables that are there and of a known schema, out.

SQLite needs nothing to be started; PostgreSQL serves a team. On SQLite a transaction that writes begins with
BEGIN IMMEDIATE, without which two that read first and write then would overwrite each other.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainctl.errors import StateError
from chainctl.state.private import private_directory
from chainctl.state.schema import SCHEMA_VERSION, require_known_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SEC = 30
_ASK_AGAIN_SEC = 0.02
_CREATION_LOCK = 0x63686374  # any number, the same for all who create tables
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Database:
    """One database. Make it with `open`; any number of threads and processes may use it."""

    url: str
    engine: Engine

    @classmethod
    def open(cls, url: str) -> Database:
        """Open a database, and create what is missing in it.

        Raises StateError when it can not be reached, read or written, or is of a newer chainctl.
        """
        with state_errors(url):
            database = cls(url, _engine(url))
            try:
                _ensure_schema(database)
            except BaseException:
                database.close()
                raise
        return database

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is kept, or nothing. Raises StateError."""
        with state_errors(self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See what is there, without keeping anybody from writing. Raises StateError."""
        with state_errors(self.url), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def now(self, connection: Connection) -> float:
        """Seconds since the epoch by the one clock that all users of the database share."""
        if self.is_sqlite:
            return time.time()
        from sqlalchemy import text

        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def state_errors(url: str) -> Iterator[None]:
    """Turn what databases and disks raise into StateError, with what to do."""
    import sqlite3

    from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise _explained(url, str(error.orig).strip()) from error
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StateError(
            f"the database {shown_url(url)} can not be used: {error}",
            hint="write `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`"
            " (`pip install 'chainctl[postgres]'`).",
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise _explained(url, getattr(error, "strerror", None) or str(error)) from error


def shown_url(url: str) -> str:
    """A URL without its password."""
    from sqlalchemy.exc import ArgumentError

    try:
        from sqlalchemy import make_url

        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        scheme, is_url, _ = url.partition("://")
        return f"{scheme}://…" if is_url else "that is set"


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database, None for another one."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def _explained(url: str, said: str) -> StateError:
    hints: tuple[tuple[str, str], ...] = (
        ("full", "make room on its disk, then run the command again: nothing was lost."),
        ("readonly", "see that you may write to it and to its directory."),
        ("Read-only", "see that you may write to it and to its directory."),
        ("Permission", "see that you may write to it and to its directory."),
        (
            "not a database",
            "move the file away; what runs is not touched by that, and a push records it anew.",
        ),
        ("malformed", "move the file away; what runs is not touched by that, and a push records it anew."),
        ("locked", "another command writes to it; run this one again."),
    )
    hint = next(
        (hint for word, hint in hints if word in said), "see that it is there and that you may use it."
    )
    return StateError(f"the state in {shown_url(url)} can not be used: {said.splitlines()[0]}", hint=hint)


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    path = sqlite_path(url)
    if path is None:
        return create_engine(url, pool_pre_ping=True)
    private_directory(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SEC})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Leave transactions to us, and what is committed to the disk."""
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Turn on the write-ahead log, which a file keeps: readers and a writer do not wait for each other.

    SQLite does not wait for others with that, as it does with all else; so it is asked again.
    """
    import sqlite3

    deadline = time.monotonic() + BUSY_SEC
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            threading.Event().wait(_ASK_AGAIN_SEC)


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _ensure_schema(database: Database) -> None:
    """Create the tables once, whoever comes first. Raises StateError for a schema that is newer."""
    from sqlalchemy import inspect, text

    from chainctl.state.tables import meta, metadata

    with database.reading() as connection:
        if inspect(connection).has_table("meta"):
            _require_known(connection, database.url)
            return
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _CREATION_LOCK})
        if not inspect(connection).has_table("meta"):
            metadata.create_all(connection)
            connection.execute(meta.insert().values(key="schema_version", value=str(SCHEMA_VERSION)))
        _require_known(connection, database.url)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = ()
"""What makes schema 2 of 1, 3 of 2, and so on; there is only one yet."""


def _require_known(connection: Connection, url: str) -> None:
    from chainctl.state.tables import meta

    found = connection.execute(meta.select().where(meta.c.key == "schema_version")).one_or_none()
    require_known_schema(str(found.value) if found else None, sqlite_path(url) or shown_url(url))

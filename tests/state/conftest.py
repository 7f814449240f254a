"""The state on each database that it can live on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.state.postgres import binaries, server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    is_required = os.environ.get("CI") == "true" or os.environ.get("CHAINCTL_TEST_REQUIRE_ENGINE")
    if binaries() is None and not is_required:
        pytest.skip("there is no PostgreSQL here (CI=true installs it)")
    with server() as url:
        yield url


@contextmanager
def new_database(url: str) -> Iterator[str]:
    """A database of its own on a server."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    yield url.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.db"
        return
    with new_database(request.getfixturevalue("postgres")) as made:
        yield made

"""Environments that are made from a lock: once, whole, and from nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.uv.environments import UvEnvironments
from chainctl.build.lock import Environment, LockedPackage
from chainctl.errors import IsolationError
from tests.fakes.chains import snapshot_of
from tests.fakes.index import PASSWORD, Index, serving

SNAPSHOT = snapshot_of()
NAMES = ["A", "B"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index with one package."""
    (tmp_path / "index").mkdir()
    with serving(tmp_path / "index") as served:
        served.add("alpha", "1.0")
        yield served


@pytest.fixture
def maker(tmp_path: Path) -> UvEnvironments:
    """Environments with a cache of their own."""
    environ = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    return UvEnvironments(tmp_path / "environments", tmp_path, environ)


@pytest.fixture
def environment(index: Index) -> Environment:
    """One that installs that package, for the Python that runs the tests."""
    alpha = LockedPackage("alpha", "alpha==1.0", (index.digest("alpha-1.0-py3-none-any.whl"),))
    return Environment("inputs", "3.11", "linux/amd64", (alpha,), indexes=(index.url,))


def installed(python: Path) -> set[str]:
    """The names of what an interpreter has."""
    code = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_has_what_is_locked_and_nothing_else(maker: UvEnvironments, environment: Environment) -> None:
    """Several that want the same one at once get it; it is made once, and then no index is asked."""
    assert maker.missing(environment, SNAPSHOT)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: maker.python_of(environment, SNAPSHOT, NAMES), range(4)))
    assert len(set(found)) == 1
    assert installed(found[0]) == {"alpha"}
    assert not maker.missing(environment, SNAPSHOT)
    assert maker.python_of(environment, SNAPSHOT, NAMES) == found[0]


def test_one_that_was_cut_off_is_made_anew(maker: UvEnvironments, environment: Environment) -> None:
    """Without the mark that it is whole, what is there is not trusted."""
    python = maker.python_of(environment, SNAPSHOT, NAMES)
    (python.parents[1] / ".chainctl-whole").unlink()
    next(python.parents[1].rglob("alpha*.dist-info")).rename(python.parents[1] / "lost")
    assert installed(maker.python_of(environment, SNAPSHOT, NAMES)) == {"alpha"}


def test_another_lock_is_another_environment(maker: UvEnvironments, environment: Environment) -> None:
    """The digest is over all that is installed."""
    empty = replace(environment, packages=())
    assert maker.python_of(environment, SNAPSHOT, NAMES) != maker.python_of(empty, SNAPSHOT, NAMES)


def test_a_file_with_another_hash_is_refused(maker: UvEnvironments, environment: Environment) -> None:
    """Nothing of it is used the next time either."""
    (alpha,) = environment.packages
    wrong = replace(environment, packages=(replace(alpha, hashes=("sha256:" + "0" * 64,)),))
    with pytest.raises(IsolationError) as caught:
        maker.python_of(wrong, SNAPSHOT, NAMES)
    (problem,) = caught.value.problems
    assert problem.code == "CH0815"
    assert "the environment of A, B cannot be installed from the lock" in problem.message
    assert maker.missing(wrong, SNAPSHOT)


def test_a_python_that_is_not_here_is_named(maker: UvEnvironments, environment: Environment) -> None:
    """None is downloaded."""
    with pytest.raises(IsolationError) as caught:
        maker.python_of(replace(environment, python="3.99"), SNAPSHOT, NAMES)
    (problem,) = caught.value.problems
    assert problem.code == "CH0814"
    assert "3.99" in problem.message


def test_a_private_index_is_opened_with_credentials_that_no_error_shows(
    maker: UvEnvironments, environment: Environment, index: Index
) -> None:
    """They are in a file that nobody else can read, for as long as uv runs."""
    private = replace(environment, indexes=(index.private_url,))
    with pytest.raises(IsolationError):
        maker.python_of(private, SNAPSHOT, NAMES)
    opened = replace(maker, credentials=lambda: index.netrc)
    assert installed(opened.python_of(private, SNAPSHOT, NAMES)) == {"alpha"}
    (alpha,) = environment.packages
    absent = replace(private, packages=(replace(alpha, requirement="alpha==9.9"),))
    with pytest.raises(IsolationError) as caught:
        opened.python_of(absent, SNAPSHOT, NAMES)
    assert PASSWORD not in str(caught.value.problems)

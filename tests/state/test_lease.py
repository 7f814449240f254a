"""One lock on a scope, whoever asks, on every database: the dead lose it, the slow learn that they did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from chainctl.errors import LockHeldError, LockLostError, StateError
from chainctl.state.database import Database
from chainctl.state.lease import Locks, process_started

HOLD = """
import sys
from chainctl.state.database import Database
from chainctl.state.lease import Locks
locks = Locks(Database.open(sys.argv[1]), "n", lease_sec=float(sys.argv[2]), beat_sec=0.05)
with locks.held("shop") as lease:
    print(lease.token, flush=True)
    sys.stdin.readline()
    lease.check()
print("gone", flush=True)
"""


@contextmanager
def holder(url: str, lease_sec: float = 60) -> Iterator[subprocess.Popen[str]]:
    """Another process with the lock on "shop"; it goes on with a line on stdin."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, str(lease_sec)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        try:
            yield child
        finally:
            child.kill()


def token_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.fixture
def locks(url: str) -> Iterator[Locks]:
    database = Database.open(url)
    yield Locks(database, "n", lease_sec=60, beat_sec=0.05)
    database.close()


def test_who_holds_it_is_named_and_others_are_free(locks: Locks, url: str) -> None:
    with holder(url) as child:
        token = token_of(child)
        with (
            pytest.raises(LockHeldError, match=f"process {child.pid} is changing shop") as raised,
            locks.held("shop"),
        ):
            pass
        assert raised.value.details == (f"lock token {token}",)
        with locks.held("other"), Locks(locks.database, "m").held("shop"):
            pass


def test_the_lock_of_the_dead_is_free_at_once(locks: Locks, url: str) -> None:
    """A process that has its number by now is another one."""
    with holder(url) as child:
        token_of(child)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        with locks.held("shop") as lease:
            lease.check()


def test_it_is_waited_for(locks: Locks, url: str) -> None:
    with holder(url) as child:
        token_of(child)
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        with locks.held("shop", wait_sec=30) as lease:
            lease.check()
        assert child.wait() == 0


def test_who_stands_still_loses_it_and_learns_so_before_it_writes(locks: Locks, url: str) -> None:
    """Stopped past its lease; when it goes on, its next write is refused and the lock of the other stays."""
    patient = Locks(locks.database, "n", lease_sec=0.5, beat_sec=0.05)
    with holder(url, 0.5) as child:
        token_of(child)
        os.kill(child.pid, signal.SIGSTOP)
        with patient.held("shop", wait_sec=30) as lease:
            os.kill(child.pid, signal.SIGCONT)
            _, said = child.communicate("\n", timeout=30)
            assert child.returncode == 1
            assert "LockLostError" in said
            lease.check()


def test_a_lease_is_renewed_while_it_is_held(locks: Locks, url: str) -> None:
    """Also beyond its first end."""
    with holder(url, 0.5) as child:
        token_of(child)
        impatient = Locks(locks.database, "n", lease_sec=0.5)
        with pytest.raises(LockHeldError), impatient.held("shop", wait_sec=1.5):
            pass


def test_a_token_unlocks(locks: Locks, url: str) -> None:
    with holder(url) as child:
        token = token_of(child)
        assert locks.unlock(token) == "shop"
        with pytest.raises(StateError, match="no lock has this token"):
            locks.unlock(token)
        with locks.held("shop"):
            pass
        _, said = child.communicate("\n", timeout=30)
        assert "LockLostError" in said


def test_a_token_unlocks_below_its_namespace_too(locks: Locks) -> None:
    """The components of a chain are below its target; those of another target are not."""
    beside = Locks(locks.database, "nn/shop")
    with beside.held("components") as other, pytest.raises(StateError, match="no lock has this token"):
        locks.unlock(other.token)
    with suppress(LockLostError), Locks(locks.database, "n/shop").held("components") as lease:
        assert locks.unlock(lease.token) == "components"


def test_it_may_be_entered_again_by_who_has_it(locks: Locks) -> None:
    """As a trigger does that applies something itself."""
    with locks.held("shop") as outer:
        with locks.held("shop") as inner:
            assert inner == outer
        outer.check()
    with pytest.raises(LockLostError):
        outer.check()


def test_a_process_is_told_from_the_next_one_with_its_number() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = process_started(child.pid)
    assert began not in ("", process_started(os.getpid()))
    child.communicate(b"\n")
    assert process_started(child.pid) == ""

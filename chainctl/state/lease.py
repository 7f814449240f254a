"""A scope in; the one lock on it held, with a lease that is renewed, until it is given back, out.

A holder that died on this machine is known to be dead, so that its lock is free at once. One on another
machine loses it when it did not renew its lease. Who lost it learns so at the next write: every write
compares the token (M. Kleppmann calls that fencing).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainctl.errors import ChainctlError, LockHeldError, LockLostError, StateError
from chainctl.state.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

LEASE_SEC = 60.0
BEAT_SEC = 10.0
_POLL_SEC = 0.1


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lock. `require` is what each write begins with."""

    database: Database
    namespace: str
    scope: str
    token: str

    def require(self, connection: Connection) -> None:
        """Raise LockLostError when somebody else has the lock by now."""
        from sqlalchemy import select

        from chainctl.state.tables import lock

        query = select(lock.c.token).where(lock.c.namespace == self.namespace, lock.c.scope == self.scope)
        query = query if self.database.is_sqlite else query.with_for_update()
        if connection.execute(query).scalar_one_or_none() != self.token:
            raise LockLostError(
                f"the lock on {self.scope} was lost: this command stood still for longer than its lease",
                hint="another command may have gone on; look at `chainctl ps`, then run this one again.",
            )

    def check(self) -> None:
        """Raise LockLostError, without a write."""
        with self.database.reading() as connection:
            self.require(connection)


@dataclass(frozen=True, slots=True)
class Locks:
    """All locks of a namespace. A process may enter a lock again that it holds by the same object."""

    database: Database
    namespace: str
    lease_sec: float = LEASE_SEC
    beat_sec: float = BEAT_SEC
    _held: dict[str, Lease] = field(default_factory=dict, repr=False)

    @contextmanager
    def held(self, scope: str, *, wait_sec: float = 0.0) -> Iterator[Lease]:
        """Hold the lock on a scope. Raises LockHeldError naming who has it."""
        if scope in self._held:
            yield self._held[scope]
            return
        lease = self._acquired(scope, wait_sec)
        self._held[scope] = lease
        over = threading.Event()
        beating = threading.Thread(target=self._beat, args=(lease, over), daemon=True, name="lease")
        beating.start()
        try:
            yield lease
        finally:
            over.set()
            beating.join()
            del self._held[scope]
            self._give_back(lease)

    def holder(self, scope: str) -> tuple[str, int] | None:
        """Return where the process runs that holds a lock, and its number; None where nobody does."""
        from chainctl.state.tables import lock

        with self.database.reading() as connection:
            now = self.database.now(connection)
            query = lock.select().where(lock.c.namespace == self.namespace, lock.c.scope == scope)
            found = connection.execute(query).one_or_none()
        if found is None or _is_over(found, now, self.lease_sec):
            return None
        return str(found.host), int(found.pid)

    def unlock(self, token: str) -> str:
        """Take a lock away from whoever holds it; returns its scope. Raises StateError.

        It is looked for in this namespace and in those below it, as the components of a target's chains are.
        """
        from chainctl.state.tables import lock

        below = lock.c.namespace.startswith(f"{self.namespace}/", autoescape=True)
        mine = ((lock.c.namespace == self.namespace) | below, lock.c.token == token)
        with self.database.writing() as connection:
            found = connection.execute(lock.select().where(*mine)).one_or_none()
            connection.execute(lock.delete().where(*mine))
        if found is None:
            raise StateError(
                "no lock has this token", hint="the error of the command that was refused names the token."
            )
        return str(found.scope)

    def _acquired(self, scope: str, wait_sec: float) -> Lease:
        deadline = time.monotonic() + wait_sec
        while True:
            token = secrets.token_hex(8)
            holder = self._try(scope, token)
            if holder is None:
                return Lease(self.database, self.namespace, scope, token)
            if time.monotonic() >= deadline:
                raise _held_by(scope, holder)
            threading.Event().wait(_POLL_SEC)

    def _try(self, scope: str, token: str) -> Row[Any] | None:
        """Take the lock when it is free; returns who has it otherwise."""
        from sqlalchemy.exc import IntegrityError

        from chainctl.state.tables import lock

        mine = (lock.c.namespace == self.namespace, lock.c.scope == scope)
        try:
            with self.database.writing() as connection:
                now = self.database.now(connection)
                query = lock.select().where(*mine)
                query = query if self.database.is_sqlite else query.with_for_update()
                found = connection.execute(query).one_or_none()
                if found is not None and not _is_over(found, now, self.lease_sec):
                    return found
                if found is not None:  # only this one: another may have been given out since we looked
                    connection.execute(lock.delete().where(*mine, lock.c.token == found.token))
                connection.execute(
                    lock.insert().values(
                        namespace=self.namespace, scope=scope, token=token, host=machine(),
                        pid=os.getpid(), process_started=process_started(os.getpid()), user=user_name(),
                        acquired_at=now, heartbeat=now,
                    )
                )  # fmt: skip
        except IntegrityError:  # somebody was faster, between our look and our insert
            with self.database.reading() as connection:
                return connection.execute(lock.select().where(*mine)).one_or_none() or self._try(scope, token)
        return None

    def _beat(self, lease: Lease, over: threading.Event) -> None:
        """Renew a lease until it is over. One that can not be renewed is found out at the next write."""
        from chainctl.state.tables import lock

        while not over.wait(self.beat_sec):
            try:
                with self.database.writing() as connection:
                    connection.execute(
                        lock.update()
                        .where(lock.c.namespace == self.namespace, lock.c.token == lease.token)
                        .values(heartbeat=self.database.now(connection))
                    )
            except ChainctlError:
                continue

    def _give_back(self, lease: Lease) -> None:
        from chainctl.state.tables import lock

        with self.database.writing() as connection:
            connection.execute(
                lock.delete().where(lock.c.namespace == self.namespace, lock.c.token == lease.token)
            )


def _is_over(holder: Row[Any], now: float, lease_sec: float) -> bool:
    """Say whether a holder is dead, or has not renewed its lease."""
    if holder.host == machine() and process_started(holder.pid) != holder.process_started:
        return True
    return bool(now - holder.heartbeat > lease_sec)


def _held_by(scope: str, holder: Row[Any]) -> LockHeldError:
    here = holder.host == machine()
    where = "" if here else f" of {holder.user} on {holder.host.partition('/')[0]}"
    return LockHeldError(
        f"process {holder.pid}{where} is changing {scope} right now",
        hint="wait for it to end, then run the command again."
        + ("" if here else f" If it is gone for good: `chainctl unlock {holder.token}`."),
        details=[f"lock token {holder.token}"],
    )


def machine() -> str:
    """Where a process number means something: this host, since its start, in this namespace of processes.

    Containers may have one host name, and count their processes each for itself.
    """
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def process_started(pid: int) -> str:
    """When a process began, so that another one with its number is not taken for it; "" for none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "" if not _is_alive(pid) else "?"
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _is_alive(pid: int) -> bool:
    """Ask the system, where there is no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())

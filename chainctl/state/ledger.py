"""Releases of chains in; their numbered history out, in the state's database.

A release is a revision of the component `ChainDeployment` that has the chain's name. What is no
release lies in files of the state directory: `<root>/<target>/<chain>/token`, mode 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from chainctl.build.input_table import InputTable
from chainctl.deploy.interfaces import Interfaces
from chainctl.deploy.release import Release
from chainctl.errors import ChainctlError, LockHeldError, UsageError
from chainctl.state.glance import CHAIN, LATEST, NAMES, NUMBERS, ONE, OWNED, rows
from chainctl.state.private import private_directory, write_private
from chainctl.version import __version__

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chainctl.state.database import Database
    from chainctl.state.lease import Lease, Locks

_SCHEMA = 1
_SCALER, _NEXT = "autoscale", "next"
_SCALER_SEC = 900.0
"""How long a command waits for replicas that are being started or drained: as long as a slow start may take."""


@dataclass(frozen=True, slots=True)
class Record:
    """One release as it was shipped. `time` is seconds since the epoch.

    `inputs` has what each chainlet's image is made of, `interfaces` how chainlets are called, `components`
    the revisions (class, identifier, number) of those that were applied with it, children first; records
    of older versions have none.
    """

    number: int
    release: Release
    time: float
    source: str
    user: str = ""
    revision: str = ""
    schema: int = _SCHEMA
    inputs: InputTable = field(default_factory=InputTable)
    interfaces: Interfaces = field(default_factory=Interfaces)
    components: tuple[tuple[str, str, int], ...] = ()


def default_database(root: Path) -> str:
    """The URL of the database of a state directory."""
    return f"sqlite:///{root / 'state.db'}"


def component_namespace(target: str, chain: str) -> str:
    """Where the components of a chain are kept: two chains may have components of one name."""
    return f"{target}/{chain}"


class Ledger:
    """The releases of one target's chains, in the database at a URL; by default a file in the directory."""

    def __init__(self, root: Path, target: str, database: str | None = None) -> None:
        self._root = root / target
        self._target = target
        self._url = database or default_database(root)
        self._opened: Database | None = None
        self._locks: Locks | None = None
        self._leases: dict[str, Lease] = {}

    def open(self) -> None:
        """Load and open the database now: an import that is interrupted can not be made up for in a clean-up."""
        self._all_locks()

    def chains(self) -> list[str]:
        """Names of all chains that have a release here, sorted."""
        return [str(row[0]) for row in self._ask(NAMES)]

    def latest(self, chain: str) -> Record | None:
        """The newest release of a chain, None when there is none."""
        found = self._ask(LATEST, identifier=_named(chain))
        return _parsed(chain, found[0][0]) if found else None

    def numbers(self, chain: str) -> list[int]:
        """The numbers of a chain's releases, oldest first."""
        return [int(row[0]) for row in self._ask(NUMBERS, identifier=_named(chain))]

    def has_components(self, chain: str) -> bool:
        """Say whether components were applied with a chain, whatever its file says now."""
        namespace = component_namespace(self._target, _named(chain))
        return bool(self._ask(OWNED, namespace=namespace, owner=chain))

    def load(self, chain: str, number: int) -> Record:
        """Read one release.

        Raises ChainctlError when there is none, when it is damaged or of a newer chainctl.
        """
        found = self._ask(ONE, identifier=_named(chain), rev=number)
        if not found:
            raise ChainctlError(f"there is no release {number} of {chain}", hint="look at `chainctl ps`.")
        return _parsed(chain, found[0][0])

    def record(self, record: Record) -> None:
        """Write a release under its number. Raises ChainctlError when that number is taken, LockLostError."""
        from sqlalchemy.exc import IntegrityError

        from chainctl.state.tables import head, revision

        chain = _named(record.release.chain)
        names = {"namespace": self._target, "component": CHAIN, "identifier": chain}
        digest = record.release.digest
        try:
            with self._database().writing() as connection:
                self._require_lock(connection, chain)
                made = connection.execute(
                    revision.insert().returning(revision.c.id).values(
                        **names, version=record.number, rev=record.number, uuid=digest[:32], hash=digest,
                        breaking=digest, data=TypeAdapter(Record).dump_json(record).decode(), node="",
                        is_created=True, created_at=record.time, user=record.user, host=socket.gethostname(),
                        source=record.source, source_revision=record.revision, tool_version=__version__,
                    )
                )  # fmt: skip
                key = [head.c[name] == value for name, value in names.items()]
                connection.execute(head.delete().where(*key))
                connection.execute(
                    head.insert().values(
                        **names,
                        revision_id=made.scalar_one(),
                        status="ready",
                        reason="",
                        owner=chain,
                    )
                )
        except IntegrityError:
            raise ChainctlError(f"release {record.number} of {chain} exists already") from None

    def next_number(self, chain: str) -> int:
        numbers = self.numbers(chain)
        return numbers[-1] + 1 if numbers else 1

    def token(self, chain: str) -> str:
        """The chain's internal token; made when it is first asked for."""
        path = self._directory(chain) / "token"
        if not path.is_file():
            with _waiting_lock(path.parent):
                if not path.is_file():
                    write_private(path, secrets.token_urlsafe(32).encode())
        return path.read_text()

    def planned_token(self, chain: str) -> str:
        """The token that the chain has, or one that is kept nowhere, for a plan that writes nothing."""
        path = self._directory(chain) / "token"
        return path.read_text() if path.is_file() else secrets.token_urlsafe(32)

    def edited(self, chain: str) -> frozenset[str]:
        """The services that run other code than their images have, since they were edited while they were watched."""
        path = self._directory(chain) / "edited"
        return frozenset(path.read_text().split()) if path.is_file() else frozenset()

    def mark_edited(self, chain: str, services: Iterable[str]) -> None:
        """Remember which services those are, and no others."""
        path, names = self._directory(chain) / "edited", sorted(services)
        if names:
            write_private(path, "\n".join(names).encode())
        else:
            path.unlink(missing_ok=True)

    def forget(self, chain: str) -> None:
        """Drop all that is known of a chain, at once. Holders of its lock may do that."""
        from chainctl.state.tables import head, revision, variable

        if self._ask(NUMBERS, identifier=_named(chain)):
            with self._database().writing() as connection:
                self._require_lock(connection, chain)
                for table in (head, revision):
                    mine = {"namespace": self._target, "component": CHAIN, "identifier": chain}
                    connection.execute(table.delete().where(*(table.c[n] == v for n, v in mine.items())))
                own = (variable.c.namespace == self._target, variable.c.chain == chain)
                connection.execute(variable.delete().where(*own))
        directory = self._directory(chain)
        if directory.is_dir():
            gone = Path(tempfile.mkdtemp(dir=self._root, prefix=".gone-"))
            directory.rename(gone / "chain")
            shutil.rmtree(gone, ignore_errors=True)

    @contextmanager
    def lock(self, chain: str) -> Iterator[Lease]:
        """Hold the chain's deploy lock; it is free again when the process dies.

        Where it is held by who scales the chain, that one begins nothing more and its change is waited for.
        Raises LockHeldError naming the process that holds it.
        """
        if chain in self._leases:
            raise LockHeldError(
                f"process {os.getpid()} is changing {chain} right now", hint="wait for it to end."
            )
        with ExitStack() as stack:
            lease = self._acquired(chain, stack)
            self._leases[chain] = lease
            try:
                yield lease
            finally:
                del self._leases[chain]

    @contextmanager
    def scaler(self, chain: str) -> Iterator[Lease]:
        """Be the one who scales a chain. Raises LockHeldError while another process is."""
        with self._all_locks().held(f"{_named(chain)}/{_SCALER}") as lease:
            yield lease

    def has_scaler(self, chain: str) -> bool:
        """Say whether a process scales a chain."""
        return self._all_locks().holder(f"{_named(chain)}/{_SCALER}") is not None

    def is_awaited(self, chain: str) -> bool:
        """Say whether a command waits for who scales the chain to let it change the chain."""
        return self._all_locks().holder(f"{_named(chain)}/{_NEXT}") is not None

    def _acquired(self, chain: str, stack: ExitStack) -> Lease:
        locks, scope = self._all_locks(), _named(chain)
        try:
            return stack.enter_context(locks.held(scope))
        except LockHeldError:
            scaler = locks.holder(f"{scope}/{_SCALER}")
            is_scaled = scaler is not None and scaler == locks.holder(scope)
            if not is_scaled:
                raise
        with locks.held(f"{scope}/{_NEXT}"):
            return stack.enter_context(locks.held(scope, wait_sec=_SCALER_SEC))

    def _all_locks(self) -> Locks:
        from chainctl.state.lease import Locks

        if self._locks is None:
            self._locks = Locks(self._database(), self._target)
        return self._locks

    def _require_lock(self, connection: Connection, chain: str) -> None:
        """Let no write through of who has lost its lock. Without a lock there is none to lose."""
        if chain in self._leases:
            self._leases[chain].require(connection)

    def _ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        found = rows(self._url, query, {"namespace": self._target, "component": CHAIN, **values})
        return [tuple(row) for row in found]

    def _database(self) -> Database:
        from chainctl.state.database import Database

        if self._opened is None:
            self._opened = Database.open(self._url)
        return self._opened

    def _directory(self, chain: str) -> Path:
        return self._root / _named(chain)


def _named(chain: str) -> str:
    """A chain's name, which may come from a command line: it must not lead elsewhere. Raises UsageError."""
    if chain in ("", ".", "..") or "/" in chain or "\0" in chain:
        raise UsageError(f"{chain!r} is no name of a chain", hint="`chainctl ps` shows the names.")
    return chain


def _parsed(chain: str, data: object) -> Record:
    """Raises ChainctlError for anything but a record, and for one of a newer chainctl."""
    try:
        fields = json.loads(str(data))
        schema = fields.get("schema") if isinstance(fields, dict) else None
        if isinstance(schema, int) and schema > _SCHEMA:
            raise ChainctlError(
                f"a release of {chain} was written by a newer chainctl",
                hint="upgrade: `pip install -U chainctl`.",
            )
        return TypeAdapter(Record).validate_json(str(data))
    except ValueError as error:
        raise ChainctlError(
            f"a release of {chain} is damaged in the state: {str(error).splitlines()[0]}",
            hint="push again: what runs is not touched by that.",
        ) from error


@contextmanager
def _waiting_lock(directory: Path) -> Iterator[None]:
    """Let one process at a time make something in a directory."""
    private_directory(directory)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

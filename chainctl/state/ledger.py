"""Releases of chains in; their numbered history out, one JSON file a release in the state directory.

Layout: `<root>/<target>/<chain>/releases/000001.json`, `token` and `lock` beside it. Files are
written to a temporary name and renamed, so that a reader sees all of a file or nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter

from chainctl.build.input_table import InputTable
from chainctl.deploy.interfaces import Interfaces
from chainctl.deploy.release import Release
from chainctl.errors import ChainctlError, LockHeldError, UsageError

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One release as it was shipped. `time` is seconds since the epoch.

    `inputs` has what each chainlet's image is made of, `interfaces` how chainlets are called; records
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


class Ledger:
    """The releases of one target's chains."""

    def __init__(self, root: Path, target: str) -> None:
        self._root = root / target

    def chains(self) -> list[str]:
        """Names of all chains that have a release here, sorted."""
        return sorted(p.parent.name for p in self._root.glob("*/releases") if any(p.glob("*.json")))

    def latest(self, chain: str) -> Record | None:
        """The newest release of a chain, None when there is none."""
        numbers = self._numbers(chain)
        return self.load(chain, numbers[-1]) if numbers else None

    def numbers(self, chain: str) -> list[int]:
        """The numbers of a chain's releases, oldest first."""
        return self._numbers(chain)

    def load(self, chain: str, number: int) -> Record:
        """Read one release.

        Raises ChainctlError when there is none, when its file is damaged or of a newer chainctl.
        """
        path = self._release_path(chain, number)
        try:
            return _parsed(path, path.read_bytes())
        except FileNotFoundError:
            raise ChainctlError(
                f"there is no release {number} of {chain}", hint="look at `chainctl ps`."
            ) from None
        except ValueError as error:
            raise ChainctlError(
                f"{path} is damaged: {str(error).splitlines()[0]}",
                hint="move the file away and push again; what runs is not touched by that.",
            ) from error

    def record(self, record: Record) -> None:
        """Write a release under its number. Raises ChainctlError when that number is taken."""
        path = self._release_path(record.release.chain, record.number)
        if path.exists():
            raise ChainctlError(f"release {record.number} of {record.release.chain} exists already")
        _write(path, TypeAdapter(Record).dump_json(record, indent=1))

    def next_number(self, chain: str) -> int:
        numbers = self._numbers(chain)
        return numbers[-1] + 1 if numbers else 1

    def token(self, chain: str) -> str:
        """The chain's internal token; made when it is first asked for."""
        path = self._directory(chain) / "token"
        if not path.is_file():
            with _waiting_lock(path.parent):
                if not path.is_file():
                    _write(path, secrets.token_urlsafe(32).encode(), mode=0o600)
        return path.read_text()

    def planned_token(self, chain: str) -> str:
        """The token that the chain has, or one that is kept nowhere, for a plan that writes nothing."""
        path = self._directory(chain) / "token"
        return path.read_text() if path.is_file() else secrets.token_urlsafe(32)

    def forget(self, chain: str) -> None:
        """Drop all that is known of a chain, at once. Holders of its lock may do that."""
        directory = self._directory(chain)
        if directory.is_dir():
            gone = Path(tempfile.mkdtemp(dir=self._root, prefix=".gone-"))
            directory.rename(gone / "chain")
            shutil.rmtree(gone, ignore_errors=True)

    def forget_empty(self, chain: str) -> None:
        """Drop the place of a chain of which nothing is known. Holders of its lock may do that."""
        if {path.name for path in self._directory(chain).glob("*")} <= {"lock"}:
            self.forget(chain)

    @contextmanager
    def lock(self, chain: str) -> Iterator[None]:
        """Hold the chain's deploy lock; the system releases it when the process dies.

        Raises LockHeldError naming the process that holds it.
        """
        path = self._directory(chain) / "lock"
        with _locked(path, chain) as file:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _release_path(self, chain: str, number: int) -> Path:
        return self._directory(chain) / "releases" / f"{number:06}.json"

    def _numbers(self, chain: str) -> list[int]:
        names = (path.stem for path in (self._directory(chain) / "releases").glob("*.json"))
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def _directory(self, chain: str) -> Path:
        """The place of a chain. Its name may come from a command line: it must not lead elsewhere."""
        if chain in ("", ".", "..") or "/" in chain or "\0" in chain:
            raise UsageError(f"{chain!r} is no name of a chain", hint="`chainctl ps` shows the names.")
        return self._root / chain


def _parsed(path: Path, data: bytes) -> Record:
    """Raises ValueError for anything but a record, ChainctlError for a newer one."""
    fields = json.loads(data)
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if isinstance(schema, int) and schema > _SCHEMA:
        raise ChainctlError(
            f"{path} was written by a newer chainctl", hint="upgrade: `pip install -U chainctl`."
        )
    return TypeAdapter(Record).validate_json(data)


def _locked(path: Path, chain: str) -> IO[str]:
    """Open and lock a file. Where it was removed by its holder in between, take the one that came after."""
    while True:
        _make_private(path.parent)
        try:
            file = path.open("a+")
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            with file:
                file.seek(0)
                raise _held(chain, file.read().strip()) from None
        file.close()


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _waiting_lock(directory: Path) -> Iterator[None]:
    """Let one process at a time make something in a directory."""
    _make_private(directory)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _held(chain: str, pid: str) -> LockHeldError:
    by = f"process {pid}" if pid else "another process"
    return LockHeldError(
        f"{by} is changing {chain} right now", hint="wait for it to end, then run the command again."
    )


def _make_private(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all."""
    _make_private(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""A locked environment and its files in; a Python that has exactly its packages, kept for later runs, out."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from chainctl.adapters.uv.command import compile_environ, install_command, venv_command
from chainctl.adapters.uv.compile import certificate_bundle, redacted, uv_program
from chainctl.adapters.uv.processes import Processes
from chainctl.build.context import BuildContext, ContextFile
from chainctl.build.installation import LOCKED, locked_files
from chainctl.build.lock import Environment
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import IsolationError, Problem

_WHOLE = ".chainctl-whole"
_DIGEST_LENGTH = 16
_TAIL = 12


@dataclass(frozen=True, slots=True)
class UvEnvironments:
    """Makes environments with uv below `directory`; each is named by a digest of what is installed.

    `root` is the directory of the lock. `credentials` gives netrc text, when something is installed;
    `certificates` are PEM files of authorities to trust besides those of this machine.
    """

    directory: Path
    root: Path
    environ: Mapping[str, str] = field(repr=False)
    _: KW_ONLY
    credentials: Callable[[], str] = field(default=lambda: "", repr=False)
    certificates: tuple[str, ...] = ()
    _processes: Processes = field(default_factory=Processes, init=False, repr=False)

    def missing(self, environment: Environment, snapshot: SourceSnapshot) -> bool:
        """Say whether an environment would have to be made."""
        return not (self._place(environment, self._files(environment, snapshot)) / _WHOLE).is_file()

    def python_of(self, environment: Environment, snapshot: SourceSnapshot, chainlets: Sequence[str]) -> Path:
        """Return the interpreter of an environment, which is made where it is not there yet.

        `chainlets` are those that use it. One that was cut off is made anew; two commands do not make the
        same one at once. Raises IsolationError.
        """
        files = self._files(environment, snapshot)
        place = self._place(environment, files)
        python = place / "bin" / "python"
        if (place / _WHOLE).is_file():
            return python
        self.directory.mkdir(parents=True, exist_ok=True)
        with _locked(place.with_name(f"{place.name}.lock")):
            if not (place / _WHOLE).is_file():
                shutil.rmtree(place, ignore_errors=True)
                self._make(place, environment, files, ", ".join(chainlets))
                (place / _WHOLE).touch()
        return python

    def cancel(self) -> None:
        """End what runs in other threads: there, IsolationError is raised soon."""
        self._processes.cancel()

    def _files(self, environment: Environment, snapshot: SourceSnapshot) -> list[ContextFile]:
        return locked_files(environment, snapshot, str(self.root))

    def _place(self, environment: Environment, files: list[ContextFile]) -> Path:
        named = [*files, ContextFile.of_text("python", f"{environment.python} {environment.platform}")]
        return self.directory / BuildContext.of(named).digest[:_DIGEST_LENGTH]

    def _make(self, place: Path, environment: Environment, files: list[ContextFile], who: str) -> None:
        netrc = self.credentials()
        with tempfile.TemporaryDirectory(prefix="chainctl-install-") as name:
            directory = Path(name)
            for file in files:
                _write(directory / file.path, file)
            environ = self._environ(directory, netrc)
            code, said = self._processes.run(
                venv_command(uv_program(), environment.python, place), directory, environ
            )
            if code:
                raise IsolationError([_no_python(environment.python, who, redacted(said, netrc))])
            code, said = self._processes.run(
                install_command(uv_program(), place, environment, LOCKED), directory / "requirements", environ
            )
            if code:
                raise IsolationError([_not_installed(who, redacted(said, netrc))])

    def _environ(self, directory: Path, netrc: str) -> dict[str, str]:
        file, bundle = directory / "netrc", directory / "certificates.pem"
        if netrc:
            file.touch(mode=0o600)
            file.write_text(netrc, encoding="utf-8")
        if self.certificates:
            bundle.write_bytes(certificate_bundle(self.certificates, self.environ))
        return compile_environ(
            self.environ,
            netrc=str(file) if netrc else "",
            certificates=str(bundle) if self.certificates else "",
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock, which the kernel gives back however this process ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, file: ContextFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, bytes):
        path.write_bytes(file.content)
    else:
        shutil.copyfile(file.content, path)


def _no_python(version: str, who: str, said: str) -> Problem:
    return Problem(
        "CH0814",
        f"the environment of {who} needs Python {version}, which is not on this machine",
        note="\n".join(said.strip().splitlines()[-_TAIL:]),
        help=f"install it, such as with `uv python install {version}`; or name another `base_image`",
    )


def _not_installed(who: str, said: str) -> Problem:
    return Problem(
        "CH0815",
        f"the environment of {who} cannot be installed from the lock",
        note="\n".join(said.strip().splitlines()[-_TAIL:]),
        help="run it again if an index did not answer; else `chainctl lock --upgrade` chooses other versions",
    )

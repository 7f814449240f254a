"""A Task in; its environment, resolved by `uv pip compile`, out."""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from chainctl.adapters.uv.answer import environment_of, with_allowed_hashes
from chainctl.adapters.uv.command import (
    OUTPUT,
    compile_command,
    compile_environ,
    preferences_of,
    sources_of,
)
from chainctl.adapters.uv.failure import failure_problems, hash_problems, yanked_problems
from chainctl.adapters.uv.processes import Processes
from chainctl.build.lock import Environment
from chainctl.build.requirement_lines import Asked
from chainctl.build.settle import Task, Upgrade
from chainctl.build.wanted import list_line
from chainctl.errors import LockError, UsageError

_REDACTED = "[REDACTED]"


@dataclass(frozen=True, slots=True)
class UvResolver:
    """Resolves with uv. `root` is the directory of the lock. `credentials` gives netrc text, when it is needed.

    `certificates` are PEM files of authorities to trust besides those of this machine.
    """

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    _: KW_ONLY
    credentials: Callable[[], str] = field(default=lambda: "", repr=False)
    certificates: tuple[str, ...] = ()
    _processes: Processes = field(default_factory=Processes, init=False, repr=False)

    def resolve(self, task: Task, upgrade: Upgrade) -> Environment:
        """Return the packages of an environment. Raises LockError with the problems that stand in the way.

        What uv needs is in a directory that nobody else can read, and that is gone afterwards.
        """
        netrc = self.credentials()
        with tempfile.TemporaryDirectory(prefix="chainctl-lock-") as name:
            directory = Path(name)
            sources = sources_of(task.wanted)
            for file, text in sources.texts.items():
                (directory / file).write_text(text, encoding="utf-8")
            (directory / OUTPUT).write_text(preferences_of(task, upgrade), encoding="utf-8")
            command = compile_command(uv_program(), sys.executable, task.wanted, sources, upgrade)
            code, said = self._processes.run(command, directory, self._environ(directory, netrc))
            self._require_success(task, code, redacted(said, netrc))
            written = (directory / OUTPUT).read_text(encoding="utf-8")
        found = environment_of(task.wanted, written, sources.origins, str(self.root))
        environment, refused = with_allowed_hashes(task.wanted, found)
        if refused:
            raise LockError(hash_problems(task.wanted, refused, str(self.root)))
        return environment

    def cancel(self) -> None:
        """End what runs in other threads: there, LockError is raised soon."""
        self._processes.cancel()

    def _environ(self, directory: Path, netrc: str) -> dict[str, str]:
        file = directory / "netrc"
        if netrc:
            file.touch(mode=0o600)
            file.write_text(netrc, encoding="utf-8")
        bundle = directory / "certificates.pem"
        if self.certificates:
            bundle.write_bytes(certificate_bundle(self.certificates, self.environ))
        return compile_environ(
            self.environ,
            netrc=str(file) if netrc else "",
            certificates=str(bundle) if self.certificates else "",
        )

    def _require_success(self, task: Task, code: int, said: str) -> None:
        problems = (
            failure_problems(task.wanted, said, _line_of, str(self.root))
            if code
            else yanked_problems(task.wanted, said, _line_of, str(self.root))
        )
        if problems:
            raise LockError(problems)


def uv_program() -> str:
    """The path of uv, which is installed beside us. Raises UsageError where it is not."""
    import uv

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise UsageError(
            "uv is not installed completely", hint="`pip install --force-reinstall uv`."
        ) from error


def _line_of(asked: Asked) -> int:
    """The line of a requirement; of one in a chain file's list it is looked for there."""
    if not asked.path.endswith(".py"):
        return asked.line
    try:
        return list_line(asked.text, Path(asked.path).read_text(encoding="utf-8"), asked.line)
    except (OSError, UnicodeDecodeError):
        return asked.line


def certificate_bundle(extra: tuple[str, ...], environ: Mapping[str, str]) -> bytes:
    """Return the authorities of this machine and extra ones, as one PEM text."""
    system = environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    paths = [*([system] if system else []), *extra]
    return b"\n".join(path.read_bytes() for path in map(Path, paths) if path.is_file())


def redacted(text: str, netrc: str) -> str:
    """Leave out every word of the credentials, though uv itself shows none."""
    words = netrc.split()
    secret = {words[i + 1] for i, word in enumerate(words[:-1]) if word in ("login", "password", "account")}
    for word in sorted(secret, key=len, reverse=True):
        text = text.replace(word, _REDACTED) if len(word) > 3 else text
    return text

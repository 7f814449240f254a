"""A directory in; a PostgreSQL server on a Unix socket in it, out. Debian's package, run as nobody special."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"
_START_SEC = 60


def binaries() -> Path | None:
    """Where the newest PostgreSQL of this machine has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def install() -> Path:
    """Install Debian's package, without the server that it would set up. Raises CalledProcessError."""
    config = Path("/etc/postgresql-common/createcluster.conf")
    config.parent.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        config.write_text("create_main_cluster = false\n")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        subprocess.run(
            ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *words],
            env=environ, check=True, capture_output=True,
        )  # fmt: skip
    found = binaries()
    assert found is not None, "the package has no initdb"
    return found


@contextmanager
def server() -> Iterator[str]:
    """Run a server; yields the URL of its database, without host or port for others to reach."""
    programs = binaries() or install()
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data, user = directory / "data", _user()
    if user:
        shutil.chown(directory, user)
    try:
        _run([programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "--no-sync"], user)
        options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
        log, control = directory / "log", programs / "pg_ctl"
        how: list[str | Path] = ["-D", data, "-l", log, "-t", str(_START_SEC), "-w", "-o", options]
        _run([control, *how, "start"], user)
        try:
            yield f"postgresql+psycopg://{_USER}@/postgres?host={directory}"
        finally:
            os.kill(int((data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    pwd.getpwnam(_USER)
    return _USER


def _run(command: Sequence[str | Path], user: str | None) -> None:
    done = subprocess.run(
        [str(word) for word in command], user=user, capture_output=True, text=True, check=False, cwd="/tmp"
    )
    assert done.returncode == 0, done.stdout + done.stderr

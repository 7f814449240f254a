"""Paths, addresses and names of programs in; facts about this machine out. Changes nothing that stays."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from chainctl.adapters.host_facts import GpuFacts, PathFacts, PortFacts, SecretFacts, SocketFacts

FIRST_PORT = 8100
_PORTS_TRIED = 100
_SOCKET_PATH_LIMIT = 107  # of Linux, without the ending zero


def path_facts(path: Path) -> PathFacts:
    """Look at a path; at the nearest parent that exists where nothing is there."""
    there = _nearest(path)
    is_there = there == path
    mode = stat.S_IMODE(path.stat().st_mode) if is_there else None
    is_writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return PathFacts(path, mode, is_there and path.is_dir(), is_writable, shutil.disk_usage(there).free)


def secret_facts(directory: Path, file: Path | None) -> SecretFacts:
    """Look at the places of secrets; reads none of them."""
    return SecretFacts(path_facts(directory), _open_files(directory), path_facts(file) if file else None)


def port_facts(bind: str, wanted: int | None) -> PortFacts:
    """Find the first port on an address on which nothing listens: the wanted one, or one from 8100."""
    ports = range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED) if wanted is None else (wanted,)
    try:
        return PortFacts(bind, wanted, next((port for port in ports if _is_free(bind, port)), None))
    except OSError as error:
        return PortFacts(bind, wanted, None, error.strerror or str(error))


def gpu_facts(search_path: str | None, timeout_sec: float) -> GpuFacts:
    """Ask nvidia-smi which GPUs this machine has."""
    program = shutil.which("nvidia-smi", path=search_path)
    if program is None:
        return GpuFacts()
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_sec, check=False)
    except subprocess.TimeoutExpired:
        return GpuFacts(has_smi=True, error=f"no answer in {timeout_sec:g} s")
    except OSError as error:
        return GpuFacts(has_smi=True, error=error.strerror or str(error))
    lines = tuple(line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip())
    if done.returncode != 0:
        return GpuFacts(has_smi=True, error=lines[0] if lines else f"exit code {done.returncode}")
    return GpuFacts(has_smi=True, names=lines)


def socket_facts(runtime: Path, longest: Path) -> SocketFacts:
    """Try whether a Unix socket can be made in, or where there will be, the runtime directory.

    `longest` is the longest path of a socket that will be needed.
    """
    if len(os.fsencode(longest)) > _SOCKET_PATH_LIMIT:
        return SocketFacts(runtime, f"its path is too long for a socket ({len(os.fsencode(longest))} bytes)")
    return SocketFacts(runtime, _privacy_error(runtime) or _bind_error(_nearest(runtime)))


def existing_sockets(candidates: Iterable[Path]) -> tuple[Path, ...]:
    """Those of the paths at which there is a socket."""
    return tuple(path for path in candidates if _exists(path) and stat.S_ISSOCK(path.stat().st_mode))


def _nearest(path: Path) -> Path:
    """The path, or the nearest of its parents at which there is something."""
    return next((p for p in (path, *path.parents) if _exists(p)), Path())


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # behind a directory that we may not enter
        return False


def _open_files(directory: Path) -> tuple[Path, ...]:
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError:
        return ()
    return tuple(path for path in files if path.stat().st_mode & 0o077)


def _is_free(bind: str, port: int) -> bool:
    """Say whether nothing listens. Raises OSError when the address is not one of this machine."""
    found = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _privacy_error(runtime: Path) -> str:
    """Why a runtime directory that exists is refused by local processes; "" when it is not."""
    if not _exists(runtime):
        return ""
    status = runtime.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    return "it is open to other users" if stat.S_IMODE(status.st_mode) & 0o077 else ""


def _bind_error(directory: Path) -> str:
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".c", dir=directory) as place,
            socket.socket(socket.AF_UNIX) as listener,
        ):
            listener.bind(f"{place}/s")
    except OSError as error:
        return error.strerror or str(error)
    return ""

"""A directory in; an SSH server on loopback that lets one key in, and an `ssh` command that knows it, out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import await_condition

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class SshServer:
    """A server that runs. `commands` is a directory for PATH with an `ssh` that knows its key."""

    port: int
    commands: Path

    @property
    def url(self) -> str:
        return f"ssh://root@127.0.0.1:{self.port}"

    def environ(self) -> dict[str, str]:
        """What a command has to be told to come to the engine through this server."""
        return {"DOCKER_HOST": self.url, "PATH": f"{self.commands}:{os.environ['PATH']}"}


@contextmanager
def ssh_server(place: Path) -> Iterator[SshServer]:
    """Start a server that nobody else can enter, and end it. Skips where there is none, or no right to start it."""
    if not SSHD.exists() or os.getuid() != 0:
        pytest.skip("no openssh-server, or no right to start it; see tests/engine/up")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    shutil.copyfile(place / "user.pub", place / "authorized")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # the server wants it
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (place / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile {place}/pid\n"
        f"AuthorizedKeysFile {place}/authorized\nPasswordAuthentication no\nStrictModes no\nUsePAM no\n"
    )
    (place / "known").write_text(f"[127.0.0.1]:{port} {(place / 'host.pub').read_text()}")
    (place / "ssh.conf").write_text(
        f"IdentityFile {place}/user\nIdentitiesOnly yes\nUserKnownHostsFile {place}/known\nBatchMode yes\n"
    )
    commands = place / "bin"
    commands.mkdir()
    (commands / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {place}/ssh.conf "$@"\n')
    (commands / "ssh").chmod(0o755)
    with (place / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", place / "sshd.conf"], stderr=log)
    try:
        await_condition(lambda: _answers(port), seconds=20)
        yield SshServer(port, commands)
    finally:
        server.terminate()
        server.wait(20)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0

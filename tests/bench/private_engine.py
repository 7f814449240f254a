"""A Docker Engine of our own out, which may be killed; what it needs is given to it by the shared one.

It has its own data, sockets and addresses. It writes no rules of the firewall, so that those of the other
engine stay; where that engine drops what it does not know, one rule lets our containers talk to each other.
An engine without a default bridge removes the one that it finds, so the other engine's is made again: its
containers on that bridge, unlike those of chains, lose their network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BASES = ("python:3.11-slim", "haproxy:lts")
_BRIDGE = "docker0"
_NETWORK = "10.203.0.0/16"
_RULE = ("DOCKER-USER", "-s", _NETWORK, "-d", _NETWORK, "-j", "ACCEPT")
_START_SEC = 60
_POLL_SEC = 0.1


class EngineLostError(Exception):
    """Our own engine did not come up or did not end."""


@dataclass
class PrivateEngine:
    """One dockerd and where it keeps everything."""

    directory: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    bridge: str = field(default_factory=lambda: _bridge_address())

    @property
    def host(self) -> str:
        return f"unix://{self.directory}/docker.sock"

    @property
    def _containerd(self) -> Path:
        return self.directory / "exec" / "containerd" / "containerd.pid"

    def start(self) -> None:
        """Start dockerd and wait until it answers. Raises EngineLostError with its last words."""
        log = self.directory / "dockerd.log"
        (self.directory / "dockerd.pid").unlink(missing_ok=True)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    "dockerd", "--host", self.host,
                    "--data-root", str(self.directory / "data"),
                    "--exec-root", str(self.directory / "exec"),
                    "--pidfile", str(self.directory / "dockerd.pid"),
                    "--bridge", "none", "--iptables=false", "--ip6tables=false", "--live-restore",
                    "--default-address-pool", f"base={_NETWORK},size=24",
                ],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SEC
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise EngineLostError("\n".join(log.read_text(errors="replace").splitlines()[-20:]))
            threading.Event().wait(_POLL_SEC)
        _restore_bridge(self.bridge)

    def kill(self) -> None:
        """End dockerd without a word, as a crash would; the kernel ends its containerd with it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        _end(self._containerd)

    def stop(self) -> None:
        """Remove all containers and end dockerd with what it has started."""
        if self.process is None:
            return
        if self.answers():
            self._remove_containers()
        self.process.terminate()
        try:
            self.process.wait(_START_SEC)
        except subprocess.TimeoutExpired:
            self.kill()
        _end(self._containerd)
        _end_shims(self.directory)
        _unmount(self.directory)

    def answers(self) -> bool:
        return _docker(self.host, "version").returncode == 0

    def _remove_containers(self) -> None:
        found = _docker(self.host, "ps", "--all", "--quiet").stdout.split()
        if found:
            _docker(self.host, "rm", "--force", *found)


@contextmanager
def private_engine(shared_host: str) -> Iterator[PrivateEngine]:
    """Bring an engine up with the base images of the shared one; nothing of it is left in the end."""
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="chainctl-own-engine-")))
    is_ruled = _iptables("-C", *_RULE) != 0 and _iptables("-I", *_RULE) == 0
    try:
        engine.start()
        _copy_images(shared_host, engine.host, BASES)
        yield engine
    finally:
        engine.stop()
        if is_ruled:
            _iptables("-D", *_RULE)
        shutil.rmtree(engine.directory, ignore_errors=True)


def _copy_images(source: str, sink: str, images: Sequence[str]) -> None:
    with subprocess.Popen(["docker", "--host", source, "save", *images], stdout=subprocess.PIPE) as save:
        subprocess.run(
            ["docker", "--host", sink, "load", "--quiet"], stdin=save.stdout, check=True, capture_output=True
        )


def _docker(host: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "--host", host, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _bridge_address() -> str:
    """Return the address of the other engine's default bridge, "" where it has none."""
    shown = _ip("-4", "-oneline", "address", "show", "dev", _BRIDGE).split()
    return shown[3] if len(shown) > 3 else ""


def _restore_bridge(address: str) -> None:
    if address and not _bridge_address():
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("address", "add", address, "broadcast", "+", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False).stdout


def _iptables(*arguments: str) -> int:
    if shutil.which("iptables") is None:
        return 1
    return subprocess.run(["iptables", *arguments], capture_output=True, check=False).returncode


def _end(pid_file: Path) -> None:
    """End the containerd of a dockerd, and forget it: nobody may reap it, and then it looks alive."""
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text())
    if b"containerd" in _command_of(pid):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _START_SEC
    while b"containerd" in _command_of(pid) and time.monotonic() < deadline:
        threading.Event().wait(_POLL_SEC)
    pid_file.unlink(missing_ok=True)


def _end_shims(directory: Path) -> None:
    """End what looks after the containers of an engine that did not end them itself."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and os.fsencode(f"{directory}/exec/") in _command_of(int(entry.name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGTERM)


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _unmount(directory: Path) -> None:
    """What a killed engine has left mounted would keep its directory."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)

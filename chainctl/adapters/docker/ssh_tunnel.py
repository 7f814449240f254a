"""An `ssh://` address of an engine in; a Unix socket of this process that leads to that engine, out.

One SSH connection is opened and kept. Where the engine's usual socket is there, `ssh` forwards it; else each
connection becomes a channel at the other end of which `docker system dial-stdio` is that machine's own way to its
engine. So nothing has to listen there but SSH, keys and configuration are those of the `ssh` command, and all that
works on a socket works: attaching, sessions of builds.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chainctl.adapters.guarded_directory import guarded_directory
from chainctl.errors import EngineError

SCHEME = "ssh://"
_OPEN_SEC = 120.0
"""How long it may take to log in: somebody may have to type a passphrase."""
_CHECK_SEC = 0.02
_END_SEC = 5.0
_ANSWER_SEC = 10.0
_WAITING = "cat >/dev/null"
_PATIENCE = ("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3")
"""A host that is gone is given up, whatever the configuration says."""
_USUAL = "/var/run/docker.sock"
_FORWARDED = "forwarded.sock"
_DIALLED = "dialled.sock"
_ANSWER = b"HTTP/"
_UNINTERRUPTED = ("sh", "-c", 'trap "" INT; exec "$@"', "ssh")
"""Ctrl-C is for the command, which may have to tell the engine something before it ends."""


@dataclass(frozen=True, slots=True)
class SshHost:
    """Where to log in, and the engine's socket there, "" for the one that its `docker` command talks to."""

    name: str
    user: str = ""
    port: int | None = None
    socket: str = ""

    @classmethod
    def parse(cls, url: str) -> SshHost:
        """Read an address. Raises EngineError."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if not parts.hostname or parts.hostname.startswith("-") or port == -1 or parts.password:
            raise EngineError(
                "The address of the engine is no address for SSH",
                hint="give `ssh://USER@HOST`, or `ssh://USER@HOST:PORT/PATH/OF/docker.sock`; keys log in, no passwords",
            )
        return cls(parts.hostname, parts.username or "", port, parts.path.rstrip("/"))

    def words(self, *options: str) -> list[str]:
        """Return the words of an `ssh` command to it, without what to run there."""
        user = ["-l", self.user] if self.user else []
        port = ["-p", str(self.port)] if self.port else []
        return [*_UNINTERRUPTED, "ssh", *options, *user, *port, "--", self.name]

    @property
    def shown(self) -> str:
        """Return the command as somebody would type it."""
        port = f"-p {self.port} " if self.port else ""
        return f"ssh {port}{self.user}{'@' if self.user else ''}{self.name}"

    @property
    def dialling(self) -> str:
        """Return the command that talks to the engine there."""
        host = f" --host {shlex.quote('unix://' + self.socket)}" if self.socket else ""
        return f"docker{host} system dial-stdio"


@dataclass(slots=True, weakref_slot=True)
class SshTunnel:
    """An open one; `path` is its socket. It ends with the process, or when nobody has it any more."""

    path: str
    place: str
    master: subprocess.Popen[bytes]

    @property
    def is_open(self) -> bool:
        """Say whether the connection still stands; one that has ended has to be opened anew."""
        return self.master.poll() is None

    @classmethod
    def opened(cls, url: str) -> SshTunnel:
        """Log in. Raises EngineError with what `ssh` said."""
        host = SshHost.parse(url)
        with contextlib.ExitStack() as ends:
            place = str(ends.enter_context(guarded_directory("chainctl-ssh-")))
            master = _master(url, host, place)
            ends.callback(_end, master)
            _await_login(url, master, place)
            path = f"{place}/{_FORWARDED}"
            if not _leads_to_engine(path):
                path = f"{place}/{_DIALLED}"
                ends.callback(_dial(host, place, path))
            tunnel = cls(path, place, master)
            weakref.finalize(tunnel, ends.pop_all().close)
            return tunnel

    @property
    def url(self) -> str:
        """Return the address of the socket, as of an engine of this machine."""
        return f"unix://{self.path}"

    def said(self) -> list[str]:
        """Return the last lines that `ssh`, or what it ran, complained with."""
        return _lines(self.place)


def _master(url: str, host: SshHost, place: str) -> subprocess.Popen[bytes]:
    """Start the connection that all others are channels of, which forwards the engine's socket."""
    forward = f"{place}/{_FORWARDED}:{host.socket or _USUAL}"
    options = ["-M", "-T", "-S", _control(place), "-o", "ControlPersist=no", "-L", forward, *_PATIENCE]
    try:
        with _log(place).open("wb") as said:
            return subprocess.Popen(  # the user's own ssh
                [*host.words(*options), _WAITING],
                stdin=subprocess.PIPE,  # its end is that of this process, however that comes about
                stdout=said,
                stderr=said,
            )
    except FileNotFoundError as error:
        raise EngineError(
            f"The engine {url} needs the command `ssh`, which is not installed",
            hint="install it (`sudo apt-get install openssh-client`)",
        ) from error


def _leads_to_engine(path: str) -> bool:
    """Say whether what a socket is forwarded to answers; else there is no such socket, or it may not be used."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ANSWER_SEC)
            asking.connect(path)
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return asking.recv(len(_ANSWER)) == _ANSWER
    except OSError:
        return False


def _await_login(url: str, master: subprocess.Popen[bytes], place: str) -> None:
    deadline, pause = time.monotonic() + _OPEN_SEC, threading.Event()
    control = Path(_control(place))
    while not control.exists():
        if master.poll() is not None or time.monotonic() > deadline:
            raise EngineError(
                f"SSH does not get to the engine {url}",
                hint=f"try it by hand: `{SshHost.parse(url).shown} docker version`",
                details=_lines(place),
            )
        pause.wait(_CHECK_SEC)


def _dial(host: SshHost, place: str, path: str) -> Callable[[], None]:
    """Give each connection to a socket a channel; return what ends that."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    channels: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for connections
        listener.close()
        for channel in channels:
            _end(channel)

    threading.Thread(target=_accept, args=(listener, host, place, channels), name="ssh", daemon=True).start()
    return end


def _accept(
    listener: socket.socket, host: SshHost, place: str, channels: list[subprocess.Popen[bytes]]
) -> None:
    """The process of a channel has the connection as its input and output."""
    command = [*host.words("-T", "-S", _control(place), "-o", "ControlMaster=no"), host.dialling]
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        channels[:] = [channel for channel in channels if channel.poll() is None]
        with connection, _log(place).open("ab") as said:
            ends = connection.fileno()
            channels.append(subprocess.Popen(command, stdin=ends, stdout=ends, stderr=said))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(_END_SEC)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _control(place: str) -> str:
    return f"{place}/control"


def _log(place: str) -> Path:
    return Path(place, "said")


def _lines(place: str) -> list[str]:
    return _log(place).read_text(errors="replace").strip().splitlines()[-10:]

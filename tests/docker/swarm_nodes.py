"""A shared engine's images in; a swarm of several engines on this machine, of which one may be lost, out.

Each engine has a network namespace, a host name, data and sockets of its own; a bridge joins them, and a
registry listens on it, so that no node looks outside.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import await_condition

BRIDGE = "chainctl-sw0"
_SUBNET = "10.204.0"
_REGISTRY_PORT = 5000
_RULE = ("DOCKER-USER", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")
_DOOR_IMAGE = "haproxy:lts"
_START_SEC = 60.0


class NodesUnavailableError(Exception):
    """This machine can not play several: it lacks a right or a program."""


@dataclass
class SwarmNode:
    """One engine. `number` counts from 1, which is the manager."""

    directory: Path
    number: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"chainctl-n{self.number}"

    @property
    def address(self) -> str:
        return f"{_SUBNET}.{10 + self.number}"

    @property
    def host(self) -> str:
        return f"unix://{self.directory}/docker.sock"

    @property
    def _link(self) -> str:
        return f"chainctl-v{self.number}"

    def start(self) -> None:
        """Start its dockerd and wait until it answers."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _run("ip", "link", "set", self._link, "master", BRIDGE, "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", f"{_SUBNET}.1"),
        ):
            _run("ip", "-netns", self.name, *command)
        self.directory.mkdir(parents=True)
        dockerd = [
            "dockerd", "--host", self.host,
            "--data-root", str(self.directory / "data"),
            "--exec-root", str(self.directory / "exec"),
            "--pidfile", str(self.directory / "dockerd.pid"),
            "--insecure-registry", f"{_SUBNET}.0/24",
        ]  # fmt: skip
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name} && exec "$@"', "-", *dockerd]
        with (self.directory / "dockerd.log").open("ab") as out:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.name}", *named],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        await_condition(lambda: self.docker("version", check=False) == 0, seconds=_START_SEC)

    def docker(self, *arguments: str, check: bool = True) -> int:
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, capture_output=True, check=check, timeout=300).returncode

    def said(self, *arguments: str) -> str:
        return _run("docker", "--host", self.host, *arguments).strip()

    def lose(self) -> None:
        """Take its network away, then end all of it at once, as a machine that loses its power."""
        _run("ip", "link", "set", self._link, "down")
        assert self.process is not None
        for pid in [self.process.pid, *_processes_of(self.directory)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def remove(self) -> None:
        """End it and take everything away that it made on this machine."""
        if self.process is not None and self.process.poll() is None:
            self.docker("swarm", "leave", "--force", check=False)
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_START_SEC)
        for pid in _processes_of(self.directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _run("ip", "link", "delete", self._link, check=False)
        _run("ip", "netns", "delete", self.name, check=False)
        _unmount(self.directory)


@dataclass(frozen=True)
class SwarmNodes:
    """All of them; `image` is by digest in the registry that every node reaches, `local` its name on the manager.

    `door_image` is HAProxy's there.
    """

    nodes: Sequence[SwarmNode]
    local: str
    image: str
    door_image: str

    @property
    def manager(self) -> SwarmNode:
        return self.nodes[0]


@contextmanager
def several_nodes(shared_host: str, image: str, count: int = 3) -> Iterator[SwarmNodes]:
    """Bring a swarm up. Raises NodesUnavailableError where this machine can not; nothing is left in the end."""
    _require_rights()
    with ExitStack() as undo:
        directory = Path(tempfile.mkdtemp(prefix="chainctl-swarm-"))
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        _bridge(undo)
        registry = _registry(directory, undo)
        nodes = [SwarmNode(directory / f"n{number}", number) for number in range(1, count + 1)]
        for node in nodes:
            undo.callback(node.remove)
            node.start()
        _join(nodes)
        _load(shared_host, nodes[0], image, _DOOR_IMAGE)
        published, door = (_published(nodes[0], one, registry) for one in (image, _DOOR_IMAGE))
        yield SwarmNodes(nodes, image, published, door.rpartition("@")[0] + ":it")


def _require_rights() -> None:
    programs = ("dockerd", "docker-registry", "ip", "nsenter", "unshare", "iptables")
    missing = [name for name in programs if shutil.which(name) is None]
    if os.getuid() != 0 or missing:
        raise NodesUnavailableError(f"needs root and {', '.join(missing or programs)}")


def _bridge(undo: ExitStack) -> None:
    """Make the bridge; what crosses it passes the rules of the shared engine, which drop what they do not know."""
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    undo.callback(_run, "ip", "link", "delete", BRIDGE, check=False)
    _run("ip", "address", "add", f"{_SUBNET}.1/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _run("iptables", "-I", *_RULE)
    undo.callback(_run, "iptables", "-D", *_RULE, check=False)


def _registry(directory: Path, undo: ExitStack) -> str:
    host = f"{_SUBNET}.1:{_REGISTRY_PORT}"
    config = directory / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/registry\n"
        f"http:\n  addr: {host}\n"
    )
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    undo.callback(process.wait, 20)
    undo.callback(process.terminate)
    return host


def _join(nodes: Sequence[SwarmNode]) -> None:
    manager = nodes[0]
    manager.docker("swarm", "init", "--advertise-addr", manager.address)
    token = manager.said("swarm", "join-token", "--quiet", "worker")
    for node in nodes[1:]:
        node.docker("swarm", "join", "--token", token, "--advertise-addr", node.address, manager.address)


def _load(shared_host: str, manager: SwarmNode, *images: str) -> None:
    """Copy images to the manager."""
    save = subprocess.Popen(["docker", "--host", shared_host, "save", *images], stdout=subprocess.PIPE)
    with save:
        command = ["docker", "--host", manager.host, "load", "--quiet"]
        subprocess.run(command, stdin=save.stdout, check=True, capture_output=True, timeout=300)


def _published(manager: SwarmNode, image: str, registry: str) -> str:
    """Push an image of the manager to the registry; return it by digest."""
    name = f"{registry}/{image.partition(':')[0]}"
    manager.docker("tag", image, f"{name}:it")
    manager.docker("push", f"{name}:it")
    return manager.said("inspect", "--format", "{{index .RepoDigests 0}}", f"{name}:it")


def _processes_of(directory: Path) -> list[int]:
    """Return containerd, what it looks after containers with, and all processes of the containers."""
    parents: dict[int, int] = {}
    ours: set[int] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            pid, stat = int(entry.name), (entry / "stat").read_text()
            parents[pid] = int(stat.rpartition(")")[2].split()[1])
            if os.fsencode(f"{directory}/") in (entry / "cmdline").read_bytes():
                ours.add(pid)
    ours.discard(os.getpid())
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sorted(ours)


def _unmount(directory: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        _run("umount", "--lazy", mount, check=False)


def _run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120).stdout

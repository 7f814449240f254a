"""A target in; a small chain on it, whose pushes can be killed, and what is left of it, out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.local.paths import LocalPaths, RunPaths
from tests.bench.release_chain import Edition, write_sources
from tests.bench.releases import supervisors_of
from tests.conftest import Chainctl, await_condition, fresh_environ

_MARK = "CRASH_MARK"
_PATIENCE_SEC = 20
_PUSH_SEC = 300


@dataclass(frozen=True, slots=True)
class Point:
    """Where a push is killed: after a line with a text or the n-th line, or after some seconds.

    `then` says what follows: the "same" push, one of another "edit", or "down". With `supervisor` the
    supervisor is killed instead of the push.
    """

    text: str = ""
    line: int = 0
    seconds: float = 0.0
    then: str = "same"
    supervisor: bool = False

    def __str__(self) -> str:
        where = f"after {self.text!r}" if self.text else f"after line {self.line}" if self.line else ""
        victim = "supervisor killed" if self.supervisor else "killed"
        return f"{victim} {where or f'after {self.seconds:.2f} s'}, then {self.then}"


@dataclass
class CrashProject:
    """One chain with state of its own. `edition` is what it should answer."""

    directory: Path
    target: str
    edition: Edition = field(default_factory=Edition)
    name: str = field(default_factory=lambda: f"crash-{uuid.uuid4().hex[:8]}")
    edits: int = 1

    @property
    def chainctl(self) -> Chainctl:
        environ = fresh_environ(self.directory)
        ours = {_MARK: self.name, "CHAINCTL_DRAIN_SEC": "2", "CHAINCTL_BUILD_NETWORK": "host"}
        return Chainctl({**environ, **ours}, self.directory)

    @property
    def file(self) -> Path:
        return self.directory / "chain" / "plain.py"

    @property
    def run(self) -> RunPaths:
        root = self.directory / "state" / "chainctl" / "run"
        return LocalPaths.of(root, xdg_runtime_dir=None, uid=os.getuid()).run(self.name)

    def edit(self) -> None:
        """Change what the chain should answer."""
        self.edits += 1
        self.edition = self.edition.edited(self.edits)
        write_sources(self.file.parent, self.edition, self.target)

    def push(self) -> dict[str, object]:
        done = self.chainctl(
            "push", str(self.file), "--name", self.name, "--target", self.target, "--json", timeout=_PUSH_SEC
        )
        said: dict[str, object] = json.loads(done.stdout)
        return said

    def killed_push(self, point: Point) -> int:
        """Push and kill at a point; the exit code, -9 unless the push had ended before."""
        process = subprocess.Popen(
            [*Chainctl.COMMAND, "push", str(self.file), "--name", self.name, "--target", self.target],
            env=dict(self.chainctl.environ), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        timer = threading.Timer(point.seconds, self._kill, (process, point))
        if point.seconds:
            timer.start()
        with process.stderr:
            for number, line in enumerate(process.stderr, start=1):
                if (point.text and point.text in line) or number == point.line:
                    self._kill(process, point)
                    break
            process.stderr.read()
        code = process.wait(_PUSH_SEC)
        timer.cancel()
        return code

    def _kill(self, process: subprocess.Popen[str], point: Point) -> None:
        if not point.supervisor:
            process.send_signal(signal.SIGKILL)
            return
        self.kill_supervisor()

    def kill_supervisor(self) -> None:
        for pid in supervisors_of(self.run.runtime):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def survive(self, point: Point) -> str:
        """Kill a push at a point, do what follows, and check that all is as if nothing had happened.

        Returns how the killed push ended. Raises AssertionError for whatever is wrong or left over.
        """
        port = self.port()
        ended = f"ended with {self.killed_push(point)}"
        if point.then == "down":
            self.down_if_there()
            self.check_gone()
            return ended
        if point.then == "edit":
            self.edit()
        said = self.push()
        assert self.answer(str(said["url"])) == list(self.edition.marks)
        assert port in (0, self.port()), "the port is kept"
        assert self.push()["changed"] is False, "the second push finds all done"
        self.check_whole()
        return ended

    def down_if_there(self) -> None:
        """Take down what there is; nothing may be there yet."""
        command = [*Chainctl.COMMAND, "down", self.name, "--target", self.target]
        environ = dict(self.chainctl.environ)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 2), done.stderr

    def port(self) -> int:
        shown = json.loads(self.chainctl("ps", self.name, "--target", self.target, "--json").stdout)["chains"]
        url = shown[0].get("url") if shown else None
        return int(url.rpartition(":")[2]) if url else 0

    def answer(self, url: str) -> list[str]:
        request = urllib.request.Request(
            f"{url}/run_remote", b"{}", {"content-type": "application/json"}
        )  # the door of this machine
        with urllib.request.urlopen(request, timeout=30) as answer:
            marks: list[str] = json.load(answer)
        return marks

    def check_whole(self) -> None:
        """Three services run, and nothing else is there."""
        services = self._services()
        assert len(services) == 3, services
        if self.target == "docker":
            self._check_engine(services)
        else:
            self._check_processes(services)
        self._check_commands()

    def check_gone(self) -> None:
        """Nothing is there."""
        if self.target == "docker":
            assert self._on_engine() == (set(), set(), set())
        else:
            assert self._listening() == []
            assert supervisors_of(self.run.runtime) == []
            assert not self.run.runtime.exists()
            assert not self.run.secrets.exists()
            assert not self.run.state.exists()
        self._check_commands()

    def _services(self) -> set[str]:
        shown = json.loads(self.chainctl("ps", self.name, "--target", self.target, "--json").stdout)
        services = shown["chains"][0]["services"]
        assert {s["status"] for s in services} == {"running"}, services
        return {s["name"] for s in services}

    def _check_engine(self, services: set[str]) -> None:
        containers, volumes, networks = self._on_engine()
        assert containers == {*services, f"{self.name}-door"}, containers
        kept = {f"{name}-secrets" for name in services}
        rest = volumes - kept
        assert kept <= volumes, volumes
        assert rest == {f"{self.name}-door-config", f"chainctl-{self.name}-shared"}, rest
        assert networks == {f"chainctl-{self.name}"}, networks

    def _on_engine(self) -> tuple[set[str], set[str], set[str]]:
        engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
        labelled = {"label": f"chainctl.chain={self.name}"}
        with engine.client() as client:
            containers = client.containers(all=True, filters=labelled)
            volumes = client.volumes(filters=labelled).get("Volumes") or []
            networks = client.networks(filters=labelled)
        return (
            {one["Names"][0].lstrip("/") for one in containers},
            {one["Name"] for one in volumes},
            {one["Name"] for one in networks},
        )

    def _check_processes(self, services: set[str]) -> None:
        run = self.run
        await_condition(lambda: len(self._listening()) == len(services), seconds=_PATIENCE_SEC)
        assert len(supervisors_of(run.runtime)) == 1
        sockets = {path.name for path in (run.runtime / "s").iterdir()}
        assert sockets == {run.socket_of(name).name for name in services}
        secrets = {path.name for path in run.secrets.iterdir()}
        places = [place for name in services for place in (run.secrets_of(name), run.control_of(name))]
        assert secrets == {place.name for place in places}

    def _listening(self) -> list[int]:
        """Processes that are services of this chain."""
        place = b"CHAINCTL_LISTEN=unix:" + os.fsencode(self.run.runtime) + b"/"
        return [pid for pid, words in _environments() if any(word.startswith(place) for word in words)]

    def _check_commands(self) -> None:
        """No process that a command has started goes on; services get nothing of its environment."""
        mark = f"{_MARK}={self.name}".encode()

        def marked() -> list[int]:
            return [pid for pid, words in _environments() if mark in words]

        await_condition(lambda: not marked(), seconds=_PATIENCE_SEC)


@contextlib.contextmanager
def crash_project(directory: Path, target: str) -> Iterator[CrashProject]:
    """A chain that is taken down in the end, with its images where there are any."""
    project = CrashProject(directory, target)
    write_sources(project.file.parent, project.edition, target)
    try:
        yield project
    finally:
        project.down_if_there()
        if target == "docker":
            _remove_images(project.name)


def _remove_images(chain: str) -> None:
    engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    with engine.client() as client:
        for image in client.images(filters={"label": f"chainctl.chain={chain}"}):
            client.remove_image(image["Id"], force=True)


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "environ").read_bytes().split(b"\0")

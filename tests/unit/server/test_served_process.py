"""A chainlet in a process of its own, started by a shim as in an image, asked over a Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chainctl.server import probe

_PATIENCE_SEC = 20

_SHIM = """
from pathlib import Path

from chainctl.server.main import serve

serve(name="{name}", module="chain", qualname="{name}", app_dir=Path(__file__).resolve().parent)
"""

_CHAIN = """
import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import chainctl as chains

HERE = Path(__file__).parent


def wait_for(name: str) -> None:
    # A FIFO: whoever opens it for writing lets this go on.
    with open(HERE / name) as fifo:
        fifo.read()


class Hello(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["greeting"]))

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._greeting = context.secrets["greeting"]
        self._data = (context.data_dir / "names.txt").read_text()

    def run_remote(self, name: str = "") -> str:
        print("printed by", name, flush=True)
        if name == "slow":
            print("slow begins", file=sys.stderr, flush=True)
            wait_for("fifo")
        if name == "exit":
            sys.exit(3)
        return f"{self._greeting}, {name or self._data}"

    def is_healthy(self) -> bool:
        return not (HERE / "sick").exists()


class Booting(Hello):
    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        print("boot begins", file=sys.stderr, flush=True)
        wait_for("fifo")
        super().__init__(context=context)


class Failing(chains.ChainletBase):
    def __init__(self) -> None:
        self._load()

    def _load(self) -> None:
        raise RuntimeError("the weights are not there")

    def run_remote(self) -> int:
        return 1


class Letters(chains.ChainletBase):
    async def run_remote(self, word: str) -> AsyncIterator[str]:
        for letter in word:
            if letter == "!":
                raise ValueError("no exclamation marks")
            yield letter
"""


@dataclass
class Served:
    """A serving process, its directory and its socket."""

    process: subprocess.Popen[bytes]
    app: Path

    @property
    def listen(self) -> str:
        return f"unix:{self.app}/s.sock"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Ask once; JSON answers are parsed, others are text."""
        status, kind, data = self.answer(method, path, body, **headers)
        return status, json.loads(data) if kind == "application/json" else data.decode()

    def answer(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, bytes]:
        with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
            connection.sock = connected(self.app / "s.sock")
            given = {"content-type": "application/json", "x-chainctl-token": "internal", **headers}
            connection.request(method, path, None if body is None else json.dumps(body), given)
            response = connection.getresponse()
            return response.status, response.headers["content-type"] or "", response.read()

    def wrote(self, *texts: str) -> None:
        """Read what the process writes until all these texts came, in any order."""
        assert self.process.stderr is not None
        seen = ""
        while not all(text in seen for text in texts):
            readable, _, _ = select.select([self.process.stderr], [], [], _PATIENCE_SEC)
            line = self.process.stderr.readline() if readable else b""
            assert line, f"{texts} did not come, but: {seen}"
            seen += messages_of(line)

    def let_go(self) -> None:
        """Let whatever waits for the FIFO go on."""
        (self.app / "fifo").open("w").close()


def messages_of(written: bytes) -> str:
    """What a process logged, of its lines of JSON."""
    lines = written.decode().splitlines()
    return "".join(json.loads(line)["message"] + "\n" for line in lines if line.startswith("{"))


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE_SEC)
    connection.connect(str(path))
    return connection


@contextlib.contextmanager
def serving(directory: Path, name: str) -> Iterator[Served]:
    """Start a chainlet's process; end it at the end."""
    app, secrets = directory / "app", directory / "secrets"
    (app / "data").mkdir(parents=True)
    secrets.mkdir()
    (app / "chain.py").write_text(_CHAIN)
    (app / "serve.py").write_text(_SHIM.format(name=name))
    (app / "data" / "names.txt").write_text("everybody")
    (secrets / "greeting").write_text("Good day")
    (secrets / ".chainctl-token").write_text("internal\n")
    os.mkfifo(app / "fifo")
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "CHAINCTL_LISTEN": f"unix:{app}/s.sock",
        "CHAINCTL_SECRETS_DIR": str(secrets),
    }
    process = subprocess.Popen(
        [sys.executable, "-u", str(app / "serve.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environ,
    )
    try:
        yield Served(process, app)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose path is short enough for a Unix socket."""
    return tmp_path_factory.mktemp("s")


def test_life_of_a_service(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It boots with its secrets and data, answers, feels sick when told so, survives bad calls, and drains."""
    with serving(directory, "Hello") as served:
        served.wrote("Hello is ready", "Uvicorn running")
        assert served.ask("GET", "/healthz") == (200, {"status": "ok"})
        assert served.ask("POST", "/run_remote", {}) == (200, "Good day, everybody")
        assert served.ask("POST", "/run_remote", {"name": "Ada"}) == (200, "Good day, Ada")
        assert served.ask("POST", "/run_remote", {"name": 3})[0] == 422
        assert served.ask("POST", "/run_remote", {}, **{"x-chainctl-token": "no"})[0] == 401
        assert served.ask("GET", "/nowhere")[0] == 404
        assert served.ask("GET", "/openapi.json")[1]["info"]["title"] == "Hello"
        assert served.answer("HEAD", "/readyz")[::2] == (200, b"")

        status, body = served.ask("POST", "/run_remote", {"name": "exit"})
        assert (status, body["error"]["message"]) == (500, "SystemExit: 3")
        assert served.ask("POST", "/run_remote", {"name": "Ada"})[0] == 200

        monkeypatch.setenv("CHAINCTL_LISTEN", served.listen)
        assert probe.main([]) == 0
        assert '200 {"status": "ready"' in capfd.readouterr().out
        (served.app / "sick").touch()
        assert served.ask("GET", "/readyz")[1]["reason"] == "is_healthy returned False"
        assert probe.main(["/readyz"]) == 1
        assert probe.main(["/healthz"]) == 0

        drains(served)


def drains(served: Served) -> None:
    """SIGTERM lets a running request finish, and ends the process."""
    with contextlib.closing(http.client.HTTPConnection("localhost")) as running:
        running.sock = connected(served.app / "s.sock")
        headers = {"content-type": "application/json", "x-chainctl-token": "internal"}
        running.request("POST", "/run_remote", json.dumps({"name": "slow"}), headers)
        served.wrote("slow begins")
        served.process.send_signal(signal.SIGTERM)
        served.wrote("Waiting for")
        assert served.process.poll() is None
        served.let_go()
        response = running.getresponse()
        assert (response.status, json.loads(response.read())) == (200, "Good day, slow")
    assert served.process.wait(_PATIENCE_SEC) in (0, -signal.SIGTERM)


def test_booting_service(directory: Path) -> None:
    """It listens at once: alive, but not ready, until its `__init__` is through."""
    with serving(directory, "Booting") as served:
        served.wrote("Uvicorn running")
        assert served.ask("GET", "/healthz")[0] == 200
        assert served.ask("GET", "/readyz") == (503, {"status": "starting", "chainlet": "Booting"})
        assert served.ask("POST", "/run_remote", {})[1]["error"]["kind"] == "not_ready"
        served.let_go()
        served.wrote("Booting is ready")
        assert served.ask("POST", "/run_remote", {}) == (200, "Good day, everybody")


def test_init_that_raises(directory: Path) -> None:
    """A chainlet that cannot be created ends its process with 1 and a traceback of the user's frames."""
    with serving(directory, "Failing") as served:
        errors = messages_of(served.process.communicate(timeout=_PATIENCE_SEC)[1])
        assert served.process.returncode == 1
    assert "Failing could not start" in errors
    traceback = errors[errors.index("Traceback (most recent call last):") :].splitlines()
    shown = [line.strip() for line in traceback if 'File "' in line]
    assert [line.rpartition(" in ")[2] for line in shown] == ["__init__", "_load"]
    assert all(f'File "{served.app}/chain.py", line ' in line for line in shown)
    assert "RuntimeError: the weights are not there" in errors


def test_stream_over_http(directory: Path) -> None:
    """A stream arrives whole, or is noticeably cut when the chainlet fails in its middle."""
    with serving(directory, "Letters") as served:
        served.wrote("Letters is ready", "Uvicorn running")
        assert served.ask("POST", "/run_remote", {"word": "aß"}) == (200, "aß")
        assert served.ask("POST", "/run_remote", {"word": "!"})[0] == 500
        with pytest.raises(http.client.IncompleteRead):
            served.ask("POST", "/run_remote", {"word": "ab!"})
        assert served.ask("POST", "/run_remote", {"word": "abc"}) == (200, "abc")


def test_probe_of_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens, the probe says so and fails."""
    monkeypatch.setenv("CHAINCTL_LISTEN", f"unix:{directory}/no.sock")
    assert probe.main([]) == 1
    assert capsys.readouterr().out.startswith("no answer: ")

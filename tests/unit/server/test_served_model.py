"""A model of a Truss directory in a process of its own, started by a shim as in an image."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.test_served_process import Served, connected, messages_of
from tests.unit.worker.loopback import run

PREDICT = "/v1/models/model:predict"
_PATIENCE_SEC = 20
_SHIM = """
from pathlib import Path

from chainctl.server.main import serve

serve(
    name="greeter",
    module="model.model",
    qualname="Model",
    app_dir=Path(__file__).resolve().parent,
    truss_config={config!r},
)
"""
_CONFIG = {"model_name": None, "secrets": {"greeting": None}, "runtime": {"predict_concurrency": 1}}
_MODEL = """
import asyncio
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent


def wait_for(name):
    # A FIFO: whoever opens it for writing lets this go on.
    with open(HERE / name) as fifo:
        fifo.read()


class Model:
    def __init__(self, **kwargs):
        self.greeting = kwargs["secrets"]["greeting"]
        self.data = (kwargs["data_dir"] / "names.txt").read_text()
        self.came, self.ran = 0, 0

    async def load(self):
        import helper
        self.name = helper.name
        if (HERE / "waits").exists():
            print("load begins", file=sys.stderr, flush=True)
            await asyncio.to_thread(wait_for, "fifo")
        if (HERE / "fails").exists():
            self.find_weights()
        self.event = asyncio.Event()

    def find_weights(self):
        raise OSError("the weights are not there")

    async def preprocess(self, inputs):
        self.came += 1
        return {**inputs, "came": self.came}

    def predict(self, inputs):
        if inputs.get("waits"):
            print("predict begins", file=sys.stderr, flush=True)
            wait_for("fifo")
        if inputs.get("streams"):
            return self.stream(inputs)
        self.ran += 1
        return [f"{self.greeting}, {inputs.get('who', self.data)} and {self.name}", inputs["came"], self.ran]

    async def stream(self, inputs):
        try:
            yield "first"
            if inputs["streams"] == "fails":
                raise ValueError("no more")
            if inputs["streams"] == "waits":
                await self.event.wait()
            yield "second"
        finally:
            print("stream is closed", file=sys.stderr, flush=True)
"""


@contextlib.contextmanager
def serving(directory: Path, *marks: str) -> Iterator[Served]:
    """Start a model's process; end it at the end."""
    app, secrets = directory / "app", directory / "secrets"
    for new in (app / "model", app / "packages", app / "data", secrets):
        new.mkdir(parents=True)
    (app / "model" / "model.py").write_text(_MODEL)
    (app / "packages" / "helper.py").write_text("name = 'Bob'\n")
    (app / "data" / "names.txt").write_text("everybody")
    (app / "serve.py").write_text(_SHIM.format(config=_CONFIG))
    (secrets / "greeting").write_text("Good day")
    (secrets / ".chainctl-token").write_text("internal\n")
    os.mkfifo(app / "fifo")
    for mark in marks:
        (app / mark).touch()
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "CHAINCTL_LISTEN": f"unix:{app}/s.sock",
        "CHAINCTL_SECRETS_DIR": str(secrets),
    }
    process = subprocess.Popen(
        [sys.executable, "-u", str(app / "serve.py")],
        stdout=subprocess.DEVNULL,
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


def test_life_of_a_model(directory: Path) -> None:
    """It listens at once, loads on the loop that serves, answers at the routes of both worlds, and ends."""
    with serving(directory, "waits") as served:
        served.wrote("Uvicorn running", "load begins")
        assert served.ask("GET", "/") == (200, True)
        assert served.ask("GET", "/v1/models/model")[0] == served.ask("GET", PREDICT)[0] == 503
        assert served.ask("POST", PREDICT, {})[1]["error"]["kind"] == "not_ready"
        served.let_go()
        served.wrote("greeter is ready")
        assert served.ask("GET", "/v1/models/model")[0] == 200
        assert served.ask("POST", PREDICT, {}) == (200, ["Good day, everybody and Bob", 1, 1])
        assert served.ask("POST", "/run_remote", {"who": "Ada"}) == (200, ["Good day, Ada and Bob", 2, 2])
        inner = {"model_input": {"who": "Eve"}}
        assert served.ask("POST", "/-/run_remote", inner) == (200, ["Good day, Eve and Bob", 3, 3])
        assert served.ask("POST", PREDICT, {}, **{"x-chainctl-token": "no"})[0] == 401
        spans = served.ask("GET", "/-/spans")[1]["spans"]
        assert [span["status"] for span in spans].count(200) == 3
        assert all(span["run_ns"] > 0 for span in spans if span["status"] == 200)
        assert "chainctl_calls_limit" in served.ask("GET", "/metrics")[1]
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(_PATIENCE_SEC) in (0, -signal.SIGTERM)


def test_load_that_raises(directory: Path) -> None:
    """A model that cannot be loaded ends its process with 1 and a traceback of the user's frames."""
    with serving(directory, "fails") as served:
        errors = messages_of(served.process.communicate(timeout=_PATIENCE_SEC)[1])
        assert served.process.returncode == 1
    assert "greeter could not start" in errors
    traceback = errors[errors.index("Traceback (most recent call last):") :].splitlines()
    shown = [line.strip() for line in traceback if 'File "' in line]
    assert [line.rpartition(" in ")[2] for line in shown] == ["load", "find_weights"]
    assert "OSError: the weights are not there" in errors


def test_a_model_that_cannot_be_called(directory: Path) -> None:
    """What is wrong is said in two lines, without a traceback of ours."""
    with serving(directory, "waits") as served:
        served.process.kill()
    (directory / "app" / "model" / "model.py").write_text("class Model:\n    def load(self): ...\n")
    done = subprocess.run(
        [sys.executable, str(directory / "app" / "serve.py")],
        capture_output=True,
        env={"CHAINCTL_LISTEN": f"unix:{directory}/t.sock", "CHAINCTL_SECRETS_DIR": str(directory)},
        timeout=_PATIENCE_SEC,
        check=False,
    )
    assert done.returncode == 1
    said = messages_of(done.stderr)
    assert "greeter could not start\n`Model` has no `predict`\nhint: write" in said
    assert "Traceback" not in said


def test_streams_over_http(directory: Path) -> None:
    """A stream is chunked, breaks off with an error, and ends when the client leaves, which frees its place."""
    with serving(directory) as served:
        served.wrote("greeter is ready")
        assert served.answer("POST", PREDICT, {"streams": "all"}) == (
            200,
            "application/octet-stream",
            b"firstsecond",
        )
        gathered = served.ask("POST", PREDICT, {"streams": "all"}, accept="application/json")
        assert gathered == (200, "firstsecond")
        with pytest.raises(http.client.IncompleteRead):
            served.ask("POST", PREDICT, {"streams": "fails"})
        with contextlib.closing(http.client.HTTPConnection("localhost")) as leaving:
            leaving.sock = connected(served.app / "s.sock")
            headers = {"content-type": "application/json", "x-chainctl-token": "internal"}
            leaving.request("POST", PREDICT, json.dumps({"streams": "waits"}), headers)
            assert leaving.getresponse().read(5) == b"first"
        assert served.ask("POST", PREDICT, {})[0] == 200


async def _post(app: Path, value: Any) -> Any:
    reader, writer = await asyncio.open_unix_connection(str(app / "s.sock"))
    body = json.dumps(value).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\nx-chainctl-token: internal\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_two_hundred_calls_that_wait(directory: Path) -> None:
    """They run in the order in which they came, and health is answered meanwhile."""

    async def main(served: Served) -> None:
        first = asyncio.create_task(_post(served.app, {"waits": True}))
        await asyncio.to_thread(served.wrote, "predict begins")
        waiting = [asyncio.create_task(_post(served.app, {})) for _ in range(200)]
        metric = "chainctl_calls_waiting"
        while True:
            text = (await asyncio.to_thread(served.ask, "GET", "/metrics"))[1]
            value = next(line for line in text.splitlines() if line.startswith(metric)).rpartition(" ")[2]
            if float(value) == 200:
                break
        assert (await asyncio.to_thread(served.ask, "GET", "/healthz"))[0] == 200
        assert (await asyncio.to_thread(served.ask, "GET", "/v1/models/model"))[0] == 200
        await asyncio.to_thread(served.let_go)
        answers = [await first, *[await one for one in waiting]]
        assert sorted(answer[1] for answer in answers) == list(range(1, 202))
        assert all(came == ran for _, came, ran in answers)

    with serving(directory) as served:
        served.wrote("greeter is ready")
        run(main(served))


def test_chainlets_load_nothing_of_it() -> None:
    """What runs models is imported where there is one, and starlette never."""
    code = (
        "import sys, chainctl.server.main, chainctl.server.local;"
        "print([m for m in sys.modules if 'models' in m or 'truss_routes' in m or 'starlette' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    code = code.replace("chainctl.server.local;", "chainctl.server.local, chainctl.worker.models.boot;")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "starlette" not in found.stdout

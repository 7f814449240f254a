"""Truss directories, as they are: here in one process, as local processes, as containers, and in a chain."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import msgpack
import msgpack_numpy
import numpy as np
import pytest
from websockets.sync.client import connect

from tests.bench.watched import environ_of, save, watching
from tests.conftest import ROOT, Chainctl, await_condition
from tests.scenarios.local_run import free_port, local_run
from tests.scenarios.pushed_chain import TARGETS

TRUSSES = ROOT / "tests" / "trusses"
CHAIN = TRUSSES / "chain" / "chain.py"
WHOLE = {
    "text": "Hello dear ANN",
    "word": "magic",
    "weights": [1.0, 1.0, 1.0],
    "concurrency": 2,
    "name": "Whole model",
}
Push = Callable[..., str]


@pytest.fixture
def secrets(tmp_path: Path) -> str:
    file = tmp_path / "secrets.env"
    file.write_text("whole_word=magic\n", encoding="utf-8")
    return str(file)


@pytest.fixture
def push(chainctl: Chainctl, secrets: str, tmp_path: Path) -> Iterator[Push]:
    """Push a directory or a chain under a name of this test; its URL. It is taken down afterwards."""
    up: list[tuple[str, str]] = []
    here = copytree(TRUSSES, tmp_path / "trusses")  # a lock of this machine's images is written beside them

    def pushed(path: str, target: str) -> str:
        name = f"truss-{uuid.uuid4().hex[:8]}"
        up.append((name, target))
        options = ("--name", name, "--target", target, "--secrets", secrets)
        return chainctl("push", str(here / path), *options, timeout=900).stdout.strip()

    yield pushed
    for name, target in up:
        chainctl("down", name, "--target", target)


@pytest.mark.parametrize("fidelity", ["inline", "codec", "process"])
def test_a_directory_runs_here(fidelity: str, chainctl: Chainctl, secrets: str) -> None:
    """Its packages, data, secrets, variables and stages are what its model expects."""
    options = ("--input", '{"name": "Ann"}', "--fidelity", fidelity, "--secrets", secrets, "--json")
    assert json.loads(chainctl("run-local", str(TRUSSES / "whole"), *options).stdout) == WHOLE


@pytest.mark.parametrize("target", TARGETS)
def test_a_directory_has_the_routes_of_its_server(target: str, push: Push) -> None:
    """Calls, readiness, schema; binary bodies in and out."""
    url = push("whole", target)
    for path in ("/v1/models/model:predict", "/invocations", "/run_remote"):
        assert json.loads(posted(url + path, {"name": "Ann"})) == WHOLE
    packed = msgpack.packb({"name": "", "array": np.arange(3)}, default=msgpack_numpy.encode)
    answer = posted(f"{url}/v1/models/model:predict", packed, media="application/octet-stream")
    doubled = msgpack.unpackb(answer, object_hook=msgpack_numpy.decode)["doubled"]
    assert doubled.tolist() == [0, 2, 4]
    for path in ("/", "/v1/models/model", "/v1/models/model/loaded", "/ping"):
        with urllib.request.urlopen(url + path, timeout=30) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_generated_is_streamed(target: str, push: Push) -> None:
    """As it comes, or gathered for a caller that wants JSON."""
    url = f"{push('stream', target)}/v1/models/model:predict"
    given = {"text": "a red fox", "stream": True}
    assert posted(url, given) == b"a red fox "
    assert json.loads(posted(url, given, accept="application/json")) == "a red fox "
    assert json.loads(posted(url, {"text": "whole"})) == {"text": "whole"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_chain_calls_its_members(target: str, push: Push) -> None:
    """By their handles; two members may have modules of one name."""
    url = push("chain/chain.py", target)
    assert json.loads(posted(f"{url}/run_remote", {"name": "Bo"})) == ["Hello dear BO", "Bo ", "Bo"]


def test_a_chain_with_members_runs_here(chainctl: Chainctl, secrets: str) -> None:
    """In processes; in one process it is told why not."""
    options = (str(CHAIN), "--input", '{"name": "Bo"}', "--secrets", secrets, "--json")
    done = chainctl("run-local", *options, "--fidelity", "process")
    assert json.loads(done.stdout) == ["Hello dear BO", "Bo ", "Bo"]
    refused = chainctl("run-local", *options, expect=2).stderr
    assert "Streaming, Whole of chain.py runs in a process of its own" in refused
    assert "--fidelity process" in refused


def test_a_fake_stands_for_a_member(chainctl: Chainctl, tmp_path: Path, secrets: str) -> None:
    """It is called as the handle is."""
    (tmp_path / "fakes.py").write_text(FAKES, encoding="utf-8")
    fakes = [f"--replace={name}={tmp_path}/fakes.py:{name}" for name in ("Whole", "Streaming")]
    done = chainctl(
        "run-local", str(CHAIN), "--input", '{"name": "Bo"}', "--secrets", secrets, "--json", *fakes
    )
    assert json.loads(done.stdout) == ["whole", "streamed", "streamed"]


def test_an_input_may_be_any_json(chainctl: Chainctl, tmp_path: Path) -> None:
    """A model has one input; the arguments of a chainlet have names."""
    directory = _made(tmp_path)
    save(
        directory / "model" / "model.py",
        "class Model:\n    def predict(self, inputs):\n        return sum(inputs)\n",
    )
    assert chainctl("run-local", str(directory), "--input", "[1, 2]", "--json").stdout.strip() == "3"
    hello = str(ROOT / "examples" / "hello" / "chain.py")
    assert "should be an object" in chainctl("run-local", hello, "--input", "[1, 2]", expect=1).stderr


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_that_is_called_by_websocket(target: str, push: Push) -> None:
    url = push("socket", target)
    with connect(f"ws{url.removeprefix('http')}/v1/websocket", proxy=None) as socket:
        socket.send("Ann")
        assert socket.recv() == "hello Ann"


@pytest.mark.docker
def test_a_model_that_sees_requests(push: Push) -> None:
    """What its server brings along is installed; responses pass as they are."""
    url = push("web", "docker")
    predict = f"{url}/v1/models/model:predict"
    request = urllib.request.Request(predict, b"{}", {"x-agent": "tests", "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert (json.load(answer), answer.headers["x-model"]) == ({"agent": "tests"}, "web")
    assert posted(predict, {"stream": True}) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    with pytest.raises(urllib.error.HTTPError, match="418"):
        posted(predict, {"status": 418})
    chat = json.loads(posted(f"{url}/v1/chat/completions", {"messages": [{"content": "hm"}]}))
    assert chat["choices"][0]["message"]["content"] == "hm"


def test_an_edit_of_a_model_is_served_here(chainctl: Chainctl, tmp_path: Path) -> None:
    """With `--reload`; one that is broken is told, and the old one serves on."""
    directory = _made(tmp_path)
    model = directory / "model" / "model.py"
    with local_run(chainctl, str(directory), "--reload", "--port", str(free_port())) as run:
        url = f"{run.url()}/run_remote"
        assert json.loads(posted(url, {}))[:2] == ["first", "one"]
        save(model, MODEL.replace("predict(", "predict(("))
        run.await_said("CH0102")
        assert json.loads(posted(url, {}))[:2] == ["first", "one"]
        save(model, MODEL.replace("first", "second"))
        await_condition(lambda: json.loads(posted(url, {}))[:2] == ["second", "one"], seconds=60)


@pytest.mark.parametrize("target", TARGETS)
def test_a_watched_directory(target: str, tmp_path: Path) -> None:
    """Bodies are swapped and weights kept, `load` starts it anew, its configuration is pushed, comments are nothing."""
    directory, name, port = _made(tmp_path), f"truss-{uuid.uuid4().hex[:8]}", free_port()
    model, config = directory / "model" / "model.py", directory / "config.yaml"
    environ = environ_of(tmp_path, port)
    url = f"http://127.0.0.1:{port}/v1/models/model:predict"

    def answer() -> Any:
        return json.loads(posted(url, {}))

    try:
        with watching(directory, name, target, environ) as watched:
            *said, weights = answer()
            assert said == ["first", "one"]
            save(model, MODEL.replace("first", "second"))
            watched.await_line(
                lambda text: "swap Model: only the body of `Model.predict` changed" in text, 60
            )
            assert answer() == ["second", "one", weights]
            save(model, MODEL.replace("first", "second").replace("urandom(4)", "urandom(5)"))
            watched.await_line(lambda text: "restart Model: `load` changed" in text, 120)
            assert len(answer()[-1]) == 10
            save(config, CONFIG.replace("one", "two"))
            watched.await_line(lambda text: text.startswith("  pushed"), 120)
            assert answer()[:2] == ["second", "two"]
            save(config, f"{CONFIG.replace('one', 'two')}# no more\n")
            watched.await_line(lambda text: "what is saved is what serves" in text, 60)
            save(config, "environment_variables: [\n")
            watched.await_line(lambda text: text.startswith("not served"), 60)
            assert answer()[:2] == ["second", "two"]
    finally:
        Chainctl(environ, ROOT)("down", name, "--target", target)


FAKES = """\
class Whole:
    async def run_remote(self, model_input):
        return {"text": "whole"}


class Streaming:
    async def run_remote(self, model_input):
        return "streamed" if "stream" in model_input else {"text": "streamed"}
"""
CONFIG = """\
environment_variables: {WORD: one}
python_version: py311
resources: {cpu: "1", memory: 256Mi}
"""
MODEL = """\
import os


class Model:
    def load(self):
        self._weights = os.urandom(4).hex()

    def predict(self, inputs):
        return ["first", os.environ["WORD"], self._weights]
"""


def _made(tmp_path: Path) -> Path:
    """A small Truss directory."""
    directory = tmp_path / "small"
    save(directory / "config.yaml", CONFIG)
    save(directory / "model" / "model.py", MODEL)
    return directory


def posted(url: str, body: Any, *, media: str = "application/json", accept: str = "*/*") -> bytes:
    """Call a model; the bytes of its answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": media, "accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: bytes = answer.read()
    return found

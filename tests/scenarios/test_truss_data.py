"""Truss directories with files from elsewhere, and with a server of their image, on every way to run them."""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from tests.conftest import Chainctl
from tests.fakes.hub import COMMIT, FakeHub, FakeRepo, fake_hub
from tests.scenarios.pushed_chain import TARGETS

FILES = {"config.json": b'{"a": 1}', "sub/model.bin": b"w" * 100_000}
MODEL = """
import os
from pathlib import Path


class Model:
    def __init__(self, **kwargs):
        self._data = Path(kwargs["data_dir"])

    def load(self):
        folder = Path(os.environ["CHAINCTL_MODEL_CACHE"], "tiny")
        hub = Path(os.environ["HF_HUB_CACHE"], "models--org--tiny")
        commit = (hub / "refs" / "main").read_text()
        self._answer = {
            "data": sorted(str(p.relative_to(self._data)) for p in self._data.rglob("*.txt")),
            "words": (self._data / "in" / "words.txt").read_text(),
            "folder": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
            "size": len((hub / "snapshots" / commit / "sub" / "model.bin").read_bytes()),
            "is_at_its_path": Path("/app/data/in/words.txt").is_file() and Path("/app/model_cache/tiny").is_dir(),
        }

    def predict(self, inputs):
        return self._answer
"""
SERVER = """
import http.server, pathlib, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("ready")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        secret = pathlib.Path("/secrets/word")
        self.answer(f"{self.path} {body} {secret.read_text() if secret.exists() else ''}")

    def answer(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

print("the server listens", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""


def gateway() -> str:
    """An address of this machine that containers reach, and nobody else."""
    engine = Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))
    with engine.client() as client:
        subnet = client.inspect_network("bridge")["IPAM"]["Config"][0]["Subnet"]
    return str(next(ipaddress.ip_network(subnet).hosts()))


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    """Where the hub listens for a test with or without containers."""
    return gateway() if request.node.get_closest_marker("docker") else "127.0.0.1"


@pytest.fixture
def hub(host: str) -> Iterator[FakeHub]:
    with fake_hub(
        {"org/tiny": FakeRepo(dict(FILES), frozenset(["sub/model.bin"]), token="hf_secret")}, host
    ) as hub:
        hub.others["/words"] = b"one two"
        yield hub


Push = Callable[..., str]


@pytest.fixture
def push(chainctl: Chainctl, tmp_path: Path) -> Iterator[Push]:
    """Push a directory under the name of this test; its URL. It is taken down afterwards."""
    name, up = f"truss-{uuid.uuid4().hex[:8]}", set[str]()
    (tmp_path / "secrets.env").write_text("hf_access_token=hf_secret\nword=magic\n")

    def pushed(directory: Path, target: str) -> str:
        up.add(target)
        options = ("--name", name, "--target", target, "--secrets", str(tmp_path / "secrets.env"))
        return chainctl("push", str(directory), *options, timeout=900).stdout.strip()

    yield pushed
    for target in up:
        chainctl("down", name, "--target", target)


def write_model(directory: Path, hub: FakeHub) -> Path:
    """Write a directory with files of a hub, of another server, and of its own."""
    (directory / "model").mkdir(parents=True)
    (directory / "data" / "in").mkdir(parents=True)
    (directory / "data" / "in" / "own.txt").write_text("own")
    (directory / "model" / "model.py").write_text(MODEL)
    (directory / "config.yaml").write_text(f"""
model_name: Reads files
python_version: py311
environment_variables:
  HF_ENDPOINT: {hub.endpoint}
secrets:
  hf_access_token: null
external_data:
  - url: {hub.endpoint}/words?signed=yes
    local_data_path: in/words.txt
model_cache:
  - repo_id: org/tiny
    revision: {COMMIT}
    use_volume: true
    volume_folder: tiny
    allow_patterns: ["sub/*"]
  - repo_id: org/tiny
    revision: main
""")
    return directory


def answered(url: str, path: str = "/v1/models/model:predict", body: str = "{}") -> bytes:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url + path, body.encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: bytes = answer.read()
        return data


@pytest.mark.parametrize("target", TARGETS)
def test_files_from_elsewhere_are_there_before_the_model_loads(
    target: str, push: Push, hub: FakeHub, tmp_path: Path
) -> None:
    """At all their places; the next release finds them there, and asks only for the commit of a branch."""
    directory = write_model(tmp_path / "reads", hub)
    expected: dict[str, Any] = {
        "data": ["in/own.txt", "in/words.txt"],
        "words": "one two",
        "folder": ["sub/model.bin"],
        "size": 100_000,
        "is_at_its_path": target == "docker",
    }
    assert json.loads(answered(push(directory, target))) == expected
    hub.asked.clear()
    (directory / "model" / "model.py").write_text(MODEL + "\n# edited\n")
    assert json.loads(answered(push(directory, target))) == expected
    assert hub.paths == ["/api/models/org/tiny/revision/main"]


@pytest.mark.parametrize("fidelity", ["inline", "process"])
def test_files_from_elsewhere_outlive_a_run(
    fidelity: str, chainctl: Chainctl, hub: FakeHub, tmp_path: Path
) -> None:
    """Run twice, they are fetched once."""
    directory = write_model(tmp_path / "reads", hub)
    (tmp_path / "secrets.env").write_text("hf_access_token=hf_secret\n")
    options = ("--input", "{}", "--fidelity", fidelity, "--secrets", str(tmp_path / "secrets.env"))
    environ = {**chainctl.environ, "HF_ENDPOINT": hub.endpoint}
    run = Chainctl(environ, chainctl.directory)
    for _ in range(2):
        assert json.loads(run("run-local", str(directory), *options).stdout)["words"] == "one two"
    assert len([path for path in hub.paths if "/resolve/" in path]) == len(FILES)
    assert hub.paths.count("/words") == 1


@pytest.mark.docker
def test_a_server_of_the_image_answers_at_the_chains_address(
    push: Push, chainctl: Chainctl, tmp_path: Path
) -> None:
    """At the paths of Truss and at its own, with its secrets, at the port that most servers want."""
    directory = tmp_path / "serves"
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "server.py").write_text(SERVER)
    (directory / "config.yaml").write_text("""
model_name: Serves itself
base_image:
  image: python:3.11-slim
secrets:
  word: null
docker_server:
  start_command: python3 /app/data/server.py 8000
  server_port: 8000
  predict_endpoint: /generate
  readiness_endpoint: /health
  liveness_endpoint: /health
""")
    url = push(directory, "docker")
    assert answered(url, "/run_remote", "hi") == b"/generate hi magic"
    assert answered(url, "/v1/chat/completions", "hi") == b"/v1/chat/completions hi magic"
    name = url_name(chainctl)
    assert "the server listens" in chainctl("logs", name, "--target", "docker").stdout


def url_name(chainctl: Chainctl) -> str:
    """The one chain that is there."""
    listed = json.loads(chainctl("ps", "--target", "docker", "--json").stdout)
    (name,) = {chain["chain"] for chain in listed["chains"] if chain["chain"].startswith("truss-")}
    return str(name)

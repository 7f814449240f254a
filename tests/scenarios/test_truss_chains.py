"""Chain files as they are written for Truss Chains, unchanged: as local processes, as containers, as programs."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from websockets.sync.client import connect

from chainctl.testing import RunChain
from tests.conftest import ROOT, Chainctl
from tests.scenarios.local_run import asked, free_port, local_run

FILES = ROOT / "tests" / "chains" / "truss"
ANSWERS: dict[str, tuple[dict[str, Any], Any]] = {
    "hello": ({"names": ["Ann", "Bo"]}, "Hello, Ann\nHello, Bo"),
    "diamond": ({"text": "a red fox"}, [{"words": 3, "letters": 6}, "a red fox"]),
    "arrays": ({"size": 3}, [10.0, 11.0, 12.0]),
    "context": ({}, ["5", "data", "words", "Inner", "MissingDependencyError"]),
    "packages": ({"number": 4}, 8),
    "health": ({}, True),
    "helpers": ({"text": " hm "}, "HM!"),
    "calls": ({"url": "", "prompt": "hm"}, "no address"),
}
SECRETS = "truss_word=magic\nbaseten_chain_api_key=k3y\n"


@pytest.fixture
def secrets(tmp_path: Path) -> str:
    file = tmp_path / "secrets.env"
    file.write_text(SECRETS, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_file_answers_as_local_processes(name: str, chainctl: Chainctl, secrets: str) -> None:
    """Each feature in a file of its own, which imports nothing of chainctl's."""
    given, expected = ANSWERS[name]
    file = str(FILES / f"{name}.py")
    options = ("--input", json.dumps(given), "--fidelity", "process", "--secrets", secrets)
    assert json.loads(chainctl("run-local", file, *options, "--json").stdout) == expected


def test_streams_as_local_processes(chainctl: Chainctl) -> None:
    """A stream of parts with their types, read by the next chainlet as it comes."""
    options = ("--input", '{"words": ["red", "fox"]}', "--fidelity", "process")
    done = chainctl("run-local", str(FILES / "streams.py"), *options)
    assert done.stdout.strip() == "2: red fox (6)"


def test_errors_are_caught_by_their_names(chainctl: Chainctl) -> None:
    """The same class where it is known, and else the one that stands for all others."""
    with local_run(chainctl, *_served("errors")) as run:
        url = run.url()
        answers = [asked(url, how=how) for how in ("value", "unknown", "well")]
    assert answers == ["ValueError True", "GenericRemoteException True", "well"]


def test_a_websocket_as_the_entrypoint(chainctl: Chainctl) -> None:
    """Both ways to iterate and to ask whether it is open."""
    with (
        local_run(chainctl, *_served("sockets")) as run,
        connect(f"ws{run.url().removeprefix('http')}/run_remote", proxy=None) as socket,
    ):
        socket.send('{"a": 1}')
        assert json.loads(socket.recv()) == {"echo": {"a": 1}, "open": True}
        for text in ("some", "last"):
            socket.send(text)
            assert socket.recv() == text.upper()


def test_a_stub_in_its_older_and_its_newer_form(chainctl: Chainctl, secrets: str) -> None:
    """Both send the key that the context has."""
    with _service() as (url, keys):
        options = ("--input", json.dumps({"url": url, "prompt": "x"}), "--secrets", secrets, "--json")
        done = chainctl("run-local", str(FILES / "calls.py"), *options)
    assert json.loads(done.stdout) == "x! x!"
    assert keys == ["Api-Key k3y"] * 2


def test_what_images_are_made_of(chainctl: Chainctl) -> None:
    """Older forms mean what they meant, and a Truss is installed nowhere."""
    graph = json.loads(chainctl("graph", str(FILES / "image.py"), "--format", "json").stdout)
    images = {one["name"]: one["remote_config"]["docker_image"] for one in graph["chainlets"]}
    assert images["Named"] == {"base_image": {"image": "python:3.11-slim"}, "pip_requirements": ["idna"]}
    assert images["Custom"]["base_image"]["python_executable_path"] == "/usr/local/bin/python3"
    assert images["images"]["apt_requirements"] == ["jq"]


def test_a_main_block_is_a_program(chainctl: Chainctl) -> None:
    """Its arguments are its own, options too; its exit code is that of the command."""
    done = chainctl("run", str(FILES / "hello.py"), "--help", "-x", expect=2)
    assert (done.stdout, done.stderr) == ("Hello, --help\nHello, -x\n", "")
    done = chainctl("run", str(FILES / "mocks.py"))
    assert (done.stdout, done.stderr) == ("ChainsRuntimeError\nasked none\n", "")


def test_errors_of_a_program_are_as_python_shows_them(chainctl: Chainctl, tmp_path: Path) -> None:
    """From its own first line on; a file that is not there is the command's error."""
    file = tmp_path / "program.py"
    file.write_text("import truss_chains\n\n\ndef f():\n    raise KeyError('k')\n\n\nf()\n", encoding="utf-8")
    lines = chainctl("run", str(file), expect=1).stderr.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{file}", line 8, in <module>']
    assert lines[-1] == "KeyError: 'k'"
    assert "does not exist" in chainctl("run", str(tmp_path / "absent.py"), expect=2).stderr


def test_a_file_is_migrated(chainctl: Chainctl, tmp_path: Path) -> None:
    """In its place, all files or none, and only once; `--diff` writes nothing."""
    text = (FILES / "hello.py").read_text(encoding="utf-8")
    file, refused = tmp_path / "hello.py", tmp_path / "refused.py"
    file.write_text(text, encoding="utf-8")
    refused.write_text("import truss_chains as chains\n\nchains.ModelBase\n", encoding="utf-8")
    file.chmod(0o640)
    assert "refused.py:3" in chainctl("migrate", str(file), str(refused), expect=3).stderr
    assert "+import chainctl as chains" in chainctl("migrate", "--diff", str(file)).stdout
    assert file.read_text(encoding="utf-8") == text
    assert chainctl("migrate", str(file)).stdout == f"{file}: imports chainctl now\n"
    migrated = text.replace("import truss_chains as chains", "import chainctl as chains")
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == (migrated, 0o640)
    assert json.loads(chainctl("migrate", str(file), "--json").stdout)["unchanged"] == [str(file)]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["hello.py", "refused.py"]


@pytest.mark.parametrize("fidelity", ["inline", "process"])
def test_the_plugin_runs_a_file(fidelity: str, chain: RunChain) -> None:
    """In the test's own process, and with processes of its own."""
    with chain(FILES / "diamond.py", fidelity=fidelity) as running:
        assert running.run_remote("a red fox")[0].letters == 6


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        *((name, *case) for name, case in ANSWERS.items() if name != "calls"),
        ("calls", {"url": "", "prompt": "by hand"}, "by hand"),
        ("errors", {"how": "value"}, "ValueError True"),
        ("errors", {"how": "unknown"}, "GenericRemoteException True"),
        ("image", {"text": "bücher"}, "xn--bcher-kva"),
    ],
)
def test_a_file_answers_as_containers(
    name: str, given: dict[str, Any], expected: Any, chainctl: Chainctl, secrets: str, tmp_path: Path
) -> None:
    """Images have the alias, and what a Truss server brings along; a handle knows where its sibling is."""
    assert json.loads(_in_containers(name, given, chainctl, secrets, tmp_path, "--json")) == expected


@pytest.mark.docker
def test_streams_as_containers(chainctl: Chainctl, secrets: str, tmp_path: Path) -> None:
    """As between local processes."""
    given = {"words": ["red", "fox"]}
    assert _in_containers("streams", given, chainctl, secrets, tmp_path).strip() == "2: red fox (6)"


def _in_containers(
    name: str, given: dict[str, Any], chainctl: Chainctl, secrets: str, tmp_path: Path, *options: str
) -> str:
    """Push a file, call it, and take it down; what it answered."""
    files = copytree(FILES, tmp_path / "files")  # a lock of this machine's images is written beside them
    chain = f"truss-{name}-{uuid.uuid4().hex[:8]}"
    on_docker = ("--target", "docker")
    try:
        push = ("push", str(files / f"{name}.py"), "--name", chain, "--secrets", secrets, *on_docker)
        chainctl(*push, timeout=600)
        return chainctl("call", chain, json.dumps(given), *on_docker, *options).stdout
    finally:
        chainctl("down", chain, *on_docker)


def _served(name: str) -> list[str]:
    return [str(FILES / f"{name}.py"), "--fidelity", "process", "--port", str(free_port())]


@contextmanager
def _service() -> Iterator[tuple[str, list[str]]]:
    """A service on loopback that answers a prompt; its URL, and the credentials that it was shown."""
    shown: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shown.append(self.headers["authorization"])
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({"output": f"{asked['prompt']}!"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/predict", shown
        finally:
            server.shutdown()
            thread.join()

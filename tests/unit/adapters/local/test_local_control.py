"""The control protocol between versions and in bad company, and what is remembered on disk."""

from __future__ import annotations

import base64
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chainctl.adapters.local.client import SupervisorClient, SupervisorGone
from chainctl.adapters.local.memory import RunMemory, recall, remember
from chainctl.adapters.local.observation import observed
from chainctl.adapters.local.paths import LocalPaths, RunPaths
from chainctl.adapters.local.protocol import Call, OpenDoor
from chainctl.deploy.state import ObservedState
from chainctl.errors import DeployError, EngineError


@contextmanager
def supervisor_that_says(answer: bytes) -> Iterator[RunPaths]:
    """Listen on a control socket, read one line, answer with given bytes."""
    with tempfile.TemporaryDirectory(prefix="cc-") as place:
        run = LocalPaths.of(Path(place), xdg_runtime_dir=place, uid=7).run("demo")
        run.runtime.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(run.control))
            server.listen()
            thread = threading.Thread(target=answer_once, args=(server, answer))
            thread.start()
            yield run
            thread.join()


def answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        lines.readline()
        connection.sendall(answer)


def test_another_version_is_named() -> None:
    """An answer that is not understood says how to go on."""
    with supervisor_that_says(b'{"version": 2, "reply": {}}\n') as run:
        with pytest.raises(EngineError, match="another version") as caught:
            SupervisorClient(run).memory()
        assert "chainctl down" in caught.value.hint


def test_a_refusal_is_a_deploy_error() -> None:
    """Message, hint and details cross the socket."""
    refused = {"answer": "refused", "message": "m", "hint": "h", "details": ["d"]}
    line = json.dumps({"version": 1, "reply": refused}).encode() + b"\n"
    with supervisor_that_says(line) as run:
        with pytest.raises(DeployError) as caught:
            SupervisorClient(run).memory()
        assert (caught.value.message, caught.value.hint) == ("m", "h")
        assert caught.value.details == ("d",)


def test_an_answer_that_breaks_off_is_a_supervisor_gone() -> None:
    """Half a line is no answer."""
    with supervisor_that_says(b'{"version": 1') as run, pytest.raises(SupervisorGone):
        SupervisorClient(run).memory()


def test_secrets_are_not_in_the_text_of_a_request() -> None:
    """What is printed of a request by accident holds neither key nor token."""
    order = OpenDoor(digest="d", bind="b", port=None, token="t0ken", api_key=base64.b64encode(b"k3y"))
    assert "t0ken" not in repr(Call(request=order))
    assert "k3y" not in repr(Call(request=order))
    assert Call.model_validate_json(Call(request=order).model_dump_json()).request == order


def test_memory_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And nothing is remembered where nothing was written."""
    path = tmp_path / "chain" / "state.json"
    assert recall(path) is None
    remember(path, RunMemory(chain="demo", port=8100))
    assert recall(path) == RunMemory(chain="demo", port=8100)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["state.json"]


def test_a_broken_memory_is_named(tmp_path: Path) -> None:
    """A state file that cannot be read is an error, not an empty chain."""
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(EngineError, match="cannot be read"):
        recall(tmp_path / "state.json")


def test_nothing_remembered_is_nothing_observed() -> None:
    """A chain that never was has no network either."""
    assert observed("demo", None, is_supervised=False) == ObservedState("demo")

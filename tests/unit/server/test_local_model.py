"""A model in the child of a local run: one call, or a server, in one process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_PATIENCE_SEC = 20
_MODEL = """
import asyncio


class Model:
    def __init__(self, config, secrets, data_dir):
        self.given = [config["model_name"], secrets["key"], (data_dir / "word").read_text()]

    async def load(self):
        self.loop = asyncio.get_running_loop()

    async def predict(self, inputs):
        if inputs == "fail":
            raise ValueError("told to")
        return (item for item in inputs) if isinstance(inputs, str) else [*self.given, self.has_its_loop(), inputs]

    def has_its_loop(self):
        return self.loop is asyncio.get_running_loop()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A Truss directory."""
    (tmp_path / "model").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "model" / "model.py").write_text(_MODEL)
    (tmp_path / "data" / "word").write_text("hello")
    return tmp_path


@contextlib.contextmanager
def child(directory: Path, body: str | None, **changed: Any) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Start the child with a request; give it and what it answers."""
    request = {
        "paths": [str(directory)],
        "module": "model.model",
        "qualname": "Model",
        "fidelity": "inline",
        "secrets": {"key": "k"},
        "body": body,
        "truss_config": {"model_name": "greeter", "secrets": {"key": None}, "runtime": {}},
        **changed,
    }
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "chainctl.server.local", str(write)],
        stdin=subprocess.PIPE,
        pass_fds=[write],
        cwd=Path(__file__).parents[3],
    )
    os.close(write)
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        with os.fdopen(read) as answer:
            yield process, json.load(answer)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ("[1]", 200, '["greeter","k","hello",true,[1]]'),
        ('"abc"', 200, "abc"),
        ("{", 400, None),
        ('"fail"', 500, None),
    ],
)
def test_one_call(directory: Path, body: str, status: int, answer: str | None) -> None:
    """It is loaded on the loop on which it is called, and ends by itself."""
    with child(directory, body) as (process, reply):
        assert reply["status"] == status
        assert answer is None or reply["body"] == answer
        assert process.wait(_PATIENCE_SEC) == 0


def test_a_model_that_does_not_load(directory: Path) -> None:
    """What it raises is the answer."""
    with child(directory, "1", secrets={}) as (process, reply):
        assert "secret `key` has no value here" in reply["failed"]["exception_message"]
        assert process.wait(_PATIENCE_SEC) == 0


def test_serving(directory: Path) -> None:
    """It has the routes of a Truss server, and ends when it is interrupted."""
    with child(directory, None) as (process, reply):
        url = reply["listening"]
        with urllib.request.urlopen(f"{url}/v1/models/model") as ready:
            assert ready.status == 200
        with urllib.request.urlopen(f"{url}/v1/models/model:predict", data=b"2") as answer:
            assert json.load(answer) == ["greeter", "k", "hello", True, 2]
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE_SEC) == 0

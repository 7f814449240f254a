"""Debian's `docker-registry` in; registries on loopback, each a process with its own data, out."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = "docker-registry"
USER, PASSWORD = "ada", "correct horse"
# bcrypt of PASSWORD, with the lowest cost there is
_HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"


@dataclass(frozen=True)
class RegistryServer:
    """A registry that runs. `host` is what images' names begin with."""

    host: str
    directory: Path

    def blobs(self) -> int:
        """Return how many blobs it keeps."""
        return sum(1 for _ in self.directory.glob("data/**/blobs/**/data"))


@contextmanager
def serving(directory: Path, *, has_auth: bool = False) -> Iterator[RegistryServer]:
    """Run a registry until the end of the block; skips the test where there is no such program."""
    program = shutil.which(PROGRAM)
    if program is None:
        reason = f"{PROGRAM} is not installed: `apt-get install {PROGRAM}`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    host = f"127.0.0.1:{free_port()}"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", _config(directory, host, has_auth=has_auth)],
                                   stdout=log, stderr=log)  # fmt: skip
        try:
            _await(host, process, directory / "log")
            yield RegistryServer(host, directory)
        finally:
            process.terminate()
            process.wait(20)


def docker_config(directory: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """Write what `docker login` writes; returns the config's directory."""
    directory.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return directory


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config(directory: Path, host: str, *, has_auth: bool) -> str:
    htpasswd = directory / "htpasswd"
    htpasswd.write_text(_HTPASSWD)
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": host},
        **({"auth": {"htpasswd": {"realm": "test", "path": str(htpasswd)}}} if has_auth else {}),
    }
    path = directory / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    return str(path)


def _await(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, pause = time.monotonic() + 20, threading.Event()
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status in (200, 401):
                return
        except OSError:
            pause.wait(0.05)
        finally:
            connection.close()
    pytest.fail(f"{PROGRAM} does not answer: {log.read_text()}")

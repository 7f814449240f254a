"""The text of a chain file in; the chain, pushed to a target under a name of its own, and its callers out."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT, Chainctl, await_condition, fresh_environ

TARGETS = ["local", pytest.param("docker", marks=pytest.mark.docker)]
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class PushedChain:
    """One chain that serves. `url` is that of its front door."""

    name: str
    target: str
    file: Path
    url: str
    chainctl: Chainctl

    @property
    def place(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)

    @property
    def websocket_url(self) -> str:
        return f"ws://{urlsplit(self.url).netloc}/run_remote"

    def push(self, *arguments: str) -> None:
        """Push the file anew, as it is now."""
        self.chainctl(
            "push", str(self.file), "--name", self.name, "--target", self.target, *arguments, timeout=600
        )

    def call(self, data: str, *arguments: str, expect: int = 0) -> tuple[str, str]:
        """Call it with the command; what that wrote to stdout and stderr."""
        done = self.chainctl("call", self.name, data, "--target", self.target, *arguments, expect=expect)
        return done.stdout, done.stderr

    @contextmanager
    def asked(
        self, value: Any = None, headers: Mapping[str, str] = JSON, body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Post a value as JSON, or a body; the answer as it comes."""
        connection = http.client.HTTPConnection(*self.place, timeout=60)
        try:
            sent = json.dumps(value).encode() if body is None else body
            connection.request("POST", "/run_remote", sent, dict(headers))
            yield connection.getresponse()
        finally:
            connection.close()

    def begun(self, value: Any) -> socket.socket:
        """Post a value as JSON and return the connection, on which nothing was read yet."""
        body = json.dumps(value).encode()
        head = f"POST /run_remote HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        connection = socket.create_connection(self.place, timeout=60)
        connection.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + body)
        return connection

    def begun_websocket(self) -> socket.socket:
        """Return the connection of a websocket whose handshake was asked for, and that answers nothing."""
        connection = socket.create_connection(self.place, timeout=60)
        connection.sendall(
            b"GET /run_remote HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        return connection

    def messages(self) -> list[str]:
        """What the chainlets printed and logged so far."""
        logged = self.chainctl("logs", self.name, "--target", self.target, "--json").stdout
        return [str(json.loads(line)["text"]) for line in logged.splitlines()]

    def await_message(self, text: str, count: int = 1) -> None:
        """Wait until a message was written so many times."""
        await_condition(lambda: self.messages().count(text) >= count, seconds=20)


Push = Callable[..., PushedChain]


@contextmanager
def pushing(directory: Path, target: str) -> Iterator[Push]:
    """Push chains to a target; each is taken down in the end."""
    chainctl = Chainctl(fresh_environ(directory), ROOT)
    names: list[str] = []

    def push(text: str, name: str, *arguments: str, entrypoint: str = "") -> PushedChain:
        file = directory / f"{name.replace('-', '_')}.py"
        file.write_text(text, encoding="utf-8")
        named = f"{file}:{entrypoint}" if entrypoint else str(file)
        names.append(name)
        done = chainctl("push", named, "--name", name, "--target", target, *arguments, timeout=600)
        return PushedChain(name, target, file, done.stdout.strip(), chainctl)

    try:
        yield push
    finally:
        for name in names:
            chainctl("down", name, "--target", target)

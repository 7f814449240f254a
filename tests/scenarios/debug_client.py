"""A host and port where debugpy listens in; a debugger that sets breakpoints and goes on, out."""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class DebugClient:
    """Speaks as much of the Debug Adapter Protocol as a breakpoint needs."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        self._lines = self._socket.makefile("rb")
        self._number = 0
        self._events: deque[Mapping[str, Any]] = deque()

    def attach(self, breakpoints: Mapping[Path, list[int]]) -> None:
        """Attach, set breakpoints, and let the program begin."""
        self._ask("initialize", adapterID="tests", pathFormat="path")
        attached = self._send("attach", justMyCode=True)
        self.event("initialized")
        for path, lines in breakpoints.items():
            where = {"path": str(path)}
            self._ask("setBreakpoints", source=where, breakpoints=[{"line": line} for line in lines])
        self._ask("configurationDone")
        self._answer(attached)

    def event(self, name: str) -> Mapping[str, Any]:
        """Wait for an event and return its body."""
        while True:
            for event in list(self._events):
                if event["event"] == name:
                    self._events.remove(event)
                    body: Mapping[str, Any] = event.get("body", {})
                    return body
            self._events.append(self._read("event"))

    def place(self, thread: int) -> tuple[str, int]:
        """Where a stopped thread stands: path and line."""
        frame = self._ask("stackTrace", threadId=thread)["stackFrames"][0]
        return frame["source"]["path"], frame["line"]

    def go_on(self, thread: int) -> None:
        self._ask("continue", threadId=thread)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _ask(self, command: str, **arguments: Any) -> Any:
        return self._answer(self._send(command, **arguments))

    def _send(self, command: str, **arguments: Any) -> int:
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._number

    def _answer(self, number: int) -> Any:
        while True:
            message = self._read("response")
            if message["request_seq"] == number:
                assert message["success"], message
                return message.get("body")

    def _read(self, kind: str) -> Mapping[str, Any]:
        """Read on to a message of a kind; events on the way are kept."""
        while True:
            length = 0
            while (line := self._lines.readline().strip()) or not length:
                assert line, "the debugger is gone"
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            message: Mapping[str, Any] = json.loads(self._lines.read(length))
            if message["type"] == kind:
                return message
            if message["type"] == "event":
                self._events.append(message)

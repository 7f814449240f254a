"""Nodes and the names of their methods in; what a child interpreter says of running them out."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from chainctl.components.node import Node
from chainctl.components.session import request_text
from chainctl.errors import ComponentError
from chainctl.sdk.read_secrets import ReadSecrets
from chainctl.worker.redaction import Redactor

_CLOSE_SEC = 5.0
_CHILD = "chainctl.graph.component_child"


class ComponentFailedError(ComponentError):
    """The user's code raised in the child; `traceback` is its text, with the user's frames."""

    def __init__(self, message: str, *, traceback: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint, details=traceback.strip().splitlines()[-12:])
        self.traceback = traceback


class ProcessRunner:
    """A Runner whose hooks and triggers run in one child interpreter, so that a component keeps what it set up.

    `chain` stands in the place of `this_chain()`: an identifier, url, release, target. `secrets` are
    values for `Secret` fields; they go through a pipe. `output` gets each line that the code prints.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        chain: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        output: Callable[[str], None] = lambda _: None,
        python: str = sys.executable,
    ) -> None:
        self.chain = chain
        self.secrets = frozenset(secrets or {})
        self._environ = dict(environ)
        self._secrets = dict(secrets or {})
        self._output = _redacting(output, self._secrets)
        self._python = python
        self._child: _Child | None = None

    def __enter__(self) -> ProcessRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, node: Node) -> None:
        """Run `on_create`."""
        self._ask(node, "on_create")

    def run(self, node: Node, method: str) -> object:
        """Run a trigger; its result is JSON. Raises ComponentFailedError."""
        return self._ask(node, method)

    def cleanup(self, node: Node) -> None:
        """Run `cleanup`."""
        self._ask(node, "cleanup")

    def close(self) -> None:
        """Let the child end; kill it when it does not."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _ask(self, node: Node, method: str) -> object:
        if self._child is None:
            self._child = _Child(self._python, self._environ, self._output)
        try:
            answer = self._child.ask(request_text(node, method, self.chain, self._secrets))
        except BaseException:
            self._child.kill()
            self._child = None
            raise
        if answer is None:
            status = self._child.close()
            self._child = None
            raise ComponentFailedError(_died(node, method, status), hint="see what it printed before.")
        return _result(node, method, json.loads(answer))


def _redacting(output: Callable[[str], None], secrets: Mapping[str, str]) -> Callable[[str], None]:
    known = ReadSecrets()
    for value in secrets.values():
        known.add(value)
    clean = Redactor(known)
    return lambda line: output(clean(line))


def _result(node: Node, method: str, answer: Mapping[str, Any]) -> object:
    if "error" not in answer:
        return answer["result"]
    said = f": {answer['error']}" if answer["error"] else ""
    raise ComponentFailedError(
        f"`{method}` of {node.key} raised {answer['type']}{said}",
        traceback=answer["traceback"],
        hint=answer["hint"],
    )


def _died(node: Node, method: str, status: int) -> str:
    how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
    return f"the interpreter that ran `{method}` of {node.key} ended {how}."


class _Child:
    """One child interpreter; requests go to its stdin, answers come by a pipe of their own."""

    def __init__(self, python: str, environ: Mapping[str, str], output: Callable[[str], None]) -> None:
        reading, writing = os.pipe()
        self._answers: IO[bytes] = os.fdopen(reading, "rb")
        self._process = subprocess.Popen(
            [python, "-P", "-u", "-m", _CHILD, str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[writing],
            env=dict(environ),
        )
        os.close(writing)
        self._printed = threading.Thread(target=self._pass_on, args=(output,), daemon=True)
        self._printed.start()

    def ask(self, request: str) -> bytes | None:
        """Return the answer, None when the child died first."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self._answers.readline()
        return line if line.endswith(b"\n") else None

    def close(self) -> int:
        """Let it end, and return its status."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_CLOSE_SEC)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._ended()

    def kill(self) -> None:
        self._process.kill()
        self._ended()

    def _ended(self) -> int:
        status = self._process.wait()
        self._printed.join(timeout=_CLOSE_SEC)  # a process that the user's code started may hold it open
        self._answers.close()
        return status

    def _pass_on(self, output: Callable[[str], None]) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                output(line.decode(errors="replace").rstrip("\n"))

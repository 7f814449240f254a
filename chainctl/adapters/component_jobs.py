"""Nodes in; what their hooks and triggers do, done: our own in this process, those of users in a child, out.

No user's code runs in the command's own process; of built-in components only plain values are read.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from chainctl.adapters.component_process import ProcessRunner
from chainctl.adapters.downloads import Downloads
from chainctl.components.node import Node
from chainctl.deploy.release import DataMount
from chainctl.deploy.target import DeployTarget
from chainctl.errors import ComponentError

_BUILT_IN = "chainctl.sdk.built_in:"
_MARKS = ("&:blob:", "?")
_SHOWN = 2000
_END_SEC = 5.0


@dataclass(slots=True)
class ChainJobs:
    """The Runner of a push. `directory` is that of the chain file, `output` gets each line that jobs print."""

    target: DeployTarget
    data: Downloads
    directory: Path
    environ: Mapping[str, str] = field(repr=False)
    output: Callable[[str], None]
    secret_of: Callable[[str], bytes] = field(repr=False)
    chain: dict[str, Any] = field(default_factory=dict)
    service: str = ""
    _child: ProcessRunner | None = None

    def know(self, chain: Mapping[str, Any], service: str) -> None:
        """Say what stands in the place of `this_chain()`, and which service answers for it."""
        if self.chain != dict(chain):
            self.close()  # a child has made its components with the chain that it knew
        self.chain, self.service = dict(chain), service

    def create(self, node: Node) -> None:
        if not _is_built_in(node):
            self._users(node).create(node)

    def run(self, node: Node, method: str) -> object:
        """Run a trigger. Raises ComponentError, and what it meets: DownloadError, DeployError, EngineError."""
        if not _is_built_in(node):
            return self._users(node).run(node, method)
        fields = _plain_fields(node)
        match node.key.component:
            case "Download":
                return self._download(node, fields)
            case "SmokeTest":
                return self._smoke_test(node, fields)
            case "Command":
                return self._command(node, fields)
            case other:
                raise ComponentError(f"{node.key} can not be run here: {other} has no `{method}`")

    def cleanup(self, node: Node) -> None:
        if not _is_built_in(node):
            self._users(node).cleanup(node)

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _users(self, node: Node) -> ProcessRunner:
        """Return the child; it knows only the secrets that its component names."""
        secrets = {name: self.secret_of(name).decode().rstrip("\n") for name in sorted(_secret_names(node))}
        if self._child is None or not secrets.keys() <= self._known():
            self.close()
            self._child = ProcessRunner(
                environ=self.environ, chain=self.chain or None, secrets=secrets, output=self.output
            )
        return self._child

    def _known(self) -> set[str]:
        return set() if self._child is None else set(self._child.secrets)

    def _download(self, node: Node, fields: Mapping[str, Any]) -> object:
        source = fields["url"] or str(self.directory / fields["path"])
        name = fields.get("filename") or PurePosixPath(unquote(urlsplit(source).path)).name
        data = DataMount(
            node.key.identifier,
            source,
            fields["sha256"],
            fields["dest"],
            name,
            fields.get("secret_key") or "",
        )
        file = self.data.get(data)
        return {"bytes": file.stat().st_size, "sha256": data.sha256}

    def _smoke_test(self, node: Node, fields: Mapping[str, Any]) -> object:
        payload = {} if fields["payload"] is None else fields["payload"]
        body = json.dumps(payload).encode()
        timeout_sec = float(fields["timeout_sec"])
        status, said = self.target.invoke(self.chain["identifier"], self.service, body, timeout_sec)
        text = said.decode(errors="replace")
        if status != 200:
            answered = f"answered {status}" if status else f"did not answer within {timeout_sec:g} s"
            raise ComponentError(
                f"{node.key}: {self.service} {answered}", details=[text[:_SHOWN]], hint="see what it says."
            )
        try:
            answer = json.loads(text)
        except ValueError:
            answer = text
        missing = _difference(fields["expect"], answer)
        if missing:
            raise ComponentError(f"{node.key}: {missing}", details=[f"the answer was {text[:_SHOWN]}"])
        return answer if len(text) <= _SHOWN else text[:_SHOWN]

    def _command(self, node: Node, fields: Mapping[str, Any]) -> object:
        argv: Sequence[str] = fields["argv"]
        cwd = self.directory / (fields["cwd"] or ".")
        known = {f"CHAINCTL_{k.upper()}": str(v) for k, v in _told(self.chain).items()}
        environ = {**self.environ, **known, **(fields["env"] or {})}
        tail = _ran(argv, cwd, environ, float(fields["timeout_sec"]), node, self.output)
        return {"exit": 0, "tail": tail}


def _ran(
    argv: Sequence[str], cwd: Path, environ: Mapping[str, str], timeout_sec: float, node: Node,
    output: Callable[[str], None],
) -> list[str]:  # fmt: skip
    """Run a command in a process group of its own, and return its last lines. Raises ComponentError."""
    try:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ComponentError(
            f"{node.key}: {argv[0]} can not be run in {cwd}: {error.strerror}",
            hint="see that it is installed and on PATH.",
        ) from error
    is_late = threading.Event()
    over = threading.Timer(timeout_sec, _end, [process, is_late])
    over.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        with process.stdout as said:
            for raw in said:
                line = raw.decode(errors="replace").rstrip("\n")
                output(line)
                lines = [*lines, line][-12:]
        code = process.wait()
    except BaseException:
        _end(process, threading.Event())
        raise
    finally:
        over.cancel()
    if code == 0:
        return lines
    how = f"took more than {timeout_sec:g} s" if is_late.is_set() else f"ended with exit code {code}"
    raise ComponentError(f"{node.key}: `{' '.join(argv)}` {how}", details=lines)


def _end(process: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    """End a command with all that it has started."""
    is_late.set()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_END_SEC)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _told(chain: Mapping[str, Any]) -> dict[str, Any]:
    """What a command may want to know of the chain."""
    names = {"identifier": "chain", "url": "url", "release": "release", "target": "target"}
    return {names[key]: value for key, value in chain.items() if key in names}


def _difference(expected: Any, answer: Any, path: str = "") -> str:
    """Say where an answer is not what is expected, "" where it is. Of dicts only the expected keys count."""
    if expected is None and not path:
        return ""
    where = f"`{path}` of the answer" if path else "the answer"
    if isinstance(expected, dict) and isinstance(answer, dict):
        for key, value in expected.items():
            below = f"{path}.{key}" if path else str(key)
            if key not in answer:
                return f"`{below}` is not in the answer"
            if found := _difference(value, answer[key], below):
                return found
        return ""
    return (
        ""
        if expected == answer
        else f"{where} is {json.dumps(answer)[:200]}, not {json.dumps(expected)[:200]}"
    )


def _is_built_in(node: Node) -> bool:
    return str(json.loads(node.data).get("_path", "")).startswith(_BUILT_IN)


def _plain_fields(node: Node) -> Mapping[str, Any]:
    """The fields of a built-in component. Raises ComponentError for one that is no plain JSON."""
    fields = {name: value for name, value in json.loads(node.data).items() if not name.startswith("_")}
    for name, value in fields.items():
        if name not in ("chain", "after") and not _is_plain(value):
            raise ComponentError(
                f"`{name}` of {node.key} is no plain JSON",
                hint="use texts, numbers, lists and dicts with texts as keys.",
            )
    return fields


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return "$type" not in value and all(_is_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return not (isinstance(value, str) and value.startswith(_MARKS))


def _secret_names(node: Node) -> set[str]:
    """The secrets that a component, or what it refers to, names."""
    found: set[str] = set()
    waiting: list[Any] = [json.loads(node.data)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("$type") == "secret":
                found.add(str(value["v"]))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found

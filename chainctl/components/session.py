"""Requests to run hooks and triggers as JSON, one a line, in; answers as JSON, one a line, out."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from chainctl.components.canonical import text_of
from chainctl.components.live import LiveRunner
from chainctl.components.load import loaded
from chainctl.components.node import Node
from chainctl.components.nodes import node_from, node_value
from chainctl.errors import ChainctlError
from chainctl.sdk.built_in import ChainDeployment
from chainctl.sdk.component import Component
from chainctl.worker.redaction import redact


def request_text(node: Node, method: str, chain: Mapping[str, Any] | None, secrets: Mapping[str, str]) -> str:
    """Return a request: a node with its blobs, the method to run, the chain in the place of `this_chain()`."""
    blobs = {blob.sha256: base64.b64encode(blob.data).decode() for blob in node.blobs}
    return text_of(
        {"node": node_value(node), "blobs": blobs, "method": method, "chain": chain, "secrets": dict(secrets)}
    )


class Session:
    """Answers the requests of one process. A node's component is made once, and kept with what it set up."""

    def __init__(self, loading: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._loading = loading
        self._runners: dict[str, LiveRunner] = {}
        self._known: dict[str, Component] = {}

    def answer(self, text: str) -> str:
        """Run what a request asks for; what the user's code raises becomes an answer."""
        request = json.loads(text)
        try:
            return text_of({"result": _clean(self._result(request))})
        except BaseException as error:  # noqa: BLE001  # user code may raise anything
            return _failed(error)

    def close(self) -> None:
        for runner in self._runners.values():
            runner.__exit__()

    def _result(self, request: Mapping[str, Any]) -> object:
        blobs = {name: base64.b64decode(data) for name, data in request["blobs"].items()}
        node = node_from(request["node"], blobs)
        runner = self._runner(node, request["chain"], request["secrets"])
        method = request["method"]
        hooks: Mapping[str, Callable[[Node], None]] = {"on_create": runner.create, "cleanup": runner.cleanup}
        return hooks[method](node) if method in hooks else runner.run(node, method)

    def _runner(self, node: Node, chain: Mapping[str, Any] | None, secrets: Mapping[str, str]) -> LiveRunner:
        if node.hash not in self._runners:
            deployment = _deployment(chain)
            with self._loading():
                component = loaded(node, given=self._known, chain=deployment, secrets=secrets)
            self._known[str(node.key)] = component
            self._runners[node.hash] = LiveRunner([component])
        return self._runners[node.hash]


def _deployment(chain: Mapping[str, Any] | None) -> ChainDeployment | None:
    if chain is None:
        return None
    values = dict(chain)
    return ChainDeployment(values.pop("identifier"), **values)


def _failed(error: BaseException) -> str:
    is_ours = isinstance(error, ChainctlError)
    said = {
        "error": error.message if isinstance(error, ChainctlError) else str(error),
        "type": type(error).__name__,
        "hint": error.hint if isinstance(error, ChainctlError) else "",
        "traceback": "" if is_ours and not _is_users(error) else _shown(error),
    }
    return text_of(_clean(said))


def _is_users(error: BaseException) -> bool:
    return any(frame.filename.startswith("<stored") for frame in traceback.extract_tb(error.__traceback__))


def _shown(error: BaseException) -> str:
    """The traceback without our own frames above the user's."""
    trace = error.__traceback__
    while trace is not None and _is_own(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _is_own(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).resolve().parent.parent)


def _clean(value: Any) -> Any:
    """JSON without the secrets that this process has read."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {redact(key): _clean(each) for key, each in value.items()}
    return value

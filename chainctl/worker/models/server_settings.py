"""The `docker_server` of a Truss configuration in; where its server answers what, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

HOST = "127.0.0.1"
_PREDICT = frozenset(["/run_remote", "/invocations", "/v1/websocket"])
_MODELS = "/v1/models/"
_VERB = ":predict"


@dataclass(frozen=True)
class ServerSettings:
    """A server that its image brings: how it is started, its port, and its paths.

    `limit` bounds the calls of its predict path; None leaves that to it.
    """

    command: str
    port: int
    predict: str
    readiness: str
    liveness: str
    limit: Optional[int] = None

    @classmethod
    def of(cls, truss_config: Mapping[str, Any]) -> ServerSettings:
        server = truss_config["docker_server"]
        runtime = truss_config.get("runtime") or {}
        return cls(
            str(server["start_command"]),
            int(server["server_port"]),
            _path(server["predict_endpoint"]),
            _path(server["readiness_endpoint"]),
            _path(server.get("liveness_endpoint") or server["readiness_endpoint"]),
            _limit(runtime.get("predict_concurrency")),
        )

    def target_of(self, target: str) -> str:
        """Return what a path and query are at the server: those that Truss gives to models lead to its own."""
        path, mark, query = target.partition("?")
        return f"{self._path_of(path)}{mark}{query}"

    def _path_of(self, path: str) -> str:
        if path in _PREDICT:
            return self.predict
        if path == "/":
            return self.liveness
        model, verb = path.removeprefix(_MODELS), path[-len(_VERB) :]
        if path.startswith(_MODELS) and verb == _VERB and "/" not in model:
            return self.predict
        return self.readiness if path == f"{_MODELS}model" else path

    def is_predict(self, target: str) -> bool:
        """Say whether a target at the server is a call of the model."""
        return target.partition("?")[0] == self.predict


def has_server(truss_config: Optional[Mapping[str, Any]]) -> bool:
    """Say whether a Truss directory brings a server, and no model."""
    return bool(truss_config and truss_config.get("docker_server"))


def _path(text: Any) -> str:
    return "/" + str(text).lstrip("/")


def _limit(written: Any) -> Optional[int]:
    """1 is what a configuration says that says nothing, and would make a server stand in line."""
    return written if isinstance(written, int) and written > 1 else None

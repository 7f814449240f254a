"""Which cluster is meant in; its API, of which one asks and which one tells, out. JSON both ways."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from chainctl.adapters.kubernetes.api_error import (
    ForbiddenError,
    cluster_errors,
    lost,
    message_in,
    no_namespace,
    refused,
)
from chainctl.adapters.kubernetes.kinds import api_version, collection, known_versions
from chainctl.adapters.kubernetes.settings import KubernetesSettings
from chainctl.deploy.kubernetes.names import MANAGER
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.errors import DeployError, EngineError, UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_TIMEOUT_SEC = 30.0
_CONNECT_SEC = 10.0
_FORBIDDEN, _MISSING = 403, 404
_REVIEWS = "authorization.k8s.io/v1"
_PAGE = 500


class Api:
    """One namespace of one cluster. Nothing is read or asked before the first question. May be used by threads."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._cluster: ClusterSettings | None = None

    @property
    def namespace(self) -> str:
        return self._settings.cluster.namespace

    @property
    def host(self) -> str:
        return str(self._connected().configuration.host)

    def cluster(self) -> ClusterSettings:
        """Return how chains are put there, with the versions of objects that the cluster knows."""
        if self._cluster is None:
            versions = known_versions(self._json("GET", "/apis", "ask what the cluster knows"))
            self._cluster = replace(self._settings.cluster, versions=versions)
        return self._cluster

    def version(self) -> str:
        """Return what the cluster says that it is, such as v1.31.2. Raises EngineError."""
        return str(self._json("GET", "/version", "ask for the version").get("gitVersion", ""))

    def has_namespace(self) -> bool:
        """Say whether the namespace is there; one that may not be looked at is taken to be. Raises EngineError."""
        status, _ = self._answer("GET", f"/api/v1/namespaces/{quote(self.namespace)}", _TIMEOUT_SEC)
        return status != _MISSING

    def require_namespace(self) -> None:
        """Raise DeployError when there is no such namespace."""
        if not self.has_namespace():
            raise no_namespace(self.namespace)

    def review(self, kind: str, spec: Mapping[str, Any]) -> Object:
        """Ask the cluster what one may do; {} where it does not tell. Raises EngineError when it does not answer."""
        asked = {"apiVersion": _REVIEWS, "kind": kind, "spec": spec}
        path = f"/apis/{_REVIEWS}/{kind.lower()}s"
        status, body = self._answer("POST", path, _TIMEOUT_SEC, asked, "application/json")
        if status in (_FORBIDDEN, _MISSING):
            return {}
        said = self._read(status, body, "ask what you may do", is_change=False)
        return dict(said.get("status") or {})

    def visible(self, kind: str) -> list[Object]:
        """Return all objects of a kind, none where one may not look at them. Raises EngineError."""
        try:
            return self.list(kind)
        except ForbiddenError:
            return []

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, None when there is none. Raises EngineError."""
        status, body = self._answer("GET", self._path(kind, name), _TIMEOUT_SEC)
        if status == _MISSING:
            return None
        return self._read(status, body, f"read {kind} {name}", is_change=False)

    def list(
        self, kind: str, selector: Mapping[str, str] | None = None, *, is_anywhere: bool = False
    ) -> list[Object]:
        """Return all objects of a kind with these labels, of all namespaces if `is_anywhere`. Raises EngineError."""
        version = api_version(kind, self._versions(kind))
        if not version:
            return []
        path = collection(kind, version, self.namespace)
        if is_anywhere:
            path = path.replace(f"/namespaces/{self.namespace}", "", 1)
        query = {"limit": str(_PAGE), "labelSelector": selected(selector or {})}
        found: list[Object] = []
        while True:
            page = self._json("GET", f"{path}?{urlencode(query)}", f"list {kind} objects")
            found += page.get("items") or ()
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following

    def apply(self, wanted: Object) -> Object:
        """Make an object as wanted, of which chainctl decides what it names and nothing else. Raises DeployError."""
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        path = f"{collection(kind, wanted['apiVersion'], self.namespace)}/{quote(name)}"
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        return self._json("PATCH", f"{path}?{query}", f"write {kind} {name}", wanted, _APPLY)

    def merge(self, kind: str, name: str, change: Object, *, manager: str = MANAGER) -> Object:
        """Change some fields of an object. Raises DeployError."""
        path = f"{self._path(kind, name)}?{urlencode({'fieldManager': manager})}"
        return self._json("PATCH", path, f"change {kind} {name}", change, _MERGE)

    def replace(self, kind: str, wanted: Object) -> Object:
        """Put an object in the place of the one that it was read from. Raises DeployError when that has changed."""
        name = wanted["metadata"]["name"]
        return self._json("PUT", self._path(kind, name), f"change {kind} {name}", wanted, "application/json")

    def delete(self, kind: str, name: str) -> None:
        """Remove an object; one that is gone is gone. Raises DeployError."""
        if not api_version(kind, self._versions(kind)):
            return
        options = {"propagationPolicy": "Background"}
        status, body = self._answer(
            "DELETE", self._path(kind, name), _TIMEOUT_SEC, options, "application/json"
        )
        if status != _MISSING:
            self._read(status, body, f"remove {kind} {name}", is_change=True)

    @contextmanager
    def reading(self, path: str, query: Mapping[str, str], *, is_endless: bool = False) -> Iterator[Any]:
        """Open an answer that comes bit by bit, None when there is nothing to read. Raises EngineError."""
        client = self._connected()
        with cluster_errors(self.host, "read a log"):
            answer = client.rest_client.pool_manager.request(
                "GET",
                f"{self.host}{path}?{urlencode(query)}",
                headers=self._headers(),
                preload_content=False,
                retries=_again(),
                timeout=_limits(None if is_endless else _TIMEOUT_SEC),
            )
            try:
                if answer.status < 300:
                    yield answer
                elif answer.status in (400, _MISSING):
                    yield None
                else:
                    raise refused(answer.status, answer.data, "read a log", self.namespace, is_change=False)
            finally:
                answer.close()

    def socket(self, path: str, query: Sequence[tuple[str, str]], doing: str) -> Any:
        """Open a WebSocket, through which a command is run in a pod. Raises EngineError and DeployError."""
        from kubernetes.stream.ws_client import create_websocket
        from websocket import WebSocketBadStatusException, WebSocketException

        client = self._connected()
        url = "ws" + self.host.removeprefix("http") + f"{path}?{urlencode(query)}"
        headers = {**self._headers(), "sec-websocket-protocol": "v4.channel.k8s.io"}
        try:
            return create_websocket(client.configuration, url, headers)  # type: ignore[no-untyped-call]  # so it is
        except WebSocketBadStatusException as error:
            body = error.resp_body or b""
            if error.status_code == _MISSING:
                raise DeployError(f"Could not {doing}: {message_in(body)}", hint="push again") from None
            raise refused(error.status_code, body, doing, self.namespace, is_change=True) from None
        except (WebSocketException, OSError) as error:
            raise lost(self.host, doing, error) from error

    def _path(self, kind: str, name: str) -> str:
        version = api_version(kind, self._versions(kind))
        return f"{collection(kind, version, self.namespace)}/{quote(name)}"

    def _versions(self, kind: str) -> Any:
        is_asked = kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress")
        return (self.cluster() if is_asked else self._settings.cluster).versions

    def _json(
        self, method: str, path: str, doing: str, body: Object | None = None, content_type: str = ""
    ) -> Object:
        status, said = self._answer(method, path, _TIMEOUT_SEC, body, content_type)
        return self._read(status, said, doing, is_change=method != "GET")

    def _read(self, status: int, body: bytes, doing: str, *, is_change: bool) -> Object:
        if not 200 <= status < 300:
            raise refused(status, body, doing, self.namespace, is_change=is_change)
        found: Object = json.loads(body or b"{}")
        return found

    def _answer(
        self, method: str, path: str, within_sec: float, body: Object | None = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        client = self._connected()
        headers = self._headers() | ({"content-type": content_type} if content_type else {})
        with cluster_errors(self.host, f"ask {path.partition('?')[0]}"):
            answer = client.rest_client.pool_manager.request(
                method,
                self.host + path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=_limits(within_sec),
                retries=_again(),
            )
            return answer.status, bytes(answer.data)

    def _headers(self) -> dict[str, str]:
        """Return who asks; a token that expires is renewed by the client when it is read."""
        said = self._connected().configuration.auth_settings().get("BearerToken")
        known = {"authorization": str(said["value"])} if said else {}
        return {"accept": "application/json", "user-agent": "chainctl", **known}

    def _connected(self) -> ApiClient:
        with self._lock:
            if self._client is None:
                self._client = connect(self._settings)
            return self._client


def selected(labels: Mapping[str, str]) -> str:
    """Write labels as a selector."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def connect(settings: KubernetesSettings) -> ApiClient:
    """Read the kubeconfig. Raises UsageError when the client is not installed, EngineError when no cluster is named."""
    client_of = _client()
    from kubernetes.config import ConfigException

    file = str(settings.kubeconfig) if settings.kubeconfig else None
    try:
        return client_of(config_file=file, context=settings.context, persist_config=False)
    except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        where = f" in {file}" if file else ""
        raise EngineError(
            f"The kubeconfig{where} names no cluster to use: {error}",
            hint="check it with `kubectl config get-contexts`, or name another one in the setting `kubeconfig`",
        ) from error


def _client() -> Callable[..., ApiClient]:
    try:
        from kubernetes.config import new_client_from_config
    except ImportError as error:
        raise UsageError(
            f"Kubernetes needs a package that is not installed: {error.name}",
            hint="install it with `pip install 'chainctl[kubernetes]'`",
        ) from error
    found: Callable[..., ApiClient] = new_client_from_config
    return found


def _limits(read_sec: float | None) -> Any:
    from urllib3 import Timeout

    return Timeout(connect=_CONNECT_SEC, read=read_sec)


def _again() -> Any:
    """Whatever is asked may be asked again where the connection broke: all of it leads to the same."""
    from urllib3 import Retry

    return Retry(2, backoff_factor=0.2, allowed_methods=None, redirect=0, status=0, raise_on_status=False)

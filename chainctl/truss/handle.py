"""The name of a chainlet in; where it answers and with which headers, for calls that are made by hand, out.

Only what a chainlet declares with `depends` is known to it, and only where it is deployed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from chainctl.errors import ChainsUsageError, MissingDependencyError
from chainctl.sdk.context import API_KEY_SECRET
from chainctl.sdk.read_secrets import READ_SECRETS

_TOKEN_FILE = ".chainctl-token"  # a file's name
_TOKEN_HEADER = "x-chainctl-token"  # a header's name
_RUN = "/run_remote"


class CallArgs(NamedTuple):
    """What an HTTP or websocket client is given."""

    url: str
    headers: dict[str, str]


class ServiceUrls(NamedTuple):
    """Where a service answers: calls are POST requests to `predict_url`, or websockets."""

    predict_url: str
    internal_url: Optional[str] = None
    is_of_chain: bool = True


class TrussHandle:
    """A chainlet that is called by hand, by its display name or its class.

    One that `depends` gives for a `TrussChainlet` is called by `run_remote`, too, which takes what the model's
    first stage takes, and works wherever the chain runs. Raises MissingDependencyError where nothing is known of
    it, as in a process that was not deployed.
    """

    def __init__(self, target: Union[str, type]) -> None:
        self.urls = get_service_urls(target)

    @classmethod
    def of_dependency(cls, target: type, run_remote: Callable[[Any], Awaitable[Any]]) -> TrussHandle:
        """Return the handle of a service that is called by `run_remote`; its URL is looked up when it is asked for."""
        return _Depended(target, run_remote)

    async def run_remote(self, model_input: Any) -> Any:
        """Call the model. Raises MissingDependencyError for a handle that was made by hand."""
        raise MissingDependencyError(
            "a handle that was made by hand knows an address, and no calls",
            hint="take it by `chains.depends(…)` of a class that derives from `chains.TrussChainlet`.",
        )

    def http_call_args(
        self, *, prefer_internal: bool = False, sync_path: Optional[str] = None, api_key: Optional[str] = None
    ) -> CallArgs:
        """Return what a POST request needs. There is one address, so `prefer_internal` changes nothing."""
        return CallArgs(_url(self.urls.predict_url, sync_path), self._headers(api_key))

    def ws_call_args(self, *, sync_path: Optional[str] = None, api_key: Optional[str] = None) -> CallArgs:
        """Return what a websocket client needs."""
        url = _url(self.urls.predict_url, sync_path)
        return CallArgs("ws" + url.removeprefix("http"), self._headers(api_key))

    def _headers(self, api_key: Optional[str]) -> dict[str, str]:
        """The chain's own services want its token; nobody else is shown it."""
        token = _secret(_TOKEN_FILE) if self.urls.is_of_chain else None
        key = api_key if api_key is not None else _secret(API_KEY_SECRET)
        headers = {_TOKEN_HEADER: token} if token else {}
        return {**headers, "Authorization": f"Api-Key {key}"} if key else headers


class _Depended(TrussHandle):
    """What `depends` gives for a Truss directory."""

    def __init__(self, target: type, run_remote: Callable[[Any], Awaitable[Any]]) -> None:
        self._target = target
        self._run_remote = run_remote

    @property
    def urls(self) -> ServiceUrls:  # type: ignore[override]
        return get_service_urls(self._target)

    async def run_remote(self, model_input: Any) -> Any:
        return await self._run_remote(model_input)


def get_service_urls(target: Union[str, type]) -> ServiceUrls:
    """Return where a chainlet answers. Raises MissingDependencyError, ChainsUsageError for what names none."""
    if not isinstance(target, (str, type)):
        raise ChainsUsageError(
            f"a chainlet is named by its class or its display name, not by a `{type(target).__name__}`.",
            hint='write `get_service_urls("Name")`.',
        )
    name = target if isinstance(target, str) else str(getattr(target, "display_name", target.__name__))
    known = _services(os.environ)
    if name not in known:
        raise MissingDependencyError(
            f"no service is known for `{name}`",
            hint="only the chainlets that this one depends on are known to it, and only where it is deployed.",
        )
    if not known[name].predict_url.startswith("http"):
        raise MissingDependencyError(
            f"`{name}` has no URL here: as local processes, the services of a chain answer on sockets",
            hint=f"take it by `chains.depends({name})`, which calls it wherever it runs; containers have URLs.",
        )
    return known[name]


def get_baseten_chain_api_key() -> str:
    """Return the API key for services outside. Raises MissingDependencyError where it has no value."""
    key = _secret(API_KEY_SECRET)
    if key is None:
        raise MissingDependencyError(
            f"secret `{API_KEY_SECRET}` has no value here",
            hint=f"declare it, `Assets(secret_keys=[{API_KEY_SECRET!r}])`, and give it a value:"
            f" `chainctl secret set {API_KEY_SECRET}`.",
        )
    return key


def _services(environ: Mapping[str, str]) -> dict[str, ServiceUrls]:
    """The services that are called from here: those of the chain, and of other chains that stand for some."""
    own = json.loads(environ.get("CHAINCTL_SERVICES") or "{}")
    outside = json.loads(environ.get("CHAINCTL_OUTSIDE") or "{}")
    return {
        **{name: ServiceUrls(_called(url)) for name, url in own.items()},
        **{name: ServiceUrls(_called(url), is_of_chain=False) for name, url in outside.items()},
    }


def _called(url: str) -> str:
    return url.rstrip("/").removesuffix(_RUN) + _RUN


def _url(predict_url: str, path: Optional[str]) -> str:
    return predict_url if path is None else f"{predict_url.removesuffix(_RUN)}/{path.lstrip('/')}"


def _secret(name: str) -> Optional[str]:
    """The value of a secret of this service, None where it has none; kept out of logs from then on."""
    path = Path(os.environ.get("CHAINCTL_SECRETS_DIR", "/run/secrets")) / name
    if not path.is_file():
        return None
    value = path.read_text().strip()
    READ_SECRETS.add(value)
    return value

"""A service and the chainlet of a chain file in; a directory and a command that serve it on this machine out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.intercepting import Launch
from chainctl.adapters.local.paths import cache_below
from chainctl.adapters.local.private_directory import checked_socket
from chainctl.adapters.local.process_env import caching, inherited_env
from chainctl.adapters.local.supervisor.secret_files import write_secrets
from chainctl.deploy.intercept import Standing
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DataSource, Vault
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import WebsocketOptions
from chainctl.templates import render

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of our own, mode 0700, that is removed with the intercept; its path is short.

    `environ` is that of the caller, of which a few variables are passed on. `python` runs the chainlet, with
    `launcher` before its program. A process that somebody debugs may stand still: it has all the time to become
    ready, and `unbounded` names those that it calls without a limit. `caches` holds for good what chainlets fetch.
    """

    directory: Path
    environ: Mapping[str, str]
    python: str
    launcher: tuple[str, ...] = ()
    unbounded: tuple[str, ...] | None = None
    caches: Path | None = None

    @property
    def listen(self) -> Path:
        return checked_socket(self.directory / "listen")

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets" / "files"

    @property
    def app(self) -> Path:
        return self.directory / "app"


def prepare(
    place: Place, service: ServiceSpec, spec: ChainletSpec, graph: ChainGraph, vault: Vault, data: DataSource
) -> Mapping[str, Path]:
    """Write what the chainlet reads; returns where its data files are.

    Raises MissingSecretError, DownloadError; nothing of a chain is touched.
    """
    values = {secret.name: vault.value(secret) for secret in service.secrets}
    files = {one.name: data.get(one) for one in service.data}
    write_secrets(place.secrets, values, vault.token(service.chain))
    place.app.mkdir()
    (place.app / "shim.py").write_text(_shim(service, spec))
    (place.app / "chainctl").symlink_to(_PACKAGE)
    image = spec.remote_config.docker_image
    if image.data_dir is not None:
        (place.app / "data").symlink_to(str(image.data_dir))
    return files


def launch(
    place: Place,
    service: ServiceSpec,
    spec: ChainletSpec,
    graph: ChainGraph,
    standing: Standing,
    token: str,
    files: Mapping[str, Path],
    drain_sec: float,
) -> Launch:
    """Return how its process is started, once it is known by what other services are reached."""
    sockets = {callee: place.directory / f"c{n}" for n, callee in enumerate(sorted(standing.callees))}
    urls = {callee: f"unix:{checked_socket(path)}" for callee, path in sockets.items()}
    is_direct = standing.is_direct
    return Launch(
        argv=[place.python, *place.launcher, str(place.app / "shim.py")],
        cwd=graph.root,
        env={
            **_environment(place, service, spec, graph, standing.callees if is_direct else urls, files),
            **standing.variables,
        },
        listen=place.listen,
        callees={} if is_direct else {sockets[callee]: there for callee, there in standing.callees.items()},
        token=token,
        start_sec=service.start_timeout_sec if place.unbounded is None else None,
        drain_sec=drain_sec,
    )


def _environment(
    place: Place,
    service: ServiceSpec,
    spec: ChainletSpec,
    graph: ChainGraph,
    urls: Mapping[str, str],
    files: Mapping[str, Path],
) -> dict[str, str]:
    """Return the whole environment, as the service has it: what chainctl says wins."""
    given = dict(service.env)
    own = [given["PYTHONPATH"]] if "PYTHONPATH" in given else []
    packages = [str(path) for path in spec.remote_config.docker_image.external_package_dirs or ()]
    places = [graph.root, str(Path(graph.path).parent), *packages, *own, str(place.app)]
    debugged = {"CHAINCTL_UNBOUNDED": json.dumps(place.unbounded), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return {
        **inherited_env(place.environ),
        "PYTHONUNBUFFERED": "1",
        **given,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
        "CHAINCTL_LISTEN": f"unix:{place.listen}",
        "CHAINCTL_SERVICES": json.dumps(dict(urls), sort_keys=True),
        "CHAINCTL_SECRETS_DIR": str(place.secrets),
        "CHAINCTL_CHAIN": service.chain,
        "CHAINCTL_SERVICE": service.name,
        "CHAINCTL_CHAINLET": service.chainlet,
        **({"CHAINCTL_DATA": json.dumps({n: str(p) for n, p in sorted(files.items())})} if files else {}),
        **(debugged if place.unbounded is not None else {}),
        **_caching(place, service),
    }


def _caching(place: Place, service: ServiceSpec) -> dict[str, str]:
    if service.cache is None:
        return {}
    caches = place.caches or place.directory / "caches"
    return caching(cache_below(caches, service.chain, service.cache.name), service.name)


def _shim(service: ServiceSpec, spec: ChainletSpec) -> str:
    options = spec.remote_config.options
    pings = options.transport if isinstance(options.transport, WebsocketOptions) else WebsocketOptions()
    values = {
        "chain": service.chain,
        "chainlet": spec.name,
        "module": spec.module,
        "truss_config": spec.truss_config,
        "qualname": spec.qualname,
        "debug_logs": options.enable_debug_logs,
        "ping_interval_sec": pings.ping_interval_seconds,
        "ping_timeout_sec": pings.ping_timeout_seconds,
    }
    return render("shim.py.j2", values)

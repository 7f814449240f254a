"""Replicas of local services in; what each service has to do, asked over their sockets, out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePath

from chainctl.adapters.local.ask import ask_service
from chainctl.adapters.local.paths import RunPaths
from chainctl.deploy.load import ServiceLoad, load_of
from chainctl.deploy.release import replica_of
from chainctl.errors import DeployError

_PATH = "/-/load"
_MOST_THREADS = 8


def service_loads(
    run: RunPaths, replicas: Sequence[str], known: Iterable[str], token: str
) -> dict[str, ServiceLoad]:
    """Return the loads of those that answer, by the name of the service; others are left out.

    Callers know services by their sockets, which are told apart by the names of those that are `known`.
    """
    names = {run.socket_of(name).name: name for name in known}

    def by_name(load: ServiceLoad) -> ServiceLoad:
        awaited = {names.get(PurePath(at).name, at): count for at, count in load.awaited.items()}
        return replace(load, awaited=awaited)

    def ask(name: str) -> tuple[str, ServiceLoad] | None:
        try:
            load = load_of(json.loads(ask_service(run.socket_of(name), name, _PATH, token)))
        except (DeployError, ValueError):
            return None
        return replica_of(name)[0], by_name(load)

    if not replicas:
        return {}
    with ThreadPoolExecutor(min(len(replicas), _MOST_THREADS)) as pool:
        told = [one for one in pool.map(ask, replicas) if one is not None]
    found: dict[str, ServiceLoad] = {}
    for name, load in told:
        found[name] = found[name] + load if name in found else load
    return found

"""A ServiceSpec in; what its container is told, and where things are in it, out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.release import CacheVolume, ServiceSpec

SECRETS_DIR = PurePosixPath("/run/secrets")
CONTROL_SOCKET = "/tmp/.chainctl-control"
USER_ID = 10001
_IMPORTS = "/app/code:/app/packages:/app"


def service_environment(
    spec: ServiceSpec, hosts: Mapping[str, str], more: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a service, sorted; those that chainctl sets win.

    `hosts` are the names by which services are reached that are not called as their own name, `more` is what
    only some targets have: memory that services share, callees that may sleep.
    """
    urls = {c.chainlet: f"http://{hosts.get(c.service, c.service)}:{SERVICE_PORT}" for c in spec.calls}
    ours = {
        "CHAINCTL_CONTROL": CONTROL_SOCKET,
        "CHAINCTL_CHAIN": spec.chain,
        "CHAINCTL_CHAINLET": spec.chainlet,
        "CHAINCTL_SERVICE": spec.name,
        "CHAINCTL_SERVICES": json.dumps(urls, sort_keys=True),
        **more,
        **(_caching(spec.cache) if spec.cache else {}),
    }
    given = dict(spec.env)
    if "PYTHONPATH" in given:
        given["PYTHONPATH"] = f"{_IMPORTS}:{given['PYTHONPATH']}"
    return dict(sorted({**given, **ours}.items()))


def _caching(cache: CacheVolume) -> dict[str, str]:
    """Return what says where the cache is; clients of a model hub look in the part of it that is theirs."""
    place = f"{cache.directory}/{cache.name}"
    return {
        "CHAINCTL_CACHE": place,
        "CHAINCTL_MODEL_CACHE": cache.folders,
        "HF_HUB_CACHE": f"{place}/hub",
    }

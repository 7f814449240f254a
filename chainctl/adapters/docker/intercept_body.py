"""A service and who intercepts it in; the JSON that creates the container that stands in for it out. Pure."""

from __future__ import annotations

import json

from chainctl.adapters.docker.labels import INTERCEPT, ROLE, Role, network_name, replica_labels
from chainctl.adapters.docker.services_body import aliases, confinement
from chainctl.adapters.docker.target_containers import Body
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.service_environment import USER_ID

_MEMORY = 512 * 1024 * 1024
_PIDS = 64


def stand_in_body(spec: ServiceSpec, who: str, python: str, program: str) -> Body:
    """Return the container; `spec` has the name of the stand-in. It has no secrets, no volumes and no log."""
    service = aliases(spec.name)[0]
    place = {"listen": f"tcp:0.0.0.0:{SERVICE_PORT}", "service": service}
    return {
        "Image": spec.image,
        "User": f"{USER_ID}:{USER_ID}",
        "Entrypoint": [python, "-I", "-c", program],
        "Cmd": [json.dumps(place, sort_keys=True)],
        "Labels": {**replica_labels(spec), ROLE: Role.SERVICE, INTERCEPT: who},
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGTERM",
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "Tty": False,
        "HostConfig": {
            **confinement(),
            "Memory": _MEMORY,
            "MemorySwap": _MEMORY,
            "PidsLimit": _PIDS,
            "Init": True,
            "AutoRemove": True,
            "LogConfig": {"Type": "none", "Config": {}},
            "NetworkMode": network_name(spec.chain),
        },
        "NetworkingConfig": {"EndpointsConfig": {network_name(spec.chain): {"Aliases": aliases(spec.name)}}},
    }

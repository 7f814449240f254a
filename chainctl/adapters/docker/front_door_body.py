"""A front door's settings in; the JSON that creates its container, and what tells it from another, out. Pure."""

from __future__ import annotations

from chainctl.adapters.docker.haproxy_config import CONFIG_FILE, DIRECTORY
from chainctl.adapters.docker.haproxy_route import ROUTE_FILE
from chainctl.adapters.docker.labels import (
    DOOR,
    DOOR_ALIAS,
    ROLE,
    Role,
    chain_labels,
    door_volume,
    network_name,
)
from chainctl.adapters.docker.observe_container import KEEPS_RUNNING
from chainctl.adapters.docker.services_body import LOG_CONFIG
from chainctl.adapters.docker.target_containers import Body
from chainctl.deploy.door_config import PORT
from chainctl.deploy.release import FrontDoor, digest_of

USER_ID = 99
SCHEME = "chainctl.scheme"
_MEMORY = 128 << 20
_PIDS = 64
_IMPATIENT = ["timeout:1", "attempts:1"]
"""HAProxy asks for its route before it listens; a service that is gone is asked for outside, maybe in vain."""
COMMAND = (
    "haproxy",
    "-W",
    "-db",
    "-f",
    str(DIRECTORY / CONFIG_FILE),
    "-f",
    str(DIRECTORY / ROUTE_FILE),
)


def door_body(chain: str, door: FrontDoor, port: int) -> Body:
    """Return the container of a front door that is published at a port."""
    return {
        "Image": door.image,
        "Cmd": list(COMMAND),
        "User": f"{USER_ID}:{USER_ID}",
        "Labels": {
            **chain_labels(chain),
            ROLE: Role.DOOR,
            DOOR: container_digest(door),
            SCHEME: scheme_of(door),
        },
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "HostConfig": {
            "PortBindings": {f"{PORT}/tcp": [{"HostIp": door.bind, "HostPort": str(port)}]},
            "NetworkMode": network_name(chain),
            "RestartPolicy": {"Name": KEEPS_RUNNING},
            "DnsOptions": _IMPATIENT,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": _MEMORY,
            "MemorySwap": _MEMORY,
            "PidsLimit": _PIDS,
            "LogConfig": LOG_CONFIG,
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": door_volume(chain),
                    "Target": str(DIRECTORY),
                    "VolumeOptions": {"NoCopy": True, "Labels": chain_labels(chain)},
                }
            ],
        },
        "NetworkingConfig": {"EndpointsConfig": {network_name(chain): {"Aliases": [DOOR_ALIAS]}}},
    }


def container_digest(door: FrontDoor) -> str:
    """Cover what a change of needs a new container; for the rest a running door reads its files again."""
    return digest_of([door.bind, door.port, door.image, scheme_of(door), COMMAND, _MEMORY, _PIDS])


def scheme_of(door: FrontDoor) -> str:
    return "https" if door.tls else "http"

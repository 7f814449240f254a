"""A FrontDoor in; the service that is one HAProxy on each node, as Swarm takes it, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from chainctl.adapters.docker.engine_info import EnginePing
from chainctl.adapters.docker.front_door_body import SCHEME, scheme_of
from chainctl.adapters.docker.haproxy_config import DoorSettings, hold_text
from chainctl.adapters.docker.haproxy_route import route_script
from chainctl.adapters.docker.labels import DOOR_ALIAS, ROLE, Role, chain_labels, door_name, network_name
from chainctl.adapters.docker.services_body import LOG_CONFIG
from chainctl.adapters.swarm.labels import (
    DOOR_LABEL,
    DOOR_PORT,
    ROUTE,
    SETTINGS,
    TASK_ROLE,
    TEMPLATE,
    control_network_name,
)
from chainctl.adapters.swarm.service_body import (
    MountedFile,
    Template,
    mounted,
    privileges,
    template_digest,
)
from chainctl.adapters.swarm.services import Spec
from chainctl.deploy.door_config import PORT, DoorConfig, door_text
from chainctl.deploy.door_start import (
    CONFIG_DIR,
    CONFIG_FILE,
    DOOR_SECRETS_DIR,
    DOOR_USER,
    KEYS_FILE,
    MADE_DIR,
    ROUTE_FILE,
    TLS_FILE,
    TOKEN,
    start_command,
)
from chainctl.deploy.release import FrontDoor

EVERYWHERE = ("0.0.0.0", "::")
"""What a swarm publishes on a node listens on all of its addresses: only a door that asks for them can be a service."""
_HOLD_FILE = CONFIG_DIR / "hold.lua"
_ROUTE_VARIABLE = "CHAINCTL_ROUTE"
_NANO = 1_000_000_000
_MEMORY = 128 << 20
_PIDS = 256
_MADE_BYTES = 1 << 20
_RESTART_DELAY_SEC = 1
_UPDATE = {
    "Parallelism": 1,
    "Order": "stop-first",
    "Delay": 0,
    "Monitor": 2 * _NANO,
    "MaxFailureRatio": 0.0,
}
"""A port of a node is one task's: the old one ends before the new one begins, on one node after another."""
_OPTIONS = ["timeout:1", "attempts:1"]


@dataclass(frozen=True, slots=True)
class DoorParts:
    """What a door is made with: its image as nodes get it, the files that it has, how long it may take to end."""

    image: str
    secrets: Sequence[MountedFile]
    configs: Sequence[MountedFile]
    ping: EnginePing
    grace_sec: float


def is_everywhere(door: FrontDoor) -> bool:
    """Say whether a door is to be on every node."""
    return door.bind in EVERYWHERE


def door_configs(settings: DoorSettings, subnets: Sequence[str]) -> Mapping[str, bytes]:
    """Return the files without secrets by their paths; `subnets` are those of the network of doors."""
    config = DoorConfig(
        settings.digest,
        TOKEN,
        keys_file=None if settings.key is None else str(KEYS_FILE),
        tls_file=None if settings.tls is None else str(DOOR_SECRETS_DIR / TLS_FILE),
        answer_sec=settings.answer_sec,
        hold_file=str(_HOLD_FILE) if settings.holds else None,
        peers=" ".join(subnets),
    )
    hold = {str(_HOLD_FILE): hold_text(settings).encode()} if settings.holds else {}
    return {str(CONFIG_DIR / CONFIG_FILE): door_text(config).encode(), **hold}


def door_command(settings: DoorSettings, *, is_trial: bool = False) -> tuple[str, ...]:
    """Return what a door's container runs."""
    routes = route_script(_ROUTE_VARIABLE, PurePosixPath(ROUTE_FILE))
    return start_command(has_key=settings.key is not None, routes=routes, is_trial=is_trial)


def door_template(chain: str, settings: DoorSettings, parts: DoorParts, port: int) -> Template:
    """Return what its tasks are made from, which are published at a port of nodes; they carry the digest of it."""
    template: Template = {
        "ContainerSpec": {
            "Image": parts.image,
            "Command": list(door_command(settings)),
            "User": f"{DOOR_USER}:{DOOR_USER}",
            "Env": [f'{_ROUTE_VARIABLE}={{{{index .Service.Labels "{ROUTE}"}}}}'],
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "StopSignal": "SIGUSR1",
            "StopGracePeriod": round(parts.grace_sec * _NANO),
            "DNSConfig": {"Options": _OPTIONS},
            "Mounts": [
                {
                    "Type": "tmpfs",
                    "Target": str(MADE_DIR),
                    "TmpfsOptions": {"SizeBytes": _MADE_BYTES, "Mode": 0o1777},
                }
            ],
            "Secrets": [mounted(one, "Secret", DOOR_USER) for one in parts.secrets],
            "Configs": [mounted(one, "Config", DOOR_USER) for one in parts.configs],
            **privileges(parts.ping),
        },
        "Resources": {"Limits": {"MemoryBytes": _MEMORY, "Pids": _PIDS}},
        "Placement": {"Constraints": [f"node.labels.{DOOR_LABEL} != no"]},
        "RestartPolicy": {"Condition": "any", "Delay": _RESTART_DELAY_SEC * _NANO},
        "LogDriver": {"Name": LOG_CONFIG["Type"], "Options": LOG_CONFIG["Config"]},
        "Networks": [
            {"Target": network_name(chain), "Aliases": [DOOR_ALIAS]},
            {"Target": control_network_name(chain)},
        ],
    }
    labels = {**chain_labels(chain), ROLE: TASK_ROLE, DOOR_PORT: str(port)}
    template["ContainerSpec"]["Labels"] = labels
    labels[TEMPLATE] = template_digest(template)
    return template


def digest_in(template: Template) -> str:
    """Return the digest that tasks of a template carry."""
    return str(template["ContainerSpec"]["Labels"][TEMPLATE])


def door_service(chain: str, door: FrontDoor, template: Template, route: str) -> Spec:
    """Return the service, at the port that its template is for; `route` is what `route_label` gives."""
    return {
        "Name": door_name(chain),
        "Labels": {
            **chain_labels(chain),
            ROLE: str(Role.DOOR),
            SCHEME: scheme_of(door),
            SETTINGS: door.digest,
            ROUTE: route,
        },
        "TaskTemplate": template,
        "Mode": {"Global": {}},
        "UpdateConfig": {**_UPDATE, "FailureAction": "rollback"},
        "RollbackConfig": {**_UPDATE, "FailureAction": "pause"},
        "EndpointSpec": {
            "Mode": "dnsrr",
            "Ports": [
                {
                    "Protocol": "tcp",
                    "TargetPort": PORT,
                    "PublishedPort": int(template["ContainerSpec"]["Labels"][DOOR_PORT]),
                    "PublishMode": "host",
                }
            ],
        },
    }


def port_of(spec: Mapping[str, object]) -> int | None:
    """Return the port of nodes at which a service of doors is published."""
    endpoint = spec.get("EndpointSpec")
    ports = endpoint.get("Ports") if isinstance(endpoint, Mapping) else None
    return int(ports[0]["PublishedPort"]) if ports else None

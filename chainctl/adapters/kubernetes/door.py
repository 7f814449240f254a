"""A FrontDoor in; the pods that answer at a chain's address, made, changed, led elsewhere or removed, out."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Iterator

from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.exec import run_in
from chainctl.adapters.kubernetes.objects import entry_policy, parsed, secret_object
from chainctl.adapters.kubernetes.observe import route_in
from chainctl.adapters.kubernetes.pods import has_ended, is_ready
from chainctl.adapters.kubernetes.readiness import Standing, previous_of, standing, with_template
from chainctl.adapters.kubernetes.services import sources_of, sweep
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.door_config import CONTROL_PORT
from chainctl.deploy.door_start import API_KEY_FILE, TLS_FILE, TOKEN_FILE
from chainctl.deploy.kubernetes.manifests import door_manifests, entry_manifest
from chainctl.deploy.kubernetes.names import (
    DOOR_DIGEST,
    door_labels,
    door_name,
    door_secret_name,
    door_selector,
    entry_name,
    service_selector,
)
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.target import Vault
from chainctl.errors import ChainctlError, DeployError

_CONTAINER = "door"
_START_SEC = 120.0
_REACHED_SEC = 60.0
_POLL_SEC = 0.4
_STATISTICS = "# pxname,"
_TALK = f'exec 3<>/dev/tcp/127.0.0.1/{CONTROL_PORT}; printf "%s\\n" "$1" >&3; cat <&3'


def ensure_front_door(api: Api, chain: str, door: FrontDoor, vault: Vault) -> None:
    """Make the door, or change the one there is; it keeps its route and its address.

    What does not come up is taken back. Raises DeployError.
    """
    name = door_name(chain)
    route = route_in(api.get("Service", entry_name(chain)))
    api.apply(secret_object(door_secret_name(chain, door.digest), chain, _secrets(chain, door, vault)))
    if route:
        api.apply(entry_policy(entry_name(chain), chain, [route]))
    for wanted in parsed(door_manifests(chain, door, route, api.cluster())):
        api.apply(wanted)
    now = _awaited(api, chain)
    if now is not None:
        why = now.trouble.text if now.trouble else f"not ready after {_START_SEC:g} s"
        raise DeployError(
            f"The front door {name} did not come up: {why}",
            hint="see `kubectl describe pods -l app.kubernetes.io/name=door`, "
            f"and whether nodes can pull {door.image}; then push again",
            details=_take_back(api, chain),
        )
    _forget_older(api, chain)


def remove_front_door(api: Api, chain: str, grace_sec: float) -> None:
    """Let requests under way finish, then take the door away; absent is as good."""
    name = door_name(chain)
    for kind in ("Ingress", "PodDisruptionBudget", "Deployment"):
        api.delete(kind, name)
    deadline, pause = time.monotonic() + grace_sec, threading.Event()
    while _has_pods(api, chain) and time.monotonic() < deadline:
        pause.wait(_POLL_SEC)
    for kind, one in (
        ("Service", name),
        ("Service", entry_name(chain)),
        ("NetworkPolicy", name),
        ("NetworkPolicy", entry_name(chain)),
    ):
        api.delete(kind, one)
    for config in api.list("ConfigMap", door_labels(chain)):
        api.delete("ConfigMap", config["metadata"]["name"])


def route_to(api: Api, chain: str, service: str) -> None:
    """Give a chain's traffic to a service that is ready, by one change, and wait until every pod of the door knows.

    Requests under way finish where they began. Raises DeployError; the traffic is as it was then.
    """
    before = route_in(api.get("Service", entry_name(chain)))
    if not _addresses(api, chain, service):
        raise DeployError(f"{service} does not run, so it gets no traffic", hint="push again")
    led = [service, *([before] if before else [])]
    api.apply(entry_policy(entry_name(chain), chain, led))
    _lead(api, chain, service)
    deadline, pause = time.monotonic() + _REACHED_SEC, threading.Event()
    while late := next(_late(api, chain, service), None):
        if time.monotonic() >= deadline:
            _lead(api, chain, before)
            raise DeployError(
                f"The front door does not reach {service} at port {SERVICE_PORT}: {late}",
                hint="check that the cluster's DNS answers and that its policies let pods talk, then push again",
            )
        pause.wait(_POLL_SEC)


def _lead(api: Api, chain: str, service: str | None) -> None:
    for wanted in parsed([entry_manifest(chain, service, api.cluster())]):
        api.apply(wanted)


def _late(api: Api, chain: str, service: str) -> Iterator[str]:
    """Yield which pods of the door lead elsewhere, or not to all; none where no door is there to ask."""
    wanted = _addresses(api, chain, service)
    for pod in api.list("Pod", door_selector(chain)):
        if not is_ready(pod):
            continue
        led = led_to(_ask(api, pod["metadata"]["name"], "show stat live 4 -1"))
        if led != wanted:
            yield f"{pod['metadata']['name']} leads to {', '.join(sorted(led)) or 'nobody'}"


def led_to(statistics: str) -> set[str]:
    """Return the addresses that a door has found healthy, of what HAProxy counted. Pure."""
    _, found, rest = statistics.partition(_STATISTICS)
    lines = (found + rest).removeprefix("# ").partition("\n\n")[0].splitlines()
    rows = csv.DictReader(lines)
    return {row["addr"].rpartition(":")[0] for row in rows if row["status"].startswith("UP")}


def _ask(api: Api, pod: str, command: str) -> str:
    """Ask a door's control port, which only the pod itself reaches. It needs bash and cat for it."""
    return run_in(api, pod, _CONTAINER, ["bash", "-c", _TALK, "-", command]).output


def _has_pods(api: Api, chain: str) -> bool:
    return not all(has_ended(pod) for pod in api.list("Pod", door_selector(chain)))


def _addresses(api: Api, chain: str, service: str) -> set[str]:
    pods = api.list("Pod", service_selector(service, chain))
    return {str(pod["status"]["podIP"]) for pod in pods if is_ready(pod)}


def _awaited(api: Api, chain: str) -> Standing | None:
    """Wait until all pods of the door are as wanted and ready; return how it stands where that fails."""
    begun, pause = time.monotonic(), threading.Event()
    while True:
        deployment = api.get("Deployment", door_name(chain))
        if deployment is None:
            return Standing()
        mine = door_selector(chain)
        now = standing(deployment, api.list("ReplicaSet", mine), api.list("Pod", mine))
        if now.has(int(deployment["spec"]["replicas"])):
            return None
        waited = time.monotonic() - begun
        if now.is_hopeless(waited) or waited > _START_SEC:
            return now
        pause.wait(_POLL_SEC)


def _take_back(api: Api, chain: str) -> list[str]:
    """Have the door as it was before, or none where there was none. Return what is worth telling of that."""
    deployment = api.get("Deployment", door_name(chain))
    previous = previous_of(api.list("ReplicaSet", door_selector(chain)))
    try:
        if deployment is not None and previous is not None:
            said = previous["spec"]["template"]["metadata"].get("annotations") or {}
            digest = {DOOR_DIGEST: said.get(DOOR_DIGEST, "")}
            api.replace("Deployment", with_template(deployment, previous, digest))
            return ["it answers as before"]
        remove_front_door(api, chain, 0.0)
        return []
    except ChainctlError as error:
        return [f"what was begun could not be taken back: {error.message}"]


def _forget_older(api: Api, chain: str) -> None:
    """Remove the configurations and secrets of older doors."""
    deployment = api.get("Deployment", door_name(chain))
    used = set(sources_of(deployment)) if deployment else set()
    for config in api.list("ConfigMap", door_labels(chain)):
        if config["metadata"]["name"] not in used:
            api.delete("ConfigMap", config["metadata"]["name"])
    sweep(api, chain)


def _secrets(chain: str, door: FrontDoor, vault: Vault) -> dict[str, bytes]:
    found = {TOKEN_FILE: vault.token(chain).encode()}
    if door.api_key:
        found[API_KEY_FILE] = vault.value(door.api_key)
    if door.tls:
        found[TLS_FILE] = vault.value(door.tls)
    return found

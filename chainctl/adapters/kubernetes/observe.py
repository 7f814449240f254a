"""The objects of one chain in; the ObservedState that they make up out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chainctl.adapters.kubernetes.api import Object
from chainctl.adapters.kubernetes.awaited import IMAGE, awaited_in
from chainctl.adapters.kubernetes.pods import is_ending, is_ready, restarts_of, trouble_of
from chainctl.deploy.kubernetes.names import (
    CHAINLET,
    COMPONENT,
    DOOR_COMPONENT,
    DOOR_DIGEST,
    SERVICE,
    SERVICE_COMPONENT,
    door_name,
    entry_name,
    fingerprint_in,
)
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState, ServiceStatus

NETWORK_COMPONENT = "network"
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class ChainObjects:
    """All objects of a chain that tell what it is."""

    deployments: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    services: Sequence[Object] = ()
    policies: Sequence[Object] = ()


def observed_state(chain: str, found: ChainObjects, cluster: ClusterSettings) -> ObservedState:
    """Return what there is, half-made things too."""
    services = tuple(_services(found))
    return ObservedState(
        chain=chain,
        services=services,
        front_door=_door(chain, found, services, cluster),
        has_network=any(component_of(one) == NETWORK_COMPONENT for one in found.policies),
        rolls=True,
    )


def component_of(one: Object) -> str:
    return str(labels_of(one).get(COMPONENT, ""))


def labels_of(one: Object) -> dict[str, str]:
    return one["metadata"].get("labels") or {}


def annotations_of(one: Object) -> dict[str, str]:
    return one["metadata"].get("annotations") or {}


def service_of(one: Object) -> str:
    """Return the service that an object belongs to, "" for none."""
    return str(labels_of(one).get(SERVICE, ""))


def wanted_replicas(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def seconds(stamp: str | None) -> float:
    """Turn a time of the API into seconds since the epoch, 0 for none."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0


def _services(found: ChainObjects) -> Iterator[ObservedService]:
    deployments = [one for one in found.deployments if component_of(one) == SERVICE_COMPONENT]
    for deployment in sorted(deployments, key=service_of):
        yield from _replicas(deployment, [p for p in found.pods if service_of(p) == service_of(deployment)])
    there = {service_of(one) for one in deployments}
    for service in sorted(found.services, key=service_of):
        if component_of(service) == SERVICE_COMPONENT and service_of(service) not in there:
            yield _remains(service)


def _replicas(deployment: Object, pods: Sequence[Object]) -> Iterator[ObservedService]:
    """Yield replicas by number: the pods of a service have none, so those that are ready come first."""
    said, awaited = annotations_of(deployment), awaited_in(annotations_of(deployment))
    living = sorted((p for p in pods if not is_ending(p)), key=lambda p: (not is_ready(p), _since(p)))
    for number in range(1, max(1, wanted_replicas(deployment)) + 1):
        pod = living[number - 1] if number <= len(living) else None
        yield ObservedService(
            name=service_of(deployment),
            chainlet=said.get(CHAINLET, labels_of(deployment).get(CHAINLET, "")),
            status=_status(deployment, number, pod),
            fingerprint=fingerprint_in(said),
            image=awaited.image or said.get(IMAGE, ""),
            since=_since(pod or deployment),
            restarts=restarts_of(pod) if pod else 0,
            replica=number,
            secrets=awaited.secrets,
        )


def _status(deployment: Object, number: int, pod: Object | None) -> ServiceStatus:
    """What was ready once is kept running by the cluster, wherever it does so; one that is ready proves itself."""
    awaited = awaited_in(annotations_of(deployment))
    if not awaited.replicas or not wanted_replicas(deployment):
        return ServiceStatus.FAILED if pod and trouble_of(pod) else ServiceStatus.STOPPED
    if pod is not None and is_ready(pod):
        return ServiceStatus.RUNNING
    if pod is not None and trouble_of(pod):
        return ServiceStatus.FAILED
    return ServiceStatus.RUNNING if number <= awaited.replicas else ServiceStatus.STOPPED


def _remains(service: Object) -> ObservedService:
    """Return a service of which only its name in the network is left, as its removal was cut off."""
    said = annotations_of(service)
    return ObservedService(
        name=service_of(service),
        chainlet=said.get(CHAINLET, ""),
        status=ServiceStatus.STOPPED,
        fingerprint=fingerprint_in(said),
        image="",
        since=_since(service),
    )


def _door(
    chain: str, found: ChainObjects, services: Sequence[ObservedService], cluster: ClusterSettings
) -> ObservedDoor | None:
    deployment = _named(found.deployments, door_name(chain))
    if deployment is None or component_of(deployment) != DOOR_COMPONENT:
        return None
    answers = (deployment.get("status") or {}).get("availableReplicas", 0) > 0
    route = route_in(_named(found.services, entry_name(chain)))
    return ObservedDoor(
        url=_url(deployment, _named(found.services, door_name(chain)), cluster),
        digest=annotations_of(deployment).get(DOOR_DIGEST, ""),
        route=route,
        status=ServiceStatus.RUNNING if answers else ServiceStatus.STOPPED,
        replicas=sum(one.name == route for one in services) if route else 1,
    )


def route_in(entry: Object | None) -> str | None:
    """Return the service that the entry leads to, None for none."""
    service = (entry or {"spec": {}})["spec"].get("selector", {}).get(SERVICE, _NOBODY)
    return None if service == _NOBODY else str(service)


def _url(deployment: Object, service: Object | None, cluster: ClusterSettings) -> str:
    if cluster.ingress_host:
        return f"{'https' if cluster.ingress_tls_secret else 'http'}://{cluster.ingress_host}"
    if service is None:
        return ""
    scheme, usual = ("https", 443) if _has_tls(deployment) else ("http", 80)
    host, port = service["spec"].get("clusterIP", ""), service["spec"]["ports"][0]["port"]
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"


def _has_tls(deployment: Object) -> bool:
    volumes: Iterable[Any] = deployment["spec"]["template"]["spec"].get("volumes") or ()
    items = [item for volume in volumes for item in (volume.get("secret") or {}).get("items") or ()]
    return any(item["key"] == "tls.pem" for item in items)


def _named(objects: Iterable[Object], name: str) -> Object | None:
    return next((one for one in objects if one["metadata"]["name"] == name), None)


def _since(one: Object) -> float:
    return seconds((one.get("status") or {}).get("startTime") or one["metadata"].get("creationTimestamp"))

"""A Release and the settings of a cluster in; the objects of each service and of the front door out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.door_config import PORT, DoorConfig, Entry, door_text
from chainctl.deploy.door_start import CONFIG_FILE, DOOR_SECRETS_DIR, KEYS_FILE, TLS_FILE, TOKEN
from chainctl.deploy.kubernetes.names import (
    cache_name,
    chain_labels,
    chainlet_selector,
    door_config_name,
    door_labels,
    door_name,
    door_selector,
    entry_name,
    service_annotations,
    service_labels,
    service_selector,
    workload_name,
)
from chainctl.deploy.kubernetes.nodes import require_labels
from chainctl.deploy.kubernetes.pods import CPU_SHARE, door_pods, service_pods, size_of
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.release import FrontDoor, Release, Scaling, ServiceSpec
from chainctl.templates import render

CPU_PERCENT = 80 * CPU_SHARE
"""Of what is kept free for a service, which is 80 % of what it may take."""
_NOBODY = "nobody"
_LONGEST_WINDOW_SEC = 3600


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as text."""

    api_version: str
    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may call a service: chainlets, by display name, and the front door."""

    chainlets: tuple[str, ...] = ()
    has_door: bool = False


def release_manifests(release: Release, settings: ClusterSettings) -> tuple[Manifest, ...]:
    """Return all objects of a release, callees before callers and the door last. Raises UsageError."""
    callers = callers_of(release)
    found: dict[tuple[str, str], Manifest] = {}
    for spec in release.services:
        for one in service_manifests(spec, callers[spec.name], settings):
            found.setdefault((one.kind, one.name), one)
    door = door_manifests(release.chain, release.front_door, release.entrypoint, settings)
    return (*found.values(), *door)


def callers_of(release: Release) -> dict[str, Callers]:
    """Return who may call each service of a release: the edges of the graph, and the door at its entrypoint."""
    edges: dict[str, set[str]] = {spec.name: set() for spec in release.services}
    for spec in release.services:
        for call in spec.calls:
            edges[call.service].add(spec.chainlet)
    return {
        name: Callers(tuple(sorted(chainlets)), name == release.entrypoint)
        for name, chainlets in edges.items()
    }


def service_manifests(spec: ServiceSpec, callers: Callers, settings: ClusterSettings) -> tuple[Manifest, ...]:
    """Return the objects of one service. The Secret and the files that it refers to are not among them.

    Raises UsageError for labels of nodes that there can not be.
    """
    require_labels(spec)
    return tuple(_service_objects(spec, callers, settings))


def door_manifests(
    chain: str, door: FrontDoor, entry: str | None, settings: ClusterSettings
) -> tuple[Manifest, ...]:
    """Return the objects of a front door; `entry` is the service with the traffic, None for none yet."""
    return tuple(_door_objects(chain, door, entry, settings))


def entry_manifest(chain: str, entry: str | None, settings: ClusterSettings) -> Manifest:
    """Return the Service through which the door finds the entrypoint; to flip is to change its selector."""
    selector = service_selector(entry or _NOBODY, chain)
    return _service(entry_name(chain), chain_labels(chain), selector, settings, SERVICE_PORT)


def network_policy(spec: ServiceSpec, callers: Callers, settings: ClusterSettings) -> Manifest:
    """Return what lets nobody reach a service but its callers, of whatever release they are."""
    chainlets = [chainlet_selector(chainlet, spec.chain) for chainlet in callers.chainlets]
    values = {
        **_head(workload_name(spec.name), service_labels(spec), settings),
        "selector": service_selector(spec.name, spec.chain),
        "port": SERVICE_PORT,
        "is_open": False,
        "peers": [*chainlets, *([door_selector(spec.chain)] if callers.has_door else [])],
        "monitoring_namespace": settings.monitoring_namespace,
    }
    return _manifest("network-policy", "networking.k8s.io/v1", "NetworkPolicy", values)


def door_config_text(chain: str, door: FrontDoor, settings: ClusterSettings) -> str:
    """Return HAProxy's configuration, which has no secret in it; it learns its namespace where it runs."""
    host = f"{entry_name(chain)}.${{NAMESPACE}}.svc.{settings.cluster_domain}"
    return door_text(
        DoorConfig(
            door.digest,
            TOKEN,
            keys_file=str(KEYS_FILE) if door.api_key else None,
            tls_file=str(DOOR_SECRETS_DIR / TLS_FILE) if door.tls else None,
            entry=Entry(host),
        )
    )


def _service_objects(spec: ServiceSpec, callers: Callers, settings: ClusterSettings) -> Iterable[Manifest]:
    name, labels = workload_name(spec.name), service_labels(spec)
    selector = service_selector(spec.name, spec.chain)
    if spec.cache:
        yield _claim(cache_name(spec.chain, spec.cache.name), spec.chain, settings)
    yield network_policy(spec, callers, settings)
    yield _service(name, labels, selector, settings, SERVICE_PORT, annotations=service_annotations(spec))
    yield _manifest("deployment", "apps/v1", "Deployment", service_pods(spec, settings))
    if settings.versions.pdb and _several(spec):
        yield _budget(name, labels, selector, settings)
    if settings.versions.hpa and spec.scaling:
        yield _autoscaler(name, labels, spec.scaling, settings)


def _door_objects(
    chain: str, door: FrontDoor, entry: str | None, settings: ClusterSettings
) -> Iterable[Manifest]:
    name, labels, text = door_name(chain), door_labels(chain), door_config_text(chain, door, settings)
    config = {**_head(door_config_name(chain, text), labels, settings), "files": [(CONFIG_FILE, text)]}
    policy = {
        **_head(name, labels, settings),
        "selector": door_selector(chain),
        "port": PORT,
        "is_open": True,
        "peers": (),
        "monitoring_namespace": None,
    }
    yield entry_manifest(chain, entry, settings)
    yield _manifest("config-map", "v1", "ConfigMap", config)
    yield _manifest("network-policy", "networking.k8s.io/v1", "NetworkPolicy", policy)
    yield _manifest("deployment", "apps/v1", "Deployment", door_pods(chain, door, text, settings))
    port = door.port or (443 if door.tls else 80)
    scheme = "https" if door.tls else "http"
    yield _service(name, labels, door_selector(chain), settings, port, scheme=scheme, is_headless=False)
    if settings.versions.pdb:
        yield _budget(name, labels, door_selector(chain), settings)
    if settings.versions.ingress and settings.ingress_host:
        yield _ingress(name, labels, scheme, settings)


def _several(spec: ServiceSpec) -> bool:
    return spec.replicas > 1 if spec.scaling is None else spec.scaling.least > 1


def _service(
    name: str,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    settings: ClusterSettings,
    port: int,
    *,
    scheme: str = "http",
    is_headless: bool = True,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    values = {
        **_head(name, labels, settings),
        "annotations": annotations or {},
        "selector": selector,
        "port": port,
        "scheme": scheme,
        "is_headless": is_headless,
    }
    return _manifest("service", "v1", "Service", values)


def _budget(
    name: str, labels: Mapping[str, str], selector: Mapping[str, str], settings: ClusterSettings
) -> Manifest:
    values = {**_head(name, labels, settings), "selector": selector}
    return _manifest("disruption-budget", settings.versions.pdb, "PodDisruptionBudget", values)


def _autoscaler(
    name: str, labels: Mapping[str, str], scaling: Scaling, settings: ClusterSettings
) -> Manifest:
    """A cluster takes no service to 0 by itself, so there is at least one."""
    version = settings.versions.hpa
    values = {
        **_head(name, labels, settings),
        "is_first_version": version == "autoscaling/v1",
        "least": max(1, scaling.least),
        "most": scaling.most,
        "cpu_percent": CPU_PERCENT,
        "queue_metric": settings.queue_metric,
        "target_concurrency": str(scaling.target_concurrency),
        "down_after_sec": min(math.ceil(scaling.down_after_sec), _LONGEST_WINDOW_SEC),
    }
    return _manifest("autoscaler", version, "HorizontalPodAutoscaler", values)


def _claim(name: str, chain: str, settings: ClusterSettings) -> Manifest:
    values = {
        **_head(name, chain_labels(chain), settings),
        "access_mode": settings.cache_access,
        "storage_class": settings.storage_class,
        "size": size_of(settings.cache_bytes),
    }
    return _manifest("volume-claim", "v1", "PersistentVolumeClaim", values)


def _ingress(name: str, labels: Mapping[str, str], scheme: str, settings: ClusterSettings) -> Manifest:
    values = {
        **_head(name, labels, settings),
        "ingress_class": settings.ingress_class,
        "host": settings.ingress_host,
        "scheme": scheme,
        "tls_secret": settings.ingress_tls_secret,
    }
    return _manifest("ingress", settings.versions.ingress, "Ingress", values)


def _head(name: str, labels: Mapping[str, str], settings: ClusterSettings) -> dict[str, object]:
    return {"name": name, "namespace": settings.namespace, "labels": labels}


def _manifest(template: str, api_version: str, kind: str, values: Mapping[str, object]) -> Manifest:
    text = render(f"kubernetes/{template}.yaml.j2", {**values, "api_version": api_version})
    return Manifest(api_version, kind, str(values["name"]), text)

"""A few words in; the objects that a cluster would answer with, as JSON, out."""

from __future__ import annotations

from typing import Any

from chainctl.adapters.kubernetes.awaited import AWAITED, IMAGE, Awaited
from chainctl.deploy.kubernetes.names import (
    DOOR_DIGEST,
    door_labels,
    door_name,
    door_selector,
    entry_name,
    service_annotations,
    service_labels,
    service_selector,
    workload_name,
)
from chainctl.deploy.release import Fingerprint, Resources, ServiceSpec

CHAIN = "shop"
SPEC = ServiceSpec(
    name="shop-hello-12345678",
    chain=CHAIN,
    chainlet="Hello",
    image="shop/hello:1",
    resources=Resources(1.0, 64 << 20, 64),
    env=(),
    secrets=(),
    calls=(),
    start_timeout_sec=10.0,
    fingerprint=Fingerprint("a", "b", "c"),
)
STAMP = "2026-01-02T03:04:05Z"


def deployment(
    *,
    replicas: int = 1,
    awaited: Awaited | None = None,
    conditions: tuple[dict[str, str], ...] = (),
    generation: int = 1,
    seen: int = 1,
) -> dict[str, Any]:
    mark = {AWAITED: awaited.text} if awaited else {}
    return {
        "metadata": {
            "name": workload_name(SPEC.name),
            "labels": service_labels(SPEC),
            "annotations": {**service_annotations(SPEC), IMAGE: SPEC.image, **mark},
            "creationTimestamp": STAMP,
            "generation": generation,
        },
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {}}, "spec": {}}},
        "status": {"observedGeneration": seen, "conditions": list(conditions)},
    }


def pod(
    name: str = "p1",
    *,
    is_ready: bool = False,
    template: str = "t1",
    is_ending: bool = False,
    restarts: int = 0,
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    unschedulable: str = "",
) -> dict[str, Any]:
    labels = {**service_labels(SPEC), "pod-template-hash": template}
    placed = {"type": "PodScheduled", "status": "False" if unschedulable else "True"}
    if unschedulable:
        placed |= {"reason": "Unschedulable", "message": unschedulable}
    container = {"ready": is_ready, "restartCount": restarts, "state": state or {}, "lastState": last or {}}
    return {
        "metadata": {
            "name": name,
            "labels": labels,
            "creationTimestamp": STAMP,
            **({"deletionTimestamp": STAMP} if is_ending else {}),
        },
        "spec": {},
        "status": {
            "phase": "Running",
            "startTime": STAMP,
            "conditions": [placed, {"type": "Ready", "status": "True" if is_ready else "False"}],
            "containerStatuses": [container],
        },
    }


def replica_set(template: str = "t1", revision: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"rs-{template}",
            "labels": {"pod-template-hash": template},
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        },
        "spec": {"template": {}},
    }


def door(*, available: int = 2, has_tls: bool = False) -> dict[str, Any]:
    items = [{"key": "tls.pem", "path": "tls.pem"}] if has_tls else []
    volumes = [{"name": "secrets", "secret": {"secretName": "s", "items": items}}]
    return {
        "metadata": {
            "name": door_name(CHAIN),
            "labels": door_labels(CHAIN),
            "annotations": {DOOR_DIGEST: "d1"},
            "creationTimestamp": STAMP,
        },
        "spec": {"replicas": 2, "template": {"spec": {"volumes": volumes}}},
        "status": {"availableReplicas": available},
    }


def door_service(port: int = 80) -> dict[str, Any]:
    spec = {"clusterIP": "10.0.0.7", "ports": [{"port": port}], "selector": door_selector(CHAIN)}
    return {"metadata": {"name": door_name(CHAIN), "labels": door_labels(CHAIN)}, "spec": spec}


def entry(service: str) -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": service_selector(service, CHAIN)}
    return {"metadata": {"name": entry_name(CHAIN), "labels": {}}, "spec": spec}


def headless_service() -> dict[str, Any]:
    return {
        "metadata": {
            "name": workload_name(SPEC.name),
            "labels": service_labels(SPEC),
            "annotations": service_annotations(SPEC),
            "creationTimestamp": STAMP,
        },
        "spec": {"clusterIP": "None", "selector": service_selector(SPEC.name, CHAIN)},
    }

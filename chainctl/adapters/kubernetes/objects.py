"""Values that chainctl wants a cluster to have in; the objects that hold them, as JSON, out. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

import yaml

from chainctl.adapters.kubernetes.api import Object
from chainctl.adapters.kubernetes.observe import NETWORK_COMPONENT
from chainctl.calls.address import SERVICE_PORT
from chainctl.deploy.kubernetes.manifests import Manifest
from chainctl.deploy.kubernetes.names import (
    CHAIN,
    COMPONENT,
    SERVICE,
    chain_labels,
    door_selector,
    label_value,
    service_labels,
    service_selector,
    workload_name,
)
from chainctl.deploy.release import ServiceSpec

SECRET_COMPONENT = "secrets"  # a label's value
DATA_COMPONENT = "data"


def parsed(manifests: Iterable[Manifest]) -> list[Object]:
    """Return manifests as what the API takes."""
    return [yaml.safe_load(one.text) for one in manifests]


def secret_object(name: str, chain: str, values: Mapping[str, bytes]) -> Object:
    """Return a Secret. It is the one object with values in it, and goes nowhere but to the API."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {**chain_labels(chain), COMPONENT: SECRET_COMPONENT}},
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(values.items())},
    }


def data_object(name: str, chain: str, key: str, content: bytes) -> Object:
    """Return a ConfigMap with one file."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {**chain_labels(chain), COMPONENT: DATA_COMPONENT}},
        "binaryData": {key: base64.b64encode(content).decode()},
    }


def network_name(chain: str, stem: str) -> str:
    return f"{stem.removesuffix('-door')}-network"


def closed_network(name: str, chain: str) -> Object:
    """Return what closes all pods of a chain: whoever may reach one is named by another policy."""
    labels = {**chain_labels(chain), COMPONENT: NETWORK_COMPONENT}
    return _policy(name, labels, {"matchLabels": {CHAIN: label_value(chain)}}, [])


def calls_name(service: str) -> str:
    return f"{workload_name(service)}-calls"


def calls_policy(spec: ServiceSpec) -> Object:
    """Return what lets a service reach those that it calls, and no others."""
    called = sorted({call.service for call in spec.calls})
    callees = {
        "matchLabels": {CHAIN: label_value(spec.chain)},
        "matchExpressions": [{"key": SERVICE, "operator": "In", "values": called}],
    }
    return _policy(
        calls_name(spec.name), service_labels(spec), callees, [service_selector(spec.name, spec.chain)]
    )


def entry_policy(name: str, chain: str, services: Iterable[str]) -> Object:
    """Return what lets the front door reach the services that it leads to."""
    led = {
        "matchLabels": {CHAIN: label_value(chain)},
        "matchExpressions": [{"key": SERVICE, "operator": "In", "values": sorted(set(services))}],
    }
    labels = {**chain_labels(chain), COMPONENT: "entry"}
    return _policy(name, labels, led, [door_selector(chain)])


def _policy(
    name: str, labels: Mapping[str, str], pods: Mapping[str, object], callers: Iterable[Mapping[str, str]]
) -> Object:
    allowed = [{"podSelector": {"matchLabels": dict(caller)}} for caller in callers]
    ports = [{"port": SERVICE_PORT, "protocol": "TCP"}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "podSelector": dict(pods),
            "policyTypes": ["Ingress"],
            "ingress": [{"from": allowed, "ports": ports}] if allowed else [],
        },
    }

"""What a cluster says of itself in; the versions of objects that it knows, and where they are found, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainctl.deploy.kubernetes.settings import ApiVersions

PLURALS: Mapping[str, str] = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Event": "events",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Ingress": "ingresses",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "ReplicaSet": "replicasets",
    "ResourceQuota": "resourcequotas",
    "Secret": "secrets",
    "Service": "services",
}
_FIXED: Mapping[str, str] = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}
_WANTED: Mapping[str, Sequence[str]] = {
    "hpa": ("autoscaling/v2", "autoscaling/v2beta2", "autoscaling/v1"),
    "pdb": ("policy/v1", "policy/v1beta1"),
    "ingress": ("networking.k8s.io/v1",),
}


def known_versions(groups: Mapping[str, Any]) -> ApiVersions:
    """Return the newest version of each kind that a cluster has, "" where it has none; `groups` is its `/apis`."""
    served = {
        version["groupVersion"]
        for group in groups.get("groups") or ()
        for version in group.get("versions") or ()
    }
    found = {
        name: next((version for version in wanted if version in served), "")
        for name, wanted in _WANTED.items()
    }
    return ApiVersions(**found)


def api_version(kind: str, versions: ApiVersions) -> str:
    """Return the version in which a kind is asked for, "" where the cluster has none of it."""
    match kind:
        case "HorizontalPodAutoscaler":
            return versions.hpa
        case "PodDisruptionBudget":
            return versions.pdb
        case "Ingress":
            return versions.ingress
        case _:
            return _FIXED.get(kind, "v1")


def collection(kind: str, version: str, namespace: str) -> str:
    """Return the path of all objects of a kind in a namespace; nodes have none."""
    base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    return f"{base}/{PLURALS[kind]}" if kind == "Node" else f"{base}/namespaces/{namespace}/{PLURALS[kind]}"

"""What a cluster lets one do in a namespace in; which of the rights that a push needs are missing, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.kubernetes.api import Api
from chainctl.errors import DeployError

_ANY = "*"
_KEPT = ("get", "list", "create", "patch", "update", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind of object; `group` is "" for the core."""

    group: str
    resource: str
    verb: str


def _rights(group: str, resources: str, verbs: Sequence[str]) -> tuple[Right, ...]:
    return tuple(Right(group, resource, verb) for resource in resources.split() for verb in verbs)


NEEDED = (
    *_rights("", "services secrets configmaps persistentvolumeclaims", _KEPT),
    *_rights("apps", "deployments", _KEPT),
    *_rights("networking.k8s.io", "networkpolicies", _KEPT),
    *_rights("policy", "poddisruptionbudgets", _KEPT),
    *_rights("autoscaling", "horizontalpodautoscalers", _KEPT),
    *_rights("", "pods events", ("list",)),
    *_rights("apps", "replicasets", ("list",)),
    *_rights("", "pods/log", ("get",)),
    *_rights("", "pods/exec pods/portforward", ("get", "create")),
)
INGRESSES = _rights("networking.k8s.io", "ingresses", _KEPT)
"""Needed where a chain gets an Ingress."""


def missing_rights(api: Api, *, has_ingress: bool) -> list[Right]:
    """Return what a push needs and one may not do. Raises EngineError.

    The cluster lists all rights in one answer. A list may be incomplete, as not every authorizer can tell; so
    what is not on it is asked for one by one before it is said to be missing. Nothing is missing where the
    cluster answers neither.
    """
    needed = (*NEEDED, *(INGRESSES if has_ingress else ()))
    return [one for one in lacking(needed, _rules(api)) if not _may(api, one)]


def require_rights(api: Api, *, has_ingress: bool) -> None:
    """Raise DeployError that names every right that a push would lack."""
    missing = missing_rights(api, has_ingress=has_ingress)
    if missing:
        raise DeployError(
            f"You may not do all that a push does in the namespace {api.namespace}",
            hint="ask for these rights; docs/kubernetes.md lists all that chainctl needs",
            details=list(told(missing)),
        )


def lacking(needed: Iterable[Right], rules: Sequence[Mapping[str, Any]]) -> list[Right]:
    """Return what no rule gives. Pure. A rule that holds for objects of some names only gives nothing."""
    general = [rule for rule in rules if not rule.get("resourceNames")]
    return [right for right in needed if not any(_gives(rule, right) for rule in general)]


def told(rights: Iterable[Right]) -> Iterator[str]:
    """Write rights kind by kind: `create, patch deployments.apps`. Pure."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        name = f"{right.resource}.{right.group}" if right.group else right.resource
        verbs.setdefault(name, []).append(right.verb)
    return (f"{', '.join(found)} {name}" for name, found in verbs.items())


def _gives(rule: Mapping[str, Any], right: Right) -> bool:
    asked = (("verbs", right.verb), ("apiGroups", right.group), ("resources", right.resource))
    return all({_ANY, wanted} & set(rule.get(key) or ()) for key, wanted in asked)


def _rules(api: Api) -> Sequence[Mapping[str, Any]]:
    said = api.review("SelfSubjectRulesReview", {"namespace": api.namespace})
    return said.get("resourceRules") or ()


def _may(api: Api, right: Right) -> bool:
    resource, _, part = right.resource.partition("/")
    asked = {"namespace": api.namespace, "verb": right.verb, "group": right.group, "resource": resource}
    said = api.review("SelfSubjectAccessReview", {"resourceAttributes": {**asked, "subresource": part}})
    return bool(said.get("allowed", True))

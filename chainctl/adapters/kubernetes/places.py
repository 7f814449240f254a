"""The nodes, quotas and limits of a cluster in; what services ask of them in vain out. Pure.

A quota and a limit hold until somebody changes them, so what goes beyond them is refused. Nodes come and go, and a
cluster may add one for a pod that waits; so what no node has now is only told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from chainctl.adapters.kubernetes.api import Object
from chainctl.adapters.kubernetes.capacity import GPU, quantity
from chainctl.deploy.kubernetes.nodes import NodeTerm, node_terms
from chainctl.deploy.kubernetes.pods import asked_for, quantities
from chainctl.deploy.release import ServiceSpec
from chainctl.errors import DeployError

_HELD_BACK = frozenset({"NoSchedule", "NoExecute"})
_PLAIN = ("cpu", "memory")
"""What a quota of this name bounds is what is asked for, not what may be taken."""


def require_quotas(services: Sequence[ServiceSpec], quotas: Sequence[Object]) -> None:
    """Raise DeployError when a quota is too small for a release even if nothing else ran in its namespace.

    A quota for some kinds of pods only is left alone.
    """
    wanted = _wanted(services)
    for quota in quotas:
        spec = quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for name, hard in sorted((spec.get("hard") or {}).items()):
            asked = wanted.get(f"requests.{name}" if name in _PLAIN else name, Decimal(0))
            if asked > quantity(hard):
                raise DeployError(
                    f"The quota {quota['metadata']['name']} of the namespace allows {hard} of {name}, "
                    f"and the chain asks for {_shown(asked)}",
                    hint="ask for a larger quota (`kubectl describe quota`), or for less in the `Compute` of chainlets",
                )


def require_limits(services: Sequence[ServiceSpec], ranges: Sequence[Object]) -> None:
    """Raise DeployError for a service whose pods the limits of the namespace forbid."""
    for one in (limit for found in ranges for limit in (found.get("spec") or {}).get("limits") or ()):
        if one.get("type") not in ("Container", "Pod"):
            continue
        for service in services:
            for why in _beyond(service, one):
                raise DeployError(
                    f"{service.chainlet} {why}, as the limits of the namespace say",
                    hint="see `kubectl describe limitrange`, and change the `Compute` of the chainlet",
                )


def doubts(services: Sequence[ServiceSpec], nodes: Sequence[Object]) -> Iterator[str]:
    """Tell of each service that no node has a place for now; of none where no node may be looked at."""
    if not nodes:
        return
    for service in services:
        if why := _lacking(service, nodes):
            yield f"{why}: {service.chainlet} waits for a node that the cluster adds, and fails without one"


def _lacking(service: ServiceSpec, nodes: Sequence[Object]) -> str:
    """Say what no node has, "" where there is one with all of it."""
    is_open = [node for node in nodes if _takes(node, has_gpu=service.resources.gpu is not None)]
    if not is_open:
        return "No node takes its pods"
    labels = dict(service.node_labels)
    for name, value in sorted(labels.items()):
        is_open = [node for node in is_open if _labels(node).get(name) == value]
        if not is_open:
            return f"No node has the label {name}={value}"
    for term in node_terms(service.resources.gpu, labels):
        is_open = [node for node in is_open if _matches(node, term)]
        if not is_open:
            return f"No node has the GPU that is asked for (label {term.key})"
    for name, amount in quantities(asked_for(service.resources)).items():
        most = max(quantity(_allocatable(node).get(name, "0")) for node in is_open)
        if quantity(amount) > most:
            what = "GPUs" if name == GPU else name
            return f"{amount} of {what} asked for, and the largest node has {_shown(most)}"
    return ""


def _takes(node: Object, *, has_gpu: bool) -> bool:
    """Say whether a node takes pods at all. Nodes with GPUs mostly keep others away."""
    spec = node.get("spec") or {}
    taints = [taint for taint in spec.get("taints") or () if not (has_gpu and taint.get("key") == GPU)]
    return not spec.get("unschedulable") and not any(taint.get("effect") in _HELD_BACK for taint in taints)


def _matches(node: Object, term: NodeTerm) -> bool:
    value = _labels(node).get(term.key)
    if value is None:
        return False
    if term.operator == "In":
        return value in term.values
    return value.isdecimal() and int(value) > int(term.values[0])


def _wanted(services: Sequence[ServiceSpec]) -> dict[str, Decimal]:
    """Add up what a release asks for; the front door comes on top of it."""
    found: dict[str, Decimal] = {}
    for service in services:
        asked, most = quantities(asked_for(service.resources)), quantities(service.resources)
        parts = [("pods", "1"), *((f"requests.{name}", amount) for name, amount in asked.items())]
        for name, amount in [*parts, *((f"limits.{name}", amount) for name, amount in most.items())]:
            found[name] = found.get(name, Decimal(0)) + quantity(amount) * service.replicas
    return found


def _beyond(service: ServiceSpec, limit: Mapping[str, Any]) -> Iterator[str]:
    asked, most = quantities(asked_for(service.resources)), quantities(service.resources)
    for name, bound in sorted((limit.get("max") or {}).items()):
        if name in most and quantity(most[name]) > quantity(bound):
            yield f"may take {most[name]} of {name}, and not more than {bound} is allowed"
    for name, bound in sorted((limit.get("min") or {}).items()):
        if name in asked and quantity(asked[name]) < quantity(bound):
            yield f"asks for {asked[name]} of {name}, and not less than {bound} is allowed"
    for name, bound in sorted((limit.get("maxLimitRequestRatio") or {}).items()):
        if name in most and quantity(most[name]) > quantity(bound) * quantity(asked[name]):
            yield f"may take {most[name]} of {name} and has {asked[name]} kept free, more than {bound} times as much"


def _labels(node: Object) -> Mapping[str, str]:
    return (node.get("metadata") or {}).get("labels") or {}


def _allocatable(node: Object) -> Mapping[str, str]:
    return (node.get("status") or {}).get("allocatable") or {}


def _shown(amount: Decimal) -> str:
    """Write an amount with a unit that people read."""
    for unit, size in (("Gi", 1 << 30), ("Mi", 1 << 20)):
        if amount >= size:
            return f"{amount / size:.4g}{unit}"
    return f"{amount.normalize():f}"

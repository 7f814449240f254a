"""A pod as the API tells of it in; whether it is ready, and what keeps it from that, out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.kubernetes.api import Object

HASH = "pod-template-hash"
_NEVER = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_REFUSED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_OUT_OF_MEMORY = "OOMKilled"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod is not ready, in its own words.

    `is_placing` while no node takes it: that may end by itself where nodes are added. `has_log` where
    something ran.
    """

    text: str
    is_placing: bool = False
    has_log: bool = False


def is_ending(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Object) -> bool:
    """Say whether a pod is ready and goes on."""
    return not is_ending(pod) and _condition(pod, "Ready").get("status") == "True"


def has_ended(pod: Object) -> bool:
    """Say whether nothing of a pod that is to end runs any more, though the cluster still knows it."""
    containers = list(_containers(pod))
    ended = all("terminated" in (one.get("state") or {}) for one in containers)
    return is_ending(pod) and bool(containers) and ended


def restarts_of(pod: Object) -> int:
    return sum(one.get("restartCount", 0) for one in _containers(pod))


def template_of(pod: Object) -> str:
    """Return which template of its Deployment a pod, or a ReplicaSet, was made from."""
    return str((pod["metadata"].get("labels") or {}).get(HASH, ""))


def trouble_of(pod: Object) -> Trouble | None:
    """Return why a pod does not become ready, None while it may."""
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False" and placed.get("reason") == "Unschedulable":
        return Trouble(f"no node takes it: {placed.get('message', '')}", is_placing=True)
    for container in _containers(pod):
        found = _ended(container) or _waiting(container)
        if found:
            return found
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return Trouble(f"{status.get('reason', 'it failed')}: {status.get('message', '')}".rstrip(": "))
    return None


def _waiting(container: Mapping[str, Any]) -> Trouble | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _NEVER:
        return Trouble(f"its image can not be had: {message or reason}")
    if reason in _REFUSED:
        return Trouble(f"it was not started: {message or reason}")
    return None


def _ended(container: Mapping[str, Any]) -> Trouble | None:
    """The first end is the one that tells why: until it is ready nothing should end."""
    ended = (container.get("state") or {}).get("terminated") or {}
    ended = ended or (container.get("lastState") or {}).get("terminated") or {}
    if not ended or container.get("ready"):
        return None
    if ended.get("reason") == _OUT_OF_MEMORY:
        return Trouble("was killed: out of memory", has_log=True)
    return Trouble(f"exited with code {ended.get('exitCode')}", has_log=True)


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    yield from (pod.get("status") or {}).get("containerStatuses") or ()


def _condition(pod: Object, kind: str) -> Mapping[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})

"""A started service in; the moment when its replicas are ready out, or a DeployError with the evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chainctl.adapters.kubernetes.api import Api, Object
from chainctl.adapters.kubernetes.ask import CONTAINER, probe
from chainctl.adapters.kubernetes.awaited import awaited_in
from chainctl.adapters.kubernetes.exec import run_in
from chainctl.adapters.kubernetes.logs import last_lines
from chainctl.adapters.kubernetes.observe import annotations_of, wanted_replicas
from chainctl.adapters.kubernetes.pods import (
    HASH,
    Trouble,
    has_ended,
    is_ending,
    is_ready,
    template_of,
    trouble_of,
)
from chainctl.adapters.kubernetes.services import mark_ready, put_aside
from chainctl.deploy.kubernetes.names import SECRETS_PART, service_selector, workload_name
from chainctl.deploy.release import ServiceSpec
from chainctl.errors import ChainctlError, DeployError
from chainctl.wire.log_line import readable

LOG_LINES = 50
_POLL_SEC = 0.4
_PLACING_SEC = 15.0
"""How long a cluster may take to say that it will add a node for a pod, or to know that others have ended."""
_REVISION = "deployment.kubernetes.io/revision"
_SCALE_UPS = frozenset({"TriggeredScaleUp", "Nominated", "NominatedPod"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a service is: how many replicas are ready that are as wanted, and what keeps others from it.

    `pod` is the first that is not ready, `ending` how many still end and take room until then.
    """

    ready: int = 0
    is_settled: bool = False
    trouble: Trouble | None = None
    pod: str = ""
    ending: int = 0

    def is_hopeless(self, waited_sec: float) -> bool:
        """Say whether it is of no use to wait on; a pod that no node takes is given a while, and others' room."""
        if self.trouble is None or not self.trouble.is_placing:
            return self.trouble is not None
        return waited_sec > _PLACING_SEC and not self.ending

    def has(self, replicas: int) -> bool:
        return self.is_settled and self.ready >= replicas


def standing(deployment: Object, replica_sets: Sequence[Object], pods: Sequence[Object]) -> Standing:
    """Tell how far the newest template of a Deployment is. Pure."""
    newest = newest_template(replica_sets)
    status = deployment.get("status") or {}
    mine = [pod for pod in pods if template_of(pod) == newest and not is_ending(pod)]
    older = [pod for pod in pods if template_of(pod) != newest and not is_ending(pod)]
    is_known = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    trouble, pod = _first_trouble(deployment, mine)
    return Standing(
        ready=sum(is_ready(one) for one in mine),
        is_settled=bool(is_known and newest and not older),
        trouble=trouble if is_known else None,
        pod=pod or next((one["metadata"]["name"] for one in mine if not is_ready(one)), ""),
        ending=sum(is_ending(one) and not has_ended(one) for one in pods),
    )


def newest_template(replica_sets: Sequence[Object]) -> str:
    """Return the hash of the template that a Deployment makes pods from now, "" where there is none yet."""
    ordered = sorted(replica_sets, key=_revision)
    return template_of(ordered[-1]) if ordered else ""


def previous_of(replica_sets: Sequence[Object]) -> Object | None:
    """Return what a Deployment made pods from before."""
    ordered = sorted(replica_sets, key=_revision)
    return ordered[-2] if len(ordered) > 1 else None


def await_ready(api: Api, spec: ServiceSpec, replica: int) -> None:
    """Look until so many replicas are ready, and write that down.

    Raises DeployError as soon as a pod says why it can not be, or when it takes too long. What never was ready
    is put aside, what was ready with other values or another image gets those back.
    """
    look = _Look(api, spec)
    deadline, pause = time.monotonic() + spec.start_timeout_sec, threading.Event()
    while not look.now().has(replica):
        if look.is_hopeless():
            raise _failed(look, look.last.trouble.text if look.last.trouble else "it was removed")
        if time.monotonic() >= deadline:
            late = f"not ready after {spec.start_timeout_sec:g} s"
            raise _failed(look, f"{late}: {look.last.trouble.text}" if look.last.trouble else late)
        pause.wait(_POLL_SEC)
    mark_ready(api, spec, replica)


@dataclass(slots=True)
class _Look:
    """The last look at a service that is starting."""

    api: Api
    spec: ServiceSpec
    begun: float = field(default_factory=time.monotonic)
    last: Standing = field(default_factory=Standing)
    deployment: Object | None = None
    replica_sets: Sequence[Object] = ()

    def now(self) -> Standing:
        mine = service_selector(self.spec.name, self.spec.chain)
        self.deployment = self.api.get("Deployment", workload_name(self.spec.name))
        if self.deployment is None:
            self.last = Standing(trouble=Trouble("it was removed while it started"))
            return self.last
        self.replica_sets = self.api.list("ReplicaSet", mine)
        self.last = standing(self.deployment, self.replica_sets, self.api.list("Pod", mine))
        return self.last

    def is_hopeless(self) -> bool:
        return self.last.is_hopeless(time.monotonic() - self.begun) and not self._adds_node()

    def _adds_node(self) -> bool:
        """Say whether somebody makes room: who adds nodes to a cluster says so of the pod."""
        if self.last.trouble is None or not self.last.trouble.is_placing:
            return False
        try:
            events = self.api.list("Event")
        except ChainctlError:
            return False
        return any(
            event.get("reason") in _SCALE_UPS
            and (event.get("involvedObject") or {}).get("name") == self.last.pod
            for event in events
        )


def _failed(look: _Look, why: str) -> DeployError:
    """Take the evidence while it is there, then put the service aside, or back."""
    spec, there = look.spec, look.deployment
    was_ready = there is not None and awaited_in(annotations_of(there)).replicas > 0
    details = _evidence(look)
    try:
        if there is not None and was_ready:
            details += _taken_back(look, there)
        elif there is not None:
            put_aside(look.api, spec, why)
    except ChainctlError as error:
        details.append(f"what was begun could not be taken back: {error.message}")
    return DeployError(
        f"{spec.chainlet} {'is not' if was_ready else 'did not become'} ready: {why}",
        hint=_hint(look, spec),
        details=details,
    )


def _taken_back(look: _Look, there: Object) -> list[str]:
    """Have a service whose values are others run with those that it was ready with; nothing where it has them."""
    awaited, previous = awaited_in(annotations_of(there)), previous_of(look.replica_sets)
    wanted = (look.spec.secrets_digest, look.spec.image)
    if previous is None or (awaited.secrets, awaited.image) == wanted:
        return []
    look.api.replace("Deployment", with_template(there, previous, {SECRETS_PART: awaited.secrets}))
    return ["it runs as before again"]


def _hint(look: _Look, spec: ServiceSpec) -> str:
    trouble = look.last.trouble
    if trouble and trouble.is_placing:
        return (
            "see what nodes have with `kubectl describe nodes`; add one, ask for less in the `Compute` of chainlets, "
            'or let the older release end first with `strategy="recreate"`'
        )
    if trouble and "image" in trouble.text:
        return (
            "push to a registry that the nodes can read (`--registry`), or name a pull secret in the settings"
        )
    return f"see why with `kubectl describe deployment {workload_name(spec.name)}`, then push again"


def _evidence(look: _Look) -> list[str]:
    """Return the last lines that a pod wrote, and what it answers, as far as they can be had."""
    pod, found = look.last.pod, list[str]()
    if not pod:
        return [f"{look.spec.name} has no pod"]
    with suppress(ChainctlError):
        found += readable(last_lines(look.api, pod, CONTAINER, LOG_LINES))[-LOG_LINES:]
    if look.last.trouble is None:
        with suppress(ChainctlError):
            answer = run_in(look.api, pod, CONTAINER, probe("/readyz"), within_sec=8.0).output.strip()
            found += [f"health: {answer}"] if answer else []
    return found or [f"the pod {pod} wrote nothing"]


def with_template(deployment: Object, previous: Object, said: Mapping[str, str]) -> Object:
    """Return a Deployment with the template of one of its ReplicaSets, and what is said of it. Pure."""
    template = previous["spec"]["template"]
    labels = {name: value for name, value in template["metadata"].get("labels", {}).items() if name != HASH}
    kept = {k: v for k, v in deployment["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    return {
        **{name: value for name, value in deployment.items() if name != "status"},
        "metadata": {**kept, "annotations": {**annotations_of(deployment), **said}},
        "spec": {
            **deployment["spec"],
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _first_trouble(deployment: Object, pods: Sequence[Object]) -> tuple[Trouble | None, str]:
    for pod in pods:
        if not is_ready(pod) and (trouble := trouble_of(pod)):
            return trouble, pod["metadata"]["name"]
    for one in (deployment.get("status") or {}).get("conditions") or ():
        is_short = len(pods) < wanted_replicas(deployment)
        if (one.get("type"), one.get("status")) == ("ReplicaFailure", "True") and is_short:
            return Trouble(f"the cluster makes no pod for it: {one.get('message', '')}"), ""
    return None, ""


def _revision(replica_set: Object) -> int:
    return int(annotations_of(replica_set).get(_REVISION) or 0)

"""Services in; their objects written and removed, replica by replica, out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from chainctl.adapters.kubernetes.api import Api, Object
from chainctl.adapters.kubernetes.awaited import AWAITED, FAILURE, IMAGE, Awaited, awaited_in
from chainctl.adapters.kubernetes.objects import (
    DATA_COMPONENT,
    SECRET_COMPONENT,
    calls_name,
    calls_policy,
    data_object,
    parsed,
    secret_object,
)
from chainctl.adapters.kubernetes.observe import annotations_of, wanted_replicas
from chainctl.adapters.kubernetes.pods import has_ended, is_ending
from chainctl.deploy.door_start import TOKEN_FILE
from chainctl.deploy.kubernetes.manifests import Callers, service_manifests
from chainctl.deploy.kubernetes.names import (
    COMPONENT,
    DATA_KEY,
    chain_labels,
    data_name,
    require_data_fits,
    secret_name,
    service_selector,
    workload_name,
)
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DataSource, Vault

READINESS = "chainctl-readiness"
"""Writes the mark of what was ready, which stays whatever else of a service is written."""
_POLL_SEC = 0.3


def start_service(
    api: Api, spec: ServiceSpec, replica: int, vault: Vault, data: DataSource, *, renews: bool = False
) -> None:
    """Write all objects of a service, so that it has that many replicas at least.

    Its pods are replaced by the cluster where their template is another one than before. One that failed starts
    anew. Raises MissingSecretError and UsageError before a change, DeployError.
    """
    name = workload_name(spec.name)
    there = api.get("Deployment", name)
    for wanted in _given(spec, vault, data):
        api.apply(wanted)
    for wanted in parsed(service_manifests(spec, Callers(), api.cluster())):
        if wanted["kind"] == "Deployment":
            wanted = _deployment(wanted, spec, max(replica, _replicas_of(there)))
        elif wanted["kind"] == "PersistentVolumeClaim" and api.get(
            wanted["kind"], wanted["metadata"]["name"]
        ):
            continue
        api.apply(wanted)
    if spec.calls:
        api.apply(calls_policy(spec))


def mark_ready(api: Api, spec: ServiceSpec, replica: int) -> None:
    """Write down that replicas were seen ready, so that they are known for running."""
    name = workload_name(spec.name)
    there = api.get("Deployment", name)
    known = awaited_in(annotations_of(there)) if there else Awaited()
    now = Awaited(max(known.replicas, replica), spec.secrets_digest, spec.image)
    if there is None or (known != now or FAILURE in annotations_of(there)):
        mark = {AWAITED: now.text, FAILURE: None}
        api.merge("Deployment", name, {"metadata": {"annotations": mark}}, manager=READINESS)
    if known.secrets != now.secrets:
        sweep(api, spec.chain)


def put_aside(api: Api, spec: ServiceSpec, why: str) -> None:
    """Have a service that never became ready run no more: it is left to look into, and takes no room."""
    change = {"spec": {"replicas": 0}, "metadata": {"annotations": {FAILURE: why[:1000]}}}
    api.merge("Deployment", workload_name(spec.name), change, manager=READINESS)


def stop_service(api: Api, chain: str, service: str, replica: int, grace_sec: float) -> None:
    """Have one replica less than the number of this one, or nothing of the service at all for the first.

    Pods end by themselves within the grace. Raises DeployError.
    """
    name = workload_name(service)
    there = api.get("Deployment", name)
    if replica > 1:
        if there is not None and wanted_replicas(there) >= replica:
            _shrink(api, name, there, replica - 1)
            _until(lambda: _pods_of(api, chain, service) < replica, grace_sec)
        return
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Deployment"):
        api.delete(kind, name)
    _until(lambda: not _pods_of(api, chain, service), grace_sec)
    for kind, one in (("NetworkPolicy", calls_name(service)), ("NetworkPolicy", name), ("Service", name)):
        api.delete(kind, one)
    sweep(api, chain)


def sweep(api: Api, chain: str, *, everything: bool = False) -> None:
    """Remove Secrets and files of a chain that no pod of it uses any more."""
    mine, used = chain_labels(chain), set[str]()
    if not everything:
        pods = [pod for pod in api.list("Pod", mine) if not is_ending(pod)]
        used |= {name for one in (*api.list("Deployment", mine), *pods) for name in sources_of(one)}
    for kind, component in (("Secret", SECRET_COMPONENT), ("ConfigMap", DATA_COMPONENT)):
        for one in api.list(kind, {**mine, COMPONENT: component}):
            if one["metadata"]["name"] not in used:
                api.delete(kind, one["metadata"]["name"])


def sources_of(one: Object) -> Iterable[str]:
    """Return the names of the Secrets and ConfigMaps that the volumes of a Deployment or a pod are made from."""
    pod = one["spec"].get("template", one)["spec"]
    for volume in pod.get("volumes") or ():
        if "secret" in volume:
            yield volume["secret"]["secretName"]
        if "configMap" in volume:
            yield volume["configMap"]["name"]


def _given(spec: ServiceSpec, vault: Vault, data: DataSource) -> list[Object]:
    """Return what holds the values and the files of a service."""
    values = {secret.name: vault.value(secret) for secret in spec.secrets}
    values[TOKEN_FILE] = vault.token(spec.chain).encode()
    found = [secret_object(secret_name(spec.chain, spec.secrets), spec.chain, values)]
    for one in spec.data:
        path = data.get(one)
        require_data_fits(spec.chain, one.filename, path.stat().st_size)
        name = data_name(spec.chain, one.sha256)
        found.append(data_object(name, spec.chain, DATA_KEY, path.read_bytes()))
        data.drop(one)
    return found


def _deployment(wanted: Object, spec: ServiceSpec, replicas: int) -> Object:
    wanted["spec"]["replicas"] = replicas
    wanted["metadata"].setdefault("annotations", {})[IMAGE] = spec.image
    return wanted


def _replicas_of(deployment: Object | None) -> int:
    return wanted_replicas(deployment) if deployment else 0


def _shrink(api: Api, name: str, there: Object, count: int) -> None:
    known = awaited_in(annotations_of(there))
    now = Awaited(min(known.replicas, count), known.secrets, known.image)
    api.merge("Deployment", name, {"spec": {"replicas": count}})
    api.merge("Deployment", name, {"metadata": {"annotations": {AWAITED: now.text}}}, manager=READINESS)
    if count == 1:
        api.delete("PodDisruptionBudget", name)


def _pods_of(api: Api, chain: str, service: str) -> int:
    return sum(not has_ended(pod) for pod in api.list("Pod", service_selector(service, chain)))


def _until(holds: Callable[[], bool], within_sec: float) -> None:
    """Wait until something holds, or time is up: the cluster goes on with it by itself then."""
    deadline, pause = time.monotonic() + within_sec, threading.Event()
    while not holds() and time.monotonic() < deadline:
        pause.wait(_POLL_SEC)

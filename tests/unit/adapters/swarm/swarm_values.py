"""Nothing in; specs, nodes, services and tasks as a swarm tells of them, out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chainctl.adapters.swarm.services import SwarmService
from chainctl.adapters.swarm.tasks import Task
from chainctl.deploy.release import Call, Fingerprint, Resources, SecretRef, ServiceSpec

MIB = 1 << 20
CHAIN = "shop"


def spec(**more: Any) -> ServiceSpec:
    made = ServiceSpec(
        name="shop-hello-12345678",
        chain=CHAIN,
        chainlet="Hello",
        image="shop/hello:abc",
        resources=Resources(cpus=0.5, memory_bytes=256 * MIB, pids=64),
        env=(("MODE", "fast"),),
        secrets=(SecretRef("hf_key", "f1"),),
        calls=(Call("Other", "shop-other-87654321"),),
        start_timeout_sec=60,
        fingerprint=Fingerprint("i", "c", "l"),
    )
    return replace(made, **more)


def node(name: str, *, gpus: int = 0, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return what the engine says of a node with 4 CPUs and 8 GiB."""
    generic = [{"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": gpus}}] if gpus else None
    return {
        "ID": f"id-{name}",
        "Spec": {"Labels": labels or {}, "Availability": more.get("availability", "active")},
        "Description": {
            "Hostname": name,
            "Resources": {"NanoCPUs": 4 * 10**9, "MemoryBytes": 8 << 30, "GenericResources": generic},
        },
        "Status": {"State": more.get("state", "ready")},
    }


def service(labels: dict[str, str], replicas: int, update: str = "", **more: Any) -> SwarmService:
    spec = {"Name": "shop-hello-12345678", "Labels": labels, "Mode": {"Replicated": {"Replicas": replicas}}}
    spec["TaskTemplate"] = more.get("template", {"ContainerSpec": {}})
    said = {"ID": "s1", "Version": {"Index": 7}, "Spec": spec, "UpdateStatus": {"State": update}}
    return SwarmService.of({**said, "CreatedAt": "2026-01-01T00:00:00Z", "PreviousSpec": more.get("before")})


def task(slot: int, state: str = "running", desired: str = "running", **more: Any) -> Task:
    network = {"Network": {"Spec": {"Name": f"chainctl-{CHAIN}"}}, "Addresses": [f"10.0.1.{slot}/24"]}
    return Task.of(
        {
            "ID": more.get("id", f"t{slot}"),
            "ServiceID": "s1",
            "Slot": slot,
            "NodeID": more.get("node", "n1"),
            "CreatedAt": more.get("created", "2026-01-01T00:00:00Z"),
            "DesiredState": desired,
            "Status": {"State": state, "Err": more.get("error", ""), "ContainerStatus": {"ContainerID": "c"}},
            "NetworksAttachments": [network],
        }
    )

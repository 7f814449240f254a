"""The nodes of a swarm in; whether a service finds a place on one of them, and why not, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.swarm.labels import GPU_MODEL_LABEL
from chainctl.deploy.release import Gpu, ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.deploy.state import Capacity
from chainctl.errors import DeployError

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the swarm. `gpus` maps the kinds of generic resources that are GPUs to their counts.

    `address` is the one that the swarm has of it.
    """

    id: str
    hostname: str
    is_open: bool
    labels: Mapping[str, str]
    cpus: float
    memory_bytes: int
    gpus: Mapping[str, int] = field(default_factory=dict)
    address: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Node:
        spec, has = said.get("Spec") or {}, said.get("Description") or {}
        resources = has.get("Resources") or {}
        return cls(
            id=said["ID"],
            hostname=has.get("Hostname", ""),
            is_open=spec.get("Availability") == "active"
            and (said.get("Status") or {}).get("State") == "ready",
            labels=spec.get("Labels") or {},
            cpus=resources.get("NanoCPUs", 0) / _NANO,
            memory_bytes=resources.get("MemoryBytes", 0),
            gpus=_gpus(resources.get("GenericResources") or ()),
            address=str((said.get("Status") or {}).get("Addr", "")),
        )


def nodes_of(connection: Connection) -> list[Node]:
    """Return all nodes, sorted by name."""
    with connection.reading("list the nodes of the swarm"):
        said = connection.client.nodes()
    return sorted((Node.of(one) for one in said), key=lambda node: (node.hostname, node.id))


def node_here(connection: Connection) -> str:
    """Return the id of the node that is talked to."""
    with connection.reading("describe the engine"):
        return str((connection.client.info().get("Swarm") or {}).get("NodeID", ""))


def capacity_of(nodes: Sequence[Node]) -> Capacity:
    """Return what all nodes have together, and the most that one of them has of each kind."""
    there = [node for node in nodes if node.is_open]
    memory = [node.memory_bytes for node in there]
    gpus, cpus = [sum(node.gpus.values()) for node in there], [node.cpus for node in there]
    most = Capacity(
        max(memory, default=0) or None,
        max(gpus, default=0) or None,
        int(max(cpus, default=0)) or None,
        is_held_to=True,
    )
    return replace(
        most,
        memory_bytes=sum(memory) or None,
        gpus=sum(gpus) or None,
        cpus=int(sum(cpus)) or None,
        largest=most,
    )


def gpu_kind(nodes: Sequence[Node]) -> str | None:
    """Return what the nodes call GPUs, None where none has any."""
    return min((kind for node in nodes for kind in node.gpus), default=None)


def constraints(spec: ServiceSpec) -> list[str]:
    """Return on which nodes a service may run, as Swarm takes it."""
    wanted = [f"node.labels.{name} == {value}" for name, value in sorted(spec.node_labels)]
    model = spec.resources.gpu.model if spec.resources.gpu else None
    return [*wanted, *([f"node.labels.{GPU_MODEL_LABEL} == {model}"] if model else [])]


def require_place(spec: ServiceSpec, nodes: Sequence[Node]) -> None:
    """Raise DeployError when no node can ever run a service."""
    there = [node for node in nodes if node.is_open]
    if not there:
        raise DeployError(
            "No node of the swarm takes tasks",
            hint="look at `docker node ls`, make one active, then push again",
        )
    labelled = [node for node in there if all(node.labels.get(k) == v for k, v in _wanted_labels(spec))]
    if not labelled:
        asked = ", ".join(f"{name}={value}" for name, value in _wanted_labels(spec))
        raise DeployError(
            f"{spec.chainlet} may run only on nodes labelled {asked}, and there is none",
            hint=f"label one with `docker node update --label-add {asked.split(', ')[0]} NODE`, then push again",
        )
    _require_room(spec, labelled)


def require_image(spec: ServiceSpec, nodes: Sequence[Node]) -> None:
    """Raise DeployError when nodes have no way to the image of a service."""
    if len(nodes) > 1 and not spec.published:
        raise DeployError(
            f"The {len(nodes)} nodes of the swarm can not get the image of {spec.chainlet}: "
            "it is only on the engine that built it",
            hint="name a registry that all nodes reach in the setting `registry`, then push again",
        )


def _require_room(spec: ServiceSpec, nodes: Sequence[Node]) -> None:
    wanted = spec.resources
    cpus, memory = max(node.cpus for node in nodes), max(node.memory_bytes for node in nodes)
    if wanted.cpus > cpus:
        raise _too_much(spec, f"{wanted.cpus:g} CPUs", f"{cpus:g}", "cpu_count")
    if wanted.memory_bytes > memory:
        asked = f"{shown_bytes(wanted.memory_bytes)} of memory"
        raise _too_much(spec, asked, shown_bytes(memory), "memory")
    if wanted.gpu:
        _require_gpus(spec, wanted.gpu, nodes)


def _require_gpus(spec: ServiceSpec, gpu: Gpu, nodes: Sequence[Node]) -> None:
    if gpu.memory_bytes:
        raise DeployError(
            f"{spec.chainlet} asks for a part of a GPU, and Swarm gives whole ones only",
            hint=f"leave gpu_memory out of the Compute of {spec.chainlet}, then push again",
        )
    if gpu_kind(nodes) is None:
        raise DeployError(
            f"{spec.chainlet} asks for {gpu.count} GPU{'s' if gpu.count != 1 else ''}, "
            "and no node says that it has any",
            hint="name them in `node-generic-resources` of the daemon.json of their machines",
        )
    most = max(sum(node.gpus.values()) for node in nodes)
    if gpu.count > most:
        raise _too_much(spec, f"{gpu.count} GPUs", f"{most}", "gpu_count")


def _wanted_labels(spec: ServiceSpec) -> list[tuple[str, str]]:
    gpu = spec.resources.gpu
    return [*sorted(spec.node_labels), *([(GPU_MODEL_LABEL, gpu.model)] if gpu and gpu.model else [])]


def _too_much(spec: ServiceSpec, wanted: str, there: str, setting: str) -> DeployError:
    return DeployError(
        f"{spec.chainlet} asks for {wanted}, and the largest node that it may run on has {there}",
        hint=f"lower Compute({setting}=…) of {spec.chainlet}, or add a larger node to the swarm",
    )


def _gpus(resources: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count them: nodes name each (`gpu=UUID1,gpu=UUID2`) or tell how many there are (`gpu=2`)."""
    found: dict[str, int] = {}
    for one in resources:
        named, counted = one.get("NamedResourceSpec"), one.get("DiscreteResourceSpec")
        kind = str((named or counted or {}).get("Kind", ""))
        if "gpu" in kind.lower():
            found[kind] = found.get(kind, 0) + (int(counted["Value"]) if counted else 1)
    return found

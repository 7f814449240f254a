"""The nodes of a cluster in; what they have for all services out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from chainctl.adapters.kubernetes.api import Api, Object
from chainctl.deploy.state import Capacity

GPU = "nvidia.com/gpu"
_UNITS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(1 << 10),
    "Mi": Decimal(1 << 20),
    "Gi": Decimal(1 << 30),
    "Ti": Decimal(1 << 40),
    "Pi": Decimal(1 << 50),
    "Ei": Decimal(1 << 60),
}


def cluster_capacity(api: Api) -> Capacity:
    """Return nothing known where one may not look at nodes: then the cluster says it when it places a pod."""
    return capacity_of(api.visible("Node"))


def capacity_of(nodes: Iterable[Object]) -> Capacity:
    """Return what all nodes give away together. Pure.

    A cluster may add nodes when pods wait for them, larger ones too; so nothing is held to it.
    """
    given = [(node.get("status") or {}).get("allocatable") or {} for node in nodes]
    if not given:
        return Capacity()
    memory, cpus, gpus = (
        sum(quantity(one.get(name, "0")) for one in given) for name in ("memory", "cpu", GPU)
    )
    return Capacity(int(memory) or None, int(gpus) or None, int(cpus) or None)


def quantity(text: str) -> Decimal:
    """Read an amount as Kubernetes writes it: 500m, 2Gi, 4."""
    for unit in sorted(_UNITS, key=len, reverse=True):
        if text.endswith(unit):
            return Decimal(text.removesuffix(unit)) * _UNITS[unit]
    return Decimal(text)

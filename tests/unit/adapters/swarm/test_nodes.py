"""Where a service finds a place, and what is said where it finds none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainctl.adapters.swarm.cache import require_cache
from chainctl.adapters.swarm.nodes import (
    Node,
    capacity_of,
    constraints,
    gpu_kind,
    require_image,
    require_place,
)
from chainctl.deploy.release import CacheVolume, Gpu, Resources
from chainctl.deploy.state import Capacity
from chainctl.errors import DeployError
from tests.unit.adapters.swarm.swarm_values import node, spec

LIMITS = Resources(1.0, 1 << 30, 64)


def test_the_largest_node_is_what_one_replica_can_have() -> None:
    """A node that takes no tasks does not count."""
    nodes = [Node.of(node("a")), Node.of(node("b", gpus=2)), Node.of(node("c", gpus=8, availability="drain"))]
    largest = Capacity(8 << 30, 2, 4, is_held_to=True)
    assert capacity_of(nodes) == Capacity(16 << 30, 2, 8, is_held_to=True, largest=largest)
    assert gpu_kind(nodes) == "NVIDIA-GPU"


def test_named_gpus_are_counted() -> None:
    """A node may name each of them."""
    said = node("a")
    named = [{"NamedResourceSpec": {"Kind": "gpu", "Value": f"UUID{n}"}} for n in (1, 2)]
    said["Description"]["Resources"]["GenericResources"] = named
    assert Node.of(said).gpus == {"gpu": 2}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"resources": replace(LIMITS, cpus=5)}, "asks for 5 CPUs, and the largest node .* has 4"),
        ({"resources": replace(LIMITS, memory_bytes=9 << 30)}, "asks for 9Gi of memory"),
        ({"resources": replace(LIMITS, gpu=Gpu(None, 1))}, "asks for 1 GPU, and no node says"),
        ({"resources": replace(LIMITS, gpu=Gpu("H100", 1))}, "only on nodes labelled chainctl.gpu=H100"),
        ({"resources": replace(LIMITS, gpu=Gpu(None, 1, 1 << 30))}, "asks for a part of a GPU"),
        ({"node_labels": (("disk", "ssd"), ("zone", "b"))}, "only on nodes labelled disk=ssd, zone=b"),
    ],
)
def test_what_no_node_has_is_named(more: Any, message: str) -> None:
    """With what is wanted and what is there."""
    with pytest.raises(DeployError, match=message) as caught:
        require_place(spec(**more), [Node.of(node("a", labels={"disk": "ssd"}))])
    assert caught.value.hint


def test_several_nodes_need_a_registry() -> None:
    """An image that one engine has is nowhere else; with one node it is where it is needed."""
    nodes = [Node.of(node("a")), Node.of(node("b"))]
    require_image(spec(), nodes[:1])
    require_image(spec(published="registry/hello@sha256:1"), nodes)
    with pytest.raises(DeployError, match="The 2 nodes of the swarm can not get the image of Hello"):
        require_image(spec(), nodes)


def test_a_swarm_whose_nodes_take_nothing_says_so() -> None:
    """All of them are drained, or away."""
    nodes = [Node.of(node("a", availability="drain")), Node.of(node("b", state="down"))]
    with pytest.raises(DeployError, match="No node of the swarm takes tasks"):
        require_place(spec(published="x"), nodes)


def test_a_service_with_a_cache_stays_on_one_node() -> None:
    """Nobody could give it its directory on the others."""
    cached = spec(cache=CacheVolume("models", "/var/cache/chainctl", "/app/model_cache"))
    require_cache(cached, [Node.of(node("a"))])
    with pytest.raises(DeployError, match="model_cache"):
        require_cache(cached, [Node.of(node("a")), Node.of(node("b"))])


def test_labels_become_constraints() -> None:
    """Those of the chain file, and the model of GPU."""
    wanted = spec(node_labels=(("zone", "b"), ("disk", "ssd")), resources=replace(LIMITS, gpu=Gpu("H100", 1)))
    assert constraints(wanted) == [
        "node.labels.disk == ssd",
        "node.labels.zone == b",
        "node.labels.chainctl.gpu == H100",
    ]

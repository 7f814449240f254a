"""What a cluster has in its quotas, limits and nodes, and what is said of services that ask for more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainctl.adapters.kubernetes.places import doubts, require_limits, require_quotas
from chainctl.deploy.release import Gpu, Resources
from chainctl.errors import DeployError
from tests.unit.adapters.kubernetes.cluster_objects import SPEC

GPU = replace(SPEC, resources=replace(SPEC.resources, gpu=Gpu("L4", 1)))
L4 = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.memory": "23034"}


def quota(hard: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "small"}, "spec": {"hard": hard, **more}}


def limits(**bounds: Any) -> dict[str, Any]:
    return {"spec": {"limits": [{"type": "Container", **bounds}]}}


def node(labels: dict[str, str] | None = None, *, taint: str = "", **allocatable: str) -> dict[str, Any]:
    amounts = {
        "cpu": "4",
        "memory": "16Gi",
        **{k.replace("gpu", "nvidia.com/gpu"): v for k, v in allocatable.items()},
    }
    taints = [{"key": taint, "effect": "NoSchedule"}] if taint else []
    return {
        "metadata": {"name": "n", "labels": labels or {}},
        "spec": {"taints": taints},
        "status": {"allocatable": amounts},
    }


@pytest.mark.parametrize(
    ("hard", "words"),
    [
        ({"limits.memory": "100Mi"}, "allows 100Mi of limits.memory, and the chain asks for 128Mi"),
        ({"requests.cpu": "400m"}, "allows 400m of requests.cpu, and the chain asks for 0.5"),
        ({"cpu": "400m"}, "allows 400m of cpu"),
        (
            {"requests.storage": "1Pi", "limits.cpu": "1500u"},
            "allows 1500u of limits.cpu, and the chain asks for 2",
        ),
        ({"pods": "1"}, "allows 1 of pods, and the chain asks for 2"),
    ],
)
def test_a_quota_that_the_chain_never_fits_into_is_named(hard: dict[str, str], words: str) -> None:
    """All replicas of all services are added up."""
    with pytest.raises(DeployError, match=words) as caught:
        require_quotas([replace(SPEC, replicas=2)], [quota(hard)])
    assert caught.value.message.startswith("The quota small of the namespace")


def test_a_quota_that_the_chain_fits_into_is_kept() -> None:
    """What is just allowed is allowed, and what a chain has none of, too."""
    require_quotas([SPEC], [quota({"pods": "1", "limits.memory": "64Mi", "requests.storage": "0"})])


def test_gpus_have_quotas_too() -> None:
    """By the name that clusters have for them."""
    with pytest.raises(DeployError, match=r"allows 0 of requests\.nvidia\.com/gpu, and the chain asks for 1"):
        require_quotas([GPU], [quota({"requests.nvidia.com/gpu": "0"})])


def test_a_quota_for_other_pods_is_left_alone() -> None:
    """Nobody but the cluster knows which pods it is for."""
    require_quotas([SPEC], [quota({"pods": "0"}, scopes=["BestEffort"])])


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"max": {"memory": "32Mi"}}, "Hello may take 64Mi of memory, and not more than 32Mi is allowed"),
        ({"min": {"cpu": "300m"}}, "Hello asks for 250m of cpu, and not less than 300m is allowed"),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            "may take 1 of cpu and has 250m kept free, more than 2 times",
        ),
    ],
)
def test_limits_that_no_pod_of_a_service_keeps_are_named(bounds: dict[str, Any], words: str) -> None:
    """Those of a container and those of a pod; others are about something else."""
    with pytest.raises(DeployError, match=words):
        require_limits([SPEC], [limits(**bounds)])
    require_limits([SPEC], [limits(**bounds, type="PersistentVolumeClaim")])


def test_limits_that_are_kept_say_nothing() -> None:
    """What is just allowed is allowed."""
    bounds = {
        "max": {"cpu": "1", "memory": "64Mi"},
        "min": {"cpu": "250m"},
        "maxLimitRequestRatio": {"cpu": "4"},
    }
    require_limits([SPEC], [limits(**bounds)])


@pytest.mark.parametrize(
    ("spec", "nodes", "words"),
    [
        (
            replace(SPEC, node_labels=(("disk", "ssd"),)),
            [node({"disk": "hdd"})],
            "No node has the label disk=ssd",
        ),
        (
            replace(SPEC, resources=Resources(40.0, 1 << 20, 64)),
            [node()],
            "10 of cpu asked for, and the largest node has 4",
        ),
        (replace(SPEC, resources=Resources(1.0, 32 << 30, 64)), [node()], "32Gi of memory asked for"),
        (
            GPU,
            [node({"nvidia.com/gpu.product": "Tesla-T4"}, gpu="1")],
            "No node has the GPU that is asked for",
        ),
        (GPU, [node(L4)], "1 of GPUs asked for, and the largest node has 0"),
        (SPEC, [node(taint="nvidia.com/gpu"), node(taint="pool")], "No node takes its pods"),
    ],
)
def test_what_no_node_has_now_is_told(spec: Any, nodes: list[dict[str, Any]], words: str) -> None:
    """The cluster may add a node, so it is no error."""
    (told,) = doubts([spec], nodes)
    assert told.startswith(words)
    assert told.endswith(": Hello waits for a node that the cluster adds, and fails without one")


def test_a_service_that_finds_a_node_raises_no_doubt() -> None:
    """Nor does anything where no node may be looked at."""
    there = [node({"disk": "ssd"}), node(L4, taint="nvidia.com/gpu", gpu="2")]
    parted = replace(SPEC, resources=replace(SPEC.resources, gpu=Gpu(None, 1, 20 << 30)))
    assert list(doubts([SPEC, GPU, parted, replace(SPEC, node_labels=(("disk", "ssd"),))], there)) == []
    assert list(doubts([GPU], [])) == []

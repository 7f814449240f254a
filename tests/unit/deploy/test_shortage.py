"""What asks for more than a machine has, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chainctl.deploy.devices import Device, Holding, HostDevices
from chainctl.deploy.shortage import shortages
from chainctl.deploy.state import Capacity
from tests.fakes.chains import chainlet, graph_of, release_of

MACHINE = Capacity(memory_bytes=8 << 30, cpus=2, is_held_to=True)
GPUS = HostDevices((Device("a", 0, "NVIDIA L4", 24 << 30),), (Holding("a", "somebody"),))


def told(
    config: Mapping[str, Any], capacity: Capacity = MACHINE, host: HostDevices | None = GPUS
) -> list[str]:
    spec = replace(chainlet("Model", config={"compute": config}), config_lines={"resources": 7})
    graph = graph_of({"Model": []}, specs=[spec])
    found = list(shortages(graph, release_of(graph).services, capacity, host))
    assert {(problem.path, problem.line) for problem in found} <= {("/project/chain.py", 7)}
    return [problem.message for problem in found]


def test_what_could_run_alone_is_no_shortage() -> None:
    """Also where somebody has the GPU now: it may be free later."""
    assert told({"cpu_count": 2, "memory": "8Gi", "gpu": "L4", "gpu_memory": "24Gi"}) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cpu_count": 3}, "Model asks for 3 CPUs, and the machine has 2"),
        ({"memory": "9Gi"}, "Model asks for 9Gi of memory, and the machine has 8Gi"),
        ({"gpu": "H100"}, "Model asks for 1 H100, and the machine has NVIDIA L4"),
        ({"gpu": "any", "gpu_count": 2}, "Model asks for 2 GPUs, and the machine has NVIDIA L4"),
        (
            {"gpu": "L4", "gpu_memory": "25Gi"},
            "Model asks for 1 L4 with 25Gi of memory each, and the machine has NVIDIA L4",
        ),
    ],
)
def test_more_than_there_is(config: Mapping[str, Any], message: str) -> None:
    assert told(config) == [message]


def test_all_of_it_is_told() -> None:
    assert len(told({"cpu_count": 3, "memory": "9Gi", "gpu": "H100"})) == 3


def test_what_nobody_knows_or_bounds_is_not_judged() -> None:
    """A machine that does not say what it has, and one on which services take what they find."""
    wants = {"cpu_count": 64, "memory": "900Gi", "gpu": "H100"}
    assert told(wants, Capacity(is_held_to=True), None) == []
    assert told(wants, Capacity(memory_bytes=1, cpus=1), None) == []


def test_a_truss_directory_is_told_by_its_configuration() -> None:
    """Where no resources are written there, by its first line."""
    spec = replace(
        chainlet("Model", config={"compute": {"cpu_count": 3}}),
        path="/project/model/model.py", module="model.model", truss_config={},
    )  # fmt: skip
    graph = graph_of({"Model": []}, specs=[spec])
    (found,) = shortages(graph, release_of(graph).services, MACHINE, None)
    assert (found.path, found.line, found.code) == ("/project/config.yaml", 1, "CH0512")

"""What Swarm is told to make tasks from, to the letter."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from chainctl.adapters.docker.engine_info import EnginePing
from chainctl.adapters.swarm.labels import secret_name, token_name
from chainctl.adapters.swarm.service_body import (
    MountedFile,
    Surroundings,
    task_template,
    template_digest,
)
from chainctl.deploy.release import CacheVolume, Gpu, SecretRef
from tests.unit.adapters.swarm.swarm_values import spec

AROUND = Surroundings(
    image="sha256:1",
    python="/usr/bin/python3",
    ping=EnginePing("1.41", "linux"),
    secrets=[MountedFile("id1", "chainctl-1", "hf_key")],
    configs=[MountedFile("id2", "chainctl-2", "/app/data/words")],
)


def test_a_template_to_the_letter(golden: Callable[[str, str], None]) -> None:
    """Confined, with limits kept free for it, its secrets for its own user only."""
    cached = spec(
        cache=CacheVolume("models", "/var/cache/chainctl", "/app/model_cache"), node_labels=(("disk", "ssd"),)
    )
    template = task_template(cached, AROUND, 30.0)
    golden("swarm/service.json", json.dumps(template, indent=2, sort_keys=True) + "\n")


def test_newer_engines_confine_more() -> None:
    """From API 1.44 on a service can be kept from new privileges."""
    newer = replace(AROUND, ping=EnginePing("1.44", "linux"))
    container = task_template(spec(), newer, 30.0)["ContainerSpec"]
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert "Privileges" not in task_template(spec(), AROUND, 30.0)["ContainerSpec"]


def test_gpus_are_asked_for_as_nodes_call_them() -> None:
    """Swarm gives them by count; the model is a label."""
    wanted = spec(resources=replace(spec().resources, gpu=Gpu("H100", 2)))
    template = task_template(wanted, replace(AROUND, gpu_kind="NVIDIA-GPU"), 30.0)
    assert template["Resources"]["Reservations"]["GenericResources"] == [
        {"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": 2}}
    ]
    assert template["Placement"] == {"Constraints": ["node.labels.chainctl.gpu == H100"]}


def test_another_value_of_a_secret_is_another_template() -> None:
    """Its name tells them apart, and nothing else."""
    one, other = (secret_name("shop", SecretRef("hf_key", f)) for f in ("f1", "f2"))
    assert one != other
    assert max(len(one), len(token_name("shop", "t"))) <= 64
    assert one != secret_name("shop2", SecretRef("hf_key", "f1"))
    digests = {
        template_digest(
            task_template(spec(), replace(AROUND, secrets=[MountedFile(name, name, "hf_key")]), 30.0)
        )
        for name in (one, other)
    }
    assert len(digests) == 2

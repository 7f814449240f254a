"""A real engine in; the swarm of one node that it manages, and chains of fake chainlets on it, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.swarm.target import SwarmTarget
from chainctl.deploy.release import Resources
from tests.docker.target_rig import MIB, Rig, engine, image

__all__ = ["SwarmRig", "engine", "image", "swarm", "swarm_rig"]
LIMITS = Resources(cpus=0.1, memory_bytes=96 * MIB, pids=64)


@dataclass(frozen=True)
class SwarmRig(Rig):
    """One chain on a swarm, and everything that tests do with it."""

    @property
    def target(self) -> SwarmTarget:
        return SwarmTarget(self.engine, self.vault, data=self.data, drain_sec=8)

    def spec(self, chainlet: str = "Hello", version: str = "1", **more: Any) -> Any:
        return super().spec(chainlet, version, **{"resources": LIMITS, **more})

    def objects(self) -> list[str]:
        """Name the services, secrets and configs that the swarm has of the chain."""
        mine: Any = {"label": f"chainctl.chain={self.chain}"}
        with self.engine.client() as opened:
            client: Any = opened
            found = [*client.services(filters=mine), *client.secrets(filters=mine)]
            found += client.configs(filters=mine)
        return [one["Spec"]["Name"] for one in found]

    def sweep(self) -> None:
        """Remove everything of the chain without asking the code under test."""
        from docker.errors import APIError

        from tests.docker.target_rig import waited_for

        mine: Any = {"label": f"chainctl.chain={self.chain}"}
        with self.engine.client() as opened:
            client: Any = opened
            for service in client.services(filters=mine):
                client.remove_service(service["ID"])
            for secret in client.secrets(filters=mine):
                client.remove_secret(secret["ID"])
            for config in client.configs(filters=mine):
                client.remove_config(config["ID"])

        def swept() -> bool:
            try:
                super(SwarmRig, self).sweep()
            except APIError:
                return False
            return not self.leftovers()

        waited_for(swept, 40)


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Engine:
    """The engine of the tests as the manager of a swarm, which it stays: nothing else minds."""
    from docker.errors import APIError

    with engine.client() as client:
        if client.info()["Swarm"]["LocalNodeState"] != "active":
            try:
                client.init_swarm(advertise_addr="127.0.0.1", listen_addr="127.0.0.1")
            except APIError as error:
                if "already part of a swarm" not in str(error.explanation):
                    raise
    return engine


@pytest.fixture
def swarm_rig(swarm: Engine, image: str) -> Iterator[SwarmRig]:
    """A chain of its own for each test, swept in the end whatever happened."""
    rig = SwarmRig(swarm, image)
    yield rig
    rig.sweep()

"""GPUs of a real engine that has none: its containers are looked at all the same."""

from __future__ import annotations

import pytest

from chainctl.adapters.docker.gpu_holdings import gpu_holdings
from chainctl.adapters.docker.gpus import containers_with_gpus, host_gpus
from chainctl.adapters.docker.target_connection import Connection
from chainctl.deploy.devices import Device
from tests.docker.target_rig import Rig, engine, image, rig

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]


def test_an_engine_without_gpus_names_none_and_its_containers_have_none(rig: Rig) -> None:
    """What runs is inspected, of this chain and of others."""
    spec = rig.spec()
    rig.start(spec)
    with Connection.opened(rig.engine) as connection:
        assert host_gpus(connection) is None
        seen = list(containers_with_gpus(connection))
    mine = [said for said in seen if said["Name"] == f"/{spec.name}"]
    assert len(mine) == 1
    assert gpu_holdings(mine, (Device("GPU-0", 0),)) == ()

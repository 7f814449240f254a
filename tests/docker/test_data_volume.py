"""Files that services read, in volumes of a real engine: filled once, whole, and gone with the chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.data_volume import WHOLE
from chainctl.adapters.docker.labels import data_volume
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_files import get_files
from chainctl.deploy.operations import EnsureNetwork
from chainctl.deploy.release import DataMount, ServiceSpec
from tests.docker.target_rig import Rig, engine, image, rig
from tests.fakes.data import MemoryData

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]

DATA = bytes(range(256)) * 20_000 + b"the end"
MOUNT = DataMount("weights", "https://host/weights.bin", "ab" * 32, "/models/phi", "weights.bin")


@pytest.fixture
def filled(rig: Rig, tmp_path: Path) -> Rig:
    """A rig with the file at hand."""
    (tmp_path / MOUNT.filename).write_bytes(DATA)
    return replace(rig, data=MemoryData(tmp_path))


def seen_by(rig: Rig, spec: ServiceSpec) -> dict[str, bytes]:
    """What is in the directory of a running service."""
    with Connection.opened(rig.engine) as connection:
        return dict(get_files(connection, spec.name, MOUNT.directory))


def test_services_of_a_chain_read_one_copy(filled: Rig) -> None:
    """It is asked for once, dropped once it is in the volume, mounted read-only, gone with the chain."""
    one, two = filled.spec("One", data=(MOUNT,)), filled.spec("Two", data=(MOUNT,))
    filled.push(filled.desired(one, two))
    assert seen_by(filled, one)[MOUNT.filename] == DATA
    assert seen_by(filled, two)[MOUNT.filename] == DATA
    assert (filled.data.asked, filled.data.dropped) == (["weights"], ["weights"])
    mounts = {m["Destination"]: (m["Name"], m["RW"]) for m in filled.inspect(two.name)["Mounts"]}
    assert mounts[MOUNT.directory] == (data_volume(filled.chain, MOUNT.sha256), False)
    filled.down()
    assert filled.leftovers() == []


def test_a_volume_that_is_not_whole_is_filled_again(filled: Rig) -> None:
    """As after a command that was killed while it filled it."""
    spec = filled.spec(data=(MOUNT,))
    filled.apply(EnsureNetwork(filled.chain, "a test asks for it"))
    with Connection.opened(filled.engine) as connection, connection.changing("make a volume"):
        connection.client.create_volume(
            data_volume(filled.chain, MOUNT.sha256), labels={"chainctl.chain": filled.chain}
        )
    filled.push(filled.desired(spec))
    assert filled.data.asked == ["weights"]
    assert set(seen_by(filled, spec)) == {MOUNT.filename, WHOLE}

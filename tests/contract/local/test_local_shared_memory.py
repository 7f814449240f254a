"""The directory through which services of this machine share memory: made, told of, removed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.local.target import LocalTarget
from chainctl.deploy.operations import EnsureNetwork, RemoveNetwork, StartService
from chainctl.events import Event, Notice
from tests.contract.local.local_rig import CAUSE, CHAIN, DictVault, rig
from tests.fakes.data import MemoryData

pytestmark = pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no shared memory here")


def test_services_share_a_private_directory_until_the_chain_goes() -> None:
    """It is the chain's own, nobody else can enter it, and `down` removes it with what is in it."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        shared = r.run.shared
        assert shared is not None
        assert shared.stat().st_mode & 0o777 == 0o700
        assert {"CHAINCTL_SHARED_DIR", "CHAINCTL_SHARED_BYTES"} <= set(r.call()[1]["env"])
        (shared / "left").touch()
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert not shared.exists()


def test_services_run_without_shared_memory(tmp_path: Path) -> None:
    """Where the directory can not be had the chain serves all the same; it is said once."""
    (tmp_path / "shm").mkdir()
    (tmp_path / "shm" / "chainctl").symlink_to(tmp_path)
    with rig() as r:
        paths = replace(r.paths, shared=tmp_path / "shm" / "chainctl")
        r.target = LocalTarget(paths, DictVault({}), data=MemoryData(), drain_sec=5.0, inherited=os.environ)
        events: list[Event] = []
        r.target.apply(EnsureNetwork(CHAIN, CAUSE), events.append)
        for name in ("one", "two"):
            r.target.apply(StartService(r.spec(name), CAUSE), events.append)
        r.serve(r.spec("one"))
        assert r.call()[0] == 200
        (notice,) = events
        assert isinstance(notice, Notice)
        assert "run without shared memory" in notice.text
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert list(tmp_path.iterdir()) == [tmp_path / "shm"]

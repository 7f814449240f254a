"""The directory in which services of this machine keep what they fetch: told of, kept between services, removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chainctl.adapters.local.target import LocalTarget
from chainctl.deploy.operations import RemoveNetwork
from chainctl.deploy.release import CacheVolume
from tests.contract.local.local_rig import CAUSE, CHAIN, DictVault, rig
from tests.fakes.data import MemoryData

CACHE = CacheVolume("models", "/var/cache/chainctl", "/app/model_cache")


def test_what_is_fetched_outlives_services_and_goes_with_the_chain() -> None:
    """Each service is told of the one place of its chain."""
    with rig() as r:
        spec = replace(r.spec("one"), cache=CACHE)
        r.serve(spec)
        assert {"CHAINCTL_CACHE", "CHAINCTL_MODEL_CACHE", "HF_HUB_CACHE"} <= set(r.call()[1]["env"])
        place = r.run.cache_of("models")
        place.mkdir(parents=True)
        (place / "weights").write_text("heavy")
        r.stop(spec)
        r.serve(replace(r.spec("two"), cache=CACHE))
        assert (place / "weights").read_text() == "heavy"
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert not place.exists()


def test_what_a_passing_run_fetched_is_there_for_the_next(tmp_path: Path) -> None:
    """`run-local` takes its chain down in the end: what it fetched stays in the place that it was given."""
    with rig() as r:
        paths = replace(r.paths, caches=tmp_path / "caches")
        r.target = LocalTarget(paths, DictVault({}), data=MemoryData(), drain_sec=5.0, inherited={})
        r.serve(replace(r.spec("one"), cache=CACHE))
        place = paths.run(CHAIN).cache_of("models")
        place.mkdir(parents=True)
        (place / "weights").write_text(json.dumps("heavy"))
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert (place / "weights").is_file()

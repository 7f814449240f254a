"""The volume in which services of a real engine keep what they fetch: theirs to write, kept, gone with the chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainctl.adapters.docker.labels import cache_volume
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_exec import run_in
from chainctl.deploy.release import CacheVolume, ServiceSpec
from tests.docker.target_rig import Rig, engine, image, rig

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]

CACHE = CacheVolume("models", "/var/cache/chainctl", "/app/model_cache")


def said_by(rig: Rig, spec: ServiceSpec, script: str) -> str:
    """What a shell in a service writes, as the user that the service runs as."""
    with Connection.opened(rig.engine) as connection:
        return run_in(connection, spec.name, ["sh", "-c", script]).strip()


def test_what_one_service_fetched_another_of_the_chain_finds(rig: Rig) -> None:
    """Beside it, and after it has gone; it goes with the chain, and nothing of it is in an image."""
    one, two = rig.spec("One", cache=CACHE), rig.spec("Two", cache=CACHE)
    rig.push(rig.desired(one, two))
    assert said_by(rig, one, 'echo heavy > "$CHAINCTL_CACHE/weights" && id -u') == "10001"
    assert said_by(rig, two, 'cat "$CHAINCTL_CACHE/weights"') == "heavy"
    mounts = {m["Destination"]: m for m in rig.inspect(two.name)["Mounts"]}
    assert mounts[CACHE.directory]["Name"] == cache_volume(rig.chain, "models")
    three = rig.spec("Three", "2", cache=CACHE)
    rig.push(rig.desired(three))
    assert said_by(rig, three, 'cat "$CHAINCTL_CACHE/weights"') == "heavy"
    rig.down()
    assert rig.leftovers() == []


def test_each_container_has_folders_of_its_own(rig: Rig) -> None:
    """Links that one makes are not seen by another, be it a replica or an older release."""
    one, two = rig.spec("One", cache=CACHE), rig.spec("Two", cache=CACHE)
    rig.push(rig.desired(one, two))
    linked = 'ln -s "$CHAINCTL_CACHE" "$CHAINCTL_MODEL_CACHE/tiny" && ls /app/model_cache'
    assert said_by(rig, one, linked) == "tiny"
    assert said_by(rig, two, "ls /app/model_cache") == ""


def test_a_volume_that_another_machine_left_is_theirs_to_write_again(rig: Rig) -> None:
    """Services run as the same user on every start; one without a cache has no such place."""
    spec = rig.spec("One", cache=CACHE)
    rig.start(spec)
    rig.stop(spec)
    rig.start(spec)
    assert said_by(rig, spec, 'touch "$CHAINCTL_CACHE/more" && stat -c %u "$CHAINCTL_CACHE"') == "10001"
    plain = replace(rig.spec("Two"), cache=None)
    rig.start(plain)
    assert said_by(rig, plain, "test -e /var/cache/chainctl || echo none") == "none"

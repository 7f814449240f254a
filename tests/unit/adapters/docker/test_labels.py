"""Names and labels of what the engine has for a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainctl.adapters.docker.labels import (
    Role,
    door_name,
    door_volume,
    filler_name,
    fingerprint_in,
    network_name,
    retired_door_name,
    secrets_volume,
    service_labels,
)
from chainctl.deploy.release import Fingerprint, Gpu
from chainctl.errors import UsageError
from tests.unit.adapters.docker.test_observe_body import SPEC


def test_names_are_told_from_the_chain() -> None:
    """Each kind has a suffix of its own, so that none takes the name of another."""
    assert network_name("hello") == "chainctl-hello"
    assert (door_name("hello"), retired_door_name("hello")) == ("hello-door", "hello-door-retired")
    assert door_volume("hello") == "hello-door-config"
    assert (secrets_volume("s"), filler_name("s")) == ("s-secrets", "s-filler")


@pytest.mark.parametrize("chain", ["", "-a", "a b", "a/b", "a" * 64])
def test_what_the_engine_can_not_name_is_refused(chain: str) -> None:
    """Before the engine refuses it with less to say."""
    with pytest.raises(UsageError, match="can not name a chain"):
        network_name(chain)


def test_a_fingerprint_is_read_back() -> None:
    """From labels a target knows what a service was made of, without the release."""
    assert fingerprint_in(service_labels(SPEC)) == SPEC.fingerprint
    assert fingerprint_in({}) == Fingerprint("", "", "")


def test_labels_name_what_people_look_for() -> None:
    """The GPU's model is told where one was asked for."""
    labels = service_labels(replace(SPEC, resources=replace(SPEC.resources, gpu=Gpu("L4", 1))))
    assert labels["chainctl.gpu"] == "L4"
    assert (labels["chainctl.chain"], labels["chainctl.chainlet"]) == ("tchain", "Hello")
    assert (labels["chainctl.service"], labels["chainctl.role"]) == (SPEC.name, Role.SERVICE)
    assert "chainctl.gpu" not in service_labels(SPEC)

"""A swarm of several nodes loses one of them under load."""

from __future__ import annotations

import os

import pytest

from tests.bench.swarm_kill import WHOLE_SEC, measure
from tests.docker.swarm_nodes import NodesUnavailableError

pytestmark = [pytest.mark.docker, pytest.mark.load]


def test_a_node_that_is_lost_costs_no_call_that_could_be_repeated() -> None:
    """Replicas are on every node before, and as many on those that are left, soon after Swarm has noticed."""
    try:
        found = measure(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    except NodesUnavailableError as error:
        pytest.skip(str(error))
    assert found.failed_retryable == 0, found.prose
    assert found.whole_sec - found.rescheduled_sec <= WHOLE_SEC, found.prose

"""How far a service is that starts, and what keeps it from being ready, is told from its objects."""

from __future__ import annotations

from typing import Any

import pytest

from chainctl.adapters.kubernetes.pods import Trouble, trouble_of
from chainctl.adapters.kubernetes.readiness import Standing, previous_of, standing
from tests.unit.adapters.kubernetes.cluster_objects import deployment, pod, replica_set

NO_ROOM = "0/3 nodes are available: 3 Insufficient memory."


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


@pytest.mark.parametrize(
    ("one", "trouble"),
    [
        (pod(), None),
        (pod(is_ready=True, restarts=1, last=ended(1)), None),
        (pod(state=waiting("ContainerCreating")), None),
        (pod(state=waiting("ErrImagePull", "slow registry")), None),
        (
            pod(state=waiting("ImagePullBackOff", 'Back-off pulling image "x"')),
            Trouble('its image can not be had: Back-off pulling image "x"'),
        ),
        (
            pod(state=waiting("CreateContainerConfigError", 'secret "s" not found')),
            Trouble('it was not started: secret "s" not found'),
        ),
        (pod(state=ended(3)), Trouble("exited with code 3", has_log=True)),
        (
            pod(state=waiting("CrashLoopBackOff"), last=ended(137, "OOMKilled"), restarts=1),
            Trouble("was killed: out of memory", has_log=True),
        ),
        (pod(unschedulable=NO_ROOM), Trouble(f"no node takes it: {NO_ROOM}", is_placing=True)),
    ],
)
def test_a_pod_says_what_keeps_it_from_being_ready(one: dict[str, Any], trouble: Trouble | None) -> None:
    """In its own words; what may pass by itself is none."""
    assert trouble_of(one) == trouble


def test_it_is_ready_when_enough_pods_of_the_newest_template_are() -> None:
    """And none of an older one runs any more."""
    sets = [replica_set("t1", 1), replica_set("t2", 2)]
    new, old = pod("new", is_ready=True, template="t2"), pod("old", is_ready=True)
    assert standing(deployment(), sets, [new, old]) == Standing(ready=1)
    assert standing(deployment(), sets, [old]).has(1) is False
    ending = pod("old", is_ready=True, is_ending=True)
    assert standing(deployment(), sets, [new, ending]).has(1)
    assert not standing(deployment(), sets, [new, ending]).has(2)


def test_what_the_controller_has_not_seen_yet_is_not_judged() -> None:
    """What it says then is of what was wanted before."""
    broken = pod(state=ended(1))
    seen = standing(deployment(generation=2, seen=1), [replica_set()], [broken])
    assert (seen.trouble, seen.is_settled) == (None, False)


def test_a_pod_that_is_not_made_is_a_trouble_too() -> None:
    """A quota speaks through the Deployment."""
    said = 'pods "x" is forbidden: exceeded quota: small'
    condition = {"type": "ReplicaFailure", "status": "True", "message": said}
    seen = standing(deployment(conditions=(condition,)), [replica_set()], [])
    assert seen.trouble == Trouble(f"the cluster makes no pod for it: {said}")


def test_the_template_before_is_that_of_the_last_revision_but_one() -> None:
    """Nothing before the first."""
    first, second = replica_set("t1", 9), replica_set("t2", 10)
    assert previous_of([second, first]) is first
    assert previous_of([first]) is None

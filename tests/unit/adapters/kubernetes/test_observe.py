"""What a cluster has of a chain is told as a state."""

from __future__ import annotations

from typing import Any

import pytest

from chainctl.adapters.kubernetes.awaited import Awaited
from chainctl.adapters.kubernetes.objects import closed_network
from chainctl.adapters.kubernetes.observe import ChainObjects, observed_state
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.state import ObservedDoor, ObservedState, ServiceStatus
from tests.unit.adapters.kubernetes.cluster_objects import (
    CHAIN,
    SPEC,
    deployment,
    door,
    door_service,
    entry,
    headless_service,
    pod,
)

CLUSTER = ClusterSettings()
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}
ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}


def state_of(
    *pods: dict[str, Any], replicas: int = 1, awaited: Awaited | None = None
) -> list[tuple[int, ServiceStatus]]:
    found = ChainObjects(deployments=[deployment(replicas=replicas, awaited=awaited)], pods=pods)
    return [(one.replica, one.status) for one in observed_state(CHAIN, found, CLUSTER).services]


def test_nothing_there_is_nothing() -> None:
    """No object, no state."""
    assert observed_state(CHAIN, ChainObjects(), CLUSTER) == ObservedState(CHAIN)


@pytest.mark.parametrize(
    ("pods", "awaited", "status"),
    [
        ([pod(is_ready=True)], None, ServiceStatus.STOPPED),
        ([pod(is_ready=True)], Awaited(1), ServiceStatus.RUNNING),
        ([], Awaited(1), ServiceStatus.RUNNING),
        ([pod()], Awaited(1), ServiceStatus.RUNNING),
        ([pod(state=CRASHED, last=ENDED)], Awaited(1), ServiceStatus.FAILED),
        ([pod(state=CRASHED, last=ENDED)], None, ServiceStatus.FAILED),
        ([pod(is_ready=True, is_ending=True)], None, ServiceStatus.STOPPED),
    ],
)
def test_only_what_was_awaited_runs(
    pods: list[dict[str, Any]], awaited: Awaited | None, status: ServiceStatus
) -> None:
    """What was, the cluster keeps running; what fails again and again does not run."""
    assert state_of(*pods, awaited=awaited) == [(1, status)]


def test_one_that_was_put_aside_is_there_and_does_not_run() -> None:
    """So that the next plan starts it again."""
    assert state_of(replicas=0) == [(1, ServiceStatus.STOPPED)]


def test_replicas_are_counted_and_those_that_are_ready_come_first() -> None:
    """One that the cluster added by itself proves itself by being ready."""
    pods = [pod("a"), pod("b", is_ready=True), pod("c", is_ready=True)]
    assert state_of(*pods, replicas=3, awaited=Awaited(1)) == [
        (1, ServiceStatus.RUNNING),
        (2, ServiceStatus.RUNNING),
        (3, ServiceStatus.STOPPED),
    ]


def test_values_are_those_that_were_awaited() -> None:
    """A renewal that was cut off is seen as not done, whatever the Deployment was told."""
    found = ChainObjects(deployments=[deployment(awaited=Awaited(1, "old", "old/image"))])
    (one,) = observed_state(CHAIN, found, CLUSTER).services
    assert (one.name, one.chainlet, one.fingerprint) == (SPEC.name, "Hello", SPEC.fingerprint)
    assert (one.secrets, one.image) == ("old", "old/image")


def test_a_name_without_a_deployment_is_a_service_that_stopped() -> None:
    """Its removal, or its start, was cut off."""
    (one,) = observed_state(CHAIN, ChainObjects(services=[headless_service()]), CLUSTER).services
    assert (one.name, one.chainlet, one.status) == (SPEC.name, "Hello", ServiceStatus.STOPPED)


def test_a_door_leads_where_its_entry_selects() -> None:
    """Over as many replicas as there are."""
    found = ChainObjects(
        deployments=[deployment(replicas=2, awaited=Awaited(2)), door()],
        services=[door_service(), entry(SPEC.name)],
        policies=[closed_network("shop-network", CHAIN)],
    )
    seen = observed_state(CHAIN, found, CLUSTER)
    assert seen.front_door == ObservedDoor("http://10.0.0.7", "d1", SPEC.name, replicas=2)
    assert seen.has_network
    assert seen.rolls


def test_a_door_without_a_route_or_a_pod() -> None:
    """It leads nowhere, and does not run."""
    found = ChainObjects(deployments=[door(available=0, has_tls=True)], services=[door_service(8443)])
    seen = observed_state(CHAIN, found, CLUSTER).front_door
    assert seen == ObservedDoor("https://10.0.0.7:8443", "d1", None, ServiceStatus.STOPPED)


def test_with_an_ingress_its_host_is_the_address() -> None:
    """Whatever the address within the cluster is."""
    cluster = ClusterSettings(ingress_host="shop.example", ingress_tls_secret="cert")
    found = ChainObjects(deployments=[door()], services=[door_service()])
    seen = observed_state(CHAIN, found, cluster).front_door
    assert seen is not None
    assert seen.url == "https://shop.example"

"""What a cluster knows decides what it is asked for; amounts and refusals are read as they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chainctl.adapters.kubernetes.api_error import ForbiddenError, refused
from chainctl.adapters.kubernetes.capacity import capacity_of, quantity
from chainctl.adapters.kubernetes.door import led_to
from chainctl.adapters.kubernetes.kinds import api_version, collection, known_versions
from chainctl.adapters.kubernetes.logs import taken_apart
from chainctl.deploy.kubernetes.settings import ApiVersions
from chainctl.deploy.state import Capacity
from chainctl.errors import DeployError, EngineError


def groups(*versions: str) -> dict[str, object]:
    return {"groups": [{"versions": [{"groupVersion": version}]} for version in versions]}


def test_the_newest_version_that_is_there_is_used() -> None:
    """An old cluster has older ones, and of some kinds none."""
    old = groups("autoscaling/v1", "autoscaling/v2beta2", "policy/v1beta1", "networking.k8s.io/v1")
    assert known_versions(old) == ApiVersions("autoscaling/v2beta2", "policy/v1beta1", "networking.k8s.io/v1")
    assert known_versions(groups("autoscaling/v2", "policy/v1")) == ApiVersions(
        "autoscaling/v2", "policy/v1", ""
    )


def test_objects_are_found_where_their_version_is() -> None:
    """The first group of all has a path of its own."""
    assert collection("Pod", "v1", "n") == "/api/v1/namespaces/n/pods"
    assert collection("Deployment", "apps/v1", "n") == "/apis/apps/v1/namespaces/n/deployments"
    assert collection("Node", "v1", "n") == "/api/v1/nodes"
    assert api_version("PodDisruptionBudget", ApiVersions(pdb="policy/v1beta1")) == "policy/v1beta1"


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4", 4), ("500m", "0.5"), ("2Gi", 2 << 30), ("1k", 1000), ("24628352Ki", 24628352 << 10)],
)
def test_an_amount_is_read(text: str, amount: int | str) -> None:
    """As Kubernetes writes it."""
    assert quantity(text) == Decimal(amount)


def test_what_all_nodes_give_away_counts() -> None:
    """No node at all tells nothing."""
    small = {"status": {"allocatable": {"cpu": "8", "memory": "1Gi"}}}
    large = {"status": {"allocatable": {"cpu": "3900m", "memory": "4Gi", "nvidia.com/gpu": "2"}}}
    assert capacity_of([small, large]) == Capacity(5 << 30, 2, 11)
    assert capacity_of([]) == Capacity()


def test_what_a_door_has_found_healthy_is_where_it_leads() -> None:
    """Others keep the address that they had."""
    said = "# pxname,svname,status,addr,\nlive,s1,UP,10.0.0.1:8080,\nlive,s2,MAINT (resolution),10.0.0.2:8080,\n\n"
    assert led_to(said) == {"10.0.0.1"}
    assert led_to("no answer") == set()


def test_a_line_of_a_log_begins_with_its_time() -> None:
    """What has none is of the node, which could not read one."""
    assert taken_apart(b"2026-01-02T03:04:05.123456789Z hello you") == (
        "2026-01-02T03:04:05.123456789Z",
        "hello you",
    )
    assert taken_apart(b"unable to retrieve container logs for docker://ab") is None
    assert taken_apart(b"") is None


@pytest.mark.parametrize(
    ("status", "said", "is_change", "kind", "words"),
    [
        (403, "exceeded quota: small", True, DeployError, "no room"),
        (403, 'cannot create resource "deployments"', True, DeployError, "You may not write Deployment x"),
        (403, 'cannot list resource "pods"', False, ForbiddenError, "You may not"),
        (401, "Unauthorized", True, EngineError, "does not know who asks"),
        (422, "spec is invalid", True, DeployError, "refused to write Deployment x: spec is invalid"),
        (503, "etcd is away", True, EngineError, "could not write"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(
    status: int, said: str, is_change: bool, kind: type[Exception], words: str
) -> None:
    """What was to be changed is taken back by who asked; what was only asked is not."""
    body = f'{{"message": {said!r}}}'.replace("'", '"') if '"' not in said else said
    error = refused(status, body.encode(), "write Deployment x", "shop", is_change=is_change)
    assert type(error) is kind
    assert words in error.message
    assert error.hint or status == 422

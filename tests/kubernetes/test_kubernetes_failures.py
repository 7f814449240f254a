"""What a cluster refuses is said in words, with the pod's own reason, and nothing of the old release is lost."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.deploy.operations import EnsureNetwork, StartService
from chainctl.deploy.release import Resources, SecretRef, ServiceSpec
from chainctl.deploy.state import DesiredState, ServiceStatus
from chainctl.errors import ChainctlError, DeployError, EngineError
from tests.kubernetes.cluster_rig import ClusterRig, desired, image, namespace, rig

pytestmark = pytest.mark.kubernetes
__all__ = ["image", "namespace", "rig"]


def failure(rig: ClusterRig, wanted: DesiredState) -> tuple[ChainctlError, float]:
    begun = time.monotonic()
    with pytest.raises(ChainctlError) as raised:
        rig.push(wanted)
    return raised.value, time.monotonic() - begun


def require_still_serving(rig: ClusterRig, spec: ServiceSpec) -> None:
    seen = rig.target.observe(rig.chain)
    assert seen.front_door is not None
    assert seen.front_door.route == spec.name
    assert [s.status for s in seen.services if s.name == spec.name] == [ServiceStatus.RUNNING]


def test_a_broken_release_leaves_the_old_one_alone(rig: ClusterRig) -> None:
    """An image that is nowhere, a node that is too small, a process that ends: each is named within seconds."""
    old = rig.spec("Hello", "one")
    rig.push(desired(old))
    missing = rig.spec("Hello", "two", image="127.0.0.1:1/no/such:image")
    huge = rig.spec("Hello", "three", resources=Resources(900.0, 1 << 45, 64))
    for broken, words in (
        (missing, "its image can not be had"),
        (huge, "Insufficient cpu"),
        (replace(rig.fake("crash"), chainlet="Hello"), "exited with code 3"),
    ):
        error, seconds = failure(rig, desired(broken))
        assert isinstance(error, DeployError)
        assert words in error.message
        assert error.hint
        assert seconds < 45
        require_still_serving(rig, old)
    assert "no model here" in "\n".join(error.details)


def test_a_renewal_that_fails_runs_with_the_old_values_again(rig: ClusterRig) -> None:
    """The cluster never takes the old pod away before a new one is ready."""
    old = rig.spec("Hello", "one")
    rig.push(desired(old))
    broken = replace(
        old, secrets=(SecretRef("hf_key", "f2"),), image="127.0.0.1:1/no/such:image", start_timeout_sec=40
    )
    error, _ = failure(rig, desired(broken))
    assert "its image can not be had" in error.message
    require_still_serving(rig, old)
    assert rig.target.observe(rig.chain).services[0].secrets == old.secrets_digest


def test_a_quota_is_named(rig: ClusterRig) -> None:
    """Before anything is changed where the chain never fits in, and by the Deployment, which makes no pod then."""
    rig.limit({"limits.memory": "64Mi"})
    with pytest.raises(DeployError, match=r"The quota small of the namespace allows 64Mi of limits\.memory"):
        rig.target.require_places([rig.spec()])
    error, _ = failure(rig, desired(rig.spec()))
    assert "exceeded quota" in error.message


def test_what_no_node_has_is_told_first(rig: ClusterRig) -> None:
    """Nodes may come, so it is no error; what one has is no doubt."""
    assert rig.target.require_places([rig.spec()]) == ()
    wanting = rig.spec(node_labels=(("disk", "none"),)), rig.spec(resources=Resources(900.0, 1 << 20, 64))
    first, second = rig.target.require_places(wanting)
    assert first.startswith("No node has the label disk=none")
    assert second.startswith("225 of cpu asked for, and the largest node has")


def test_who_may_not_is_told_what(rig: ClusterRig) -> None:
    """The verb, the kind and the namespace; nothing is changed."""
    admin = Path(rig.kubeconfig_path)
    stranger = replace(rig, kubeconfig=admin.with_name("nobody.kubeconfig"))
    with pytest.raises(EngineError, match="You may not list Deployment objects") as raised:
        stranger.target.observe(rig.chain)
    assert rig.namespace in raised.value.message
    with pytest.raises(DeployError, match="You may not write NetworkPolicy"):
        stranger.apply(EnsureNetwork(rig.chain, "test"))
    assert stranger.target.capacity().memory_bytes is None
    with pytest.raises(DeployError, match="You may not do all that a push does") as refused:
        stranger.target.require_places([rig.spec()])
    assert "get, list, create, patch, update, delete deployments.apps" in refused.value.details


def test_no_cluster_is_an_error_with_a_way_out(rig: ClusterRig, tmp_path: Path) -> None:
    """One that does not listen, a file that is not there, a context that nobody knows."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    away = tmp_path / "config"
    away.write_text(Path(rig.kubeconfig_path).read_text().replace(":16443", f":{port}"))
    with pytest.raises(EngineError, match="No Kubernetes cluster answers"):
        replace(rig, kubeconfig=away).target.observe(rig.chain)
    with pytest.raises(EngineError, match="names no cluster"):
        replace(rig, kubeconfig=tmp_path / "missing").target.observe(rig.chain)


def test_secrets_are_files_and_nowhere_else(rig: ClusterRig) -> None:
    """The value is in a Secret, and in no other object of the namespace; what nobody uses any more goes."""
    spec = rig.spec()
    rig.push(desired(spec))
    value = f"value-of-hf_key-{rig.chain}"
    for kind in ("Deployment", "Pod", "ReplicaSet", "Service", "ConfigMap", "NetworkPolicy"):
        assert value not in str(rig.api.list(kind))
    rotated = replace(spec, secrets=(SecretRef("hf_key", "f2"),))
    before = {one["metadata"]["name"] for one in rig.secret_objects()}
    rig.push(desired(rotated))
    after = {one["metadata"]["name"] for one in rig.secret_objects()}
    assert len(before) == len(after) == 2  # the service's and the door's
    assert before != after


def test_the_door_speaks_for_the_chain(rig: ClusterRig) -> None:
    """Called at its address: the service that has the route answers, with the token that the door sets."""
    first, second = rig.spec("Hello", "one"), rig.spec("Hello", "two")
    for spec in (first, second):
        rig.push(desired(spec))
        assert rig.called() == spec.name
    assert f'"service": "{second.name}"' in rig.called_through_the_api()


def test_a_start_that_was_cut_off_is_seen(rig: ClusterRig) -> None:
    """It is there, does not run, and the next push goes on with it."""
    spec = rig.spec()
    rig.apply(EnsureNetwork(rig.chain, "test"), StartService(spec, "test"))
    assert [s.status for s in rig.target.observe(rig.chain).services] == [ServiceStatus.STOPPED]
    rig.push(desired(spec))
    require_still_serving(rig, spec)

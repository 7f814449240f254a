"""A Kubernetes cluster keeps the contracts of a target."""

from __future__ import annotations

import pytest

from chainctl.deploy.operations import AwaitReady, EnsureNetwork, SplitRoute, StartService
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError
from tests.contract.deploy_target import (
    CHAIN,
    AskedTargetContract,
    DeployTargetContract,
    FailingTargetContract,
    SpecOf,
)
from tests.fakes.chains import silent
from tests.kubernetes.cluster_rig import ClusterRig, image, namespace, rig

pytestmark = pytest.mark.kubernetes
__all__ = ["image", "namespace", "rig"]


class ClusterTarget:
    """What all suites need: a namespace of its own for the chain of the contract."""

    @pytest.fixture
    def target(self, rig: ClusterRig) -> DeployTarget:
        return rig.target


class TestKubernetesTarget(ClusterTarget, DeployTargetContract):
    """Deployments of one namespace."""

    @pytest.fixture
    def spec_of(self, rig: ClusterRig) -> SpecOf:
        return lambda name: rig.spec("Hello", name)

    def test_traffic_is_not_split(self, target: DeployTarget) -> None:
        """Which is said in words before anything is led elsewhere."""
        with pytest.raises(DeployError, match="can not be split"):
            target.apply(SplitRoute(CHAIN, "new", "old", 10, "the contract asks for it"), silent)
        assert target.traffic(CHAIN) == {}


class TestFailingKubernetesTarget(ClusterTarget, FailingTargetContract):
    """A pod that ends before it is ready."""

    @pytest.fixture
    def failing_spec(self, rig: ClusterRig) -> ServiceSpec:
        return rig.fake("crash")


class TestAskedKubernetesTarget(ClusterTarget, AskedTargetContract):
    """Asked by a command in the pod."""

    @pytest.fixture
    def running(self, rig: ClusterRig, target: DeployTarget) -> ServiceSpec:
        spec = rig.spec("Hello", "1")
        for operation in (
            EnsureNetwork(CHAIN, "test"),
            StartService(spec, "test"),
            AwaitReady(spec, "test"),
        ):
            target.apply(operation, silent)
        return spec

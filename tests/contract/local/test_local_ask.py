"""The local target asks its services as every target does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chainctl.deploy.operations import AwaitReady, EnsureNetwork, StartService
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DeployTarget
from tests.contract.deploy_target import AskedTargetContract
from tests.contract.local.local_rig import CAUSE, CHAIN, Rig, rig


class TestAskedLocalTarget(AskedTargetContract):
    """Real processes, each on its socket."""

    @pytest.fixture
    def made(self) -> Iterator[Rig]:
        with rig() as made:
            yield made

    @pytest.fixture
    def target(self, made: Rig) -> DeployTarget:
        return made.target

    @pytest.fixture
    def running(self, made: Rig) -> ServiceSpec:
        spec = made.spec("one")
        made.apply(EnsureNetwork(CHAIN, CAUSE), StartService(spec, CAUSE), AwaitReady(spec, CAUSE))
        return spec

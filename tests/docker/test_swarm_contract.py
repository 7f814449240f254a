"""A Docker Swarm keeps the contract of a target."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DeployTarget, LogSource
from tests.contract.deploy_target import (
    AskedTargetContract,
    FailingTargetContract,
    SpecOf,
    SplittingTargetContract,
)
from tests.contract.log_source import LogSourceContract
from tests.docker.swarm_rig import SwarmRig, engine, image, swarm, swarm_rig
from tests.docker.written_logs import written

pytestmark = pytest.mark.docker
CHAIN = "contract-swarm"  # the one of the Docker target is on the same engine
__all__ = ["engine", "image", "swarm", "swarm_rig"]


class OnSwarm:
    """What the suites need: the chain of the contract, swept in the end whatever happened."""

    chain = CHAIN

    @pytest.fixture
    def made(self, swarm: Engine, image: str) -> Iterator[SwarmRig]:
        made = SwarmRig(swarm, image, chain=CHAIN)
        yield made
        made.sweep()

    @pytest.fixture
    def target(self, made: SwarmRig) -> DeployTarget:
        return made.target


@pytest.mark.swarm
class TestSwarmTarget(OnSwarm, SplittingTargetContract):
    """Services of a swarm."""

    @pytest.fixture
    def spec_of(self, made: SwarmRig) -> SpecOf:
        return lambda name: made.spec("Hello", name)


class TestFailingSwarmTarget(OnSwarm, FailingTargetContract):
    """A task that ends before it is ready."""

    @pytest.fixture
    def failing_spec(self, made: SwarmRig) -> ServiceSpec:
        return made.fake("crash")


class TestAskedSwarmTarget(AskedTargetContract):
    """Real tasks, asked from within their network."""

    @pytest.fixture
    def target(self, swarm_rig: SwarmRig) -> DeployTarget:
        return swarm_rig.target

    @pytest.fixture
    def running(self, swarm_rig: SwarmRig) -> ServiceSpec:
        spec: ServiceSpec = swarm_rig.spec()
        swarm_rig.start(spec)
        return spec


@pytest.fixture(scope="module")
def has_written(swarm: Engine, image: str) -> Iterator[LogSource]:
    """A chain with the log of the contract."""
    made = SwarmRig(swarm, image, chain=CHAIN)
    yield written(made)
    made.sweep()


class TestSwarmLogs(LogSourceContract):
    """Lines of tasks."""

    chain = CHAIN

    @pytest.fixture
    def source(self, has_written: LogSource) -> LogSource:
        return has_written

"""A Docker Engine keeps the contract of a target."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DeployTarget, LogSource
from tests.contract.deploy_target import CHAIN, FailingTargetContract, SpecOf, SplittingTargetContract
from tests.contract.log_source import LogSourceContract
from tests.docker.target_rig import Rig, engine, image
from tests.docker.written_logs import written

pytestmark = pytest.mark.docker
__all__ = ["engine", "image"]


class EngineTarget:
    """What both suites need: the chain of the contract, swept in the end whatever happened."""

    @pytest.fixture
    def made(self, engine: Engine, image: str) -> Iterator[Rig]:
        made = Rig(engine, image, chain=CHAIN)
        yield made
        made.sweep()

    @pytest.fixture
    def target(self, made: Rig) -> DeployTarget:
        return made.target


class TestDockerTarget(EngineTarget, SplittingTargetContract):
    """Containers of one engine."""

    @pytest.fixture
    def spec_of(self, made: Rig) -> SpecOf:
        return lambda name: made.spec("Hello", name)


class TestFailingDockerTarget(EngineTarget, FailingTargetContract):
    """A container that ends before it is ready."""

    @pytest.fixture
    def failing_spec(self, made: Rig) -> ServiceSpec:
        return made.fake("crash")


@pytest.fixture(scope="module")
def has_written(engine: Engine, image: str) -> Iterator[LogSource]:
    """A chain with the log of the contract."""
    made = Rig(engine, image, chain=CHAIN)
    yield written(made)
    made.sweep()


class TestDockerLogs(LogSourceContract):
    """Lines of containers."""

    @pytest.fixture
    def source(self, has_written: LogSource) -> LogSource:
        return has_written

"""The fakes keep the contracts, so that what passes with them means something."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.adapters.vault import SecretSources, Vault
from chainctl.build.backend import BuildBackend
from chainctl.build.plan import ImagePlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.deploy.operations import EnsureNetwork, StartService
from chainctl.deploy.release import Fingerprint, Resources, ServiceSpec
from chainctl.deploy.target import DeployTarget, LogLine, LogSource
from tests.contract.build_backend import BuildBackendContract, CancellableBackendContract
from tests.contract.deploy_target import (
    CHAIN,
    AskedTargetContract,
    FailingTargetContract,
    SpecOf,
    SplittingTargetContract,
)
from tests.contract.log_source import CHAIN as LOGGED
from tests.contract.log_source import LINES, LogSourceContract
from tests.contract.vault import VALUE, FullVault, VaultContract
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import graph_of, silent, snapshot_of
from tests.fakes.logs import MemoryLogs
from tests.fakes.target import MemoryTarget
from tests.fakes.vault import MemoryVault


def spec_of(name: str) -> ServiceSpec:
    """A service of the contract's chain."""
    return ServiceSpec(
        name=f"{CHAIN}-{name}",
        chain=CHAIN,
        chainlet="Chainlet",
        image=f"{CHAIN}/chainlet:{name}",
        resources=Resources(cpus=1, memory_bytes=2**20, pids=10),
        env=(),
        secrets=(),
        calls=(),
        start_timeout_sec=1.0,
        fingerprint=Fingerprint(image=name, config="c", calls="c"),
    )


class TestMemoryTarget(SplittingTargetContract):
    """The target in memory keeps the contract."""

    @pytest.fixture
    def target(self) -> DeployTarget:
        return MemoryTarget()

    @pytest.fixture
    def spec_of(self) -> SpecOf:
        return spec_of


class TestAskedMemoryTarget(AskedTargetContract):
    """So it does when a service is asked."""

    @pytest.fixture
    def target(self) -> DeployTarget:
        return MemoryTarget()

    @pytest.fixture
    def running(self, target: DeployTarget) -> ServiceSpec:
        spec = spec_of("one")
        for operation in (EnsureNetwork(CHAIN, "test"), StartService(spec, "test")):
            target.apply(operation, silent)
        return spec


class TestFailingMemoryTarget(FailingTargetContract):
    """So it does when a service never becomes ready."""

    @pytest.fixture
    def target(self) -> DeployTarget:
        return MemoryTarget(never_ready=["Chainlet"])

    @pytest.fixture
    def failing_spec(self) -> ServiceSpec:
        return spec_of("one")


class TestMemoryBackend(BuildBackendContract, CancellableBackendContract):
    """The builder in memory keeps the contract."""

    @pytest.fixture
    def backend(self) -> BuildBackend:
        return MemoryBackend()

    @pytest.fixture
    def image(self) -> ImagePlan:
        return plan_build(graph_of({"One": []}), "shop", snapshot_of(), BuildSettings()).images[0]


class TestMemoryLogs(LogSourceContract):
    """The log in memory keeps the contract."""

    @pytest.fixture
    def source(self) -> LogSource:
        lines = [(LOGGED, LogLine(time, name, f"s-{name}", text)) for time, name, text in reversed(LINES)]
        return MemoryLogs([*lines, ("other", LogLine(11.5, "One", "s", "another chain's"))])


class TestMemoryVault(VaultContract):
    """The vault in memory keeps the contract."""

    @pytest.fixture
    def vault(self) -> FullVault:
        return MemoryVault({"KEY": VALUE})


class TestRealVault(VaultContract):
    """So does the real one."""

    @pytest.fixture
    def vault(self, tmp_path: Path) -> FullVault:
        sources = SecretSources({"CHAINCTL_SECRET_KEY": VALUE.decode()}, None, tmp_path)
        return Vault(sources, lambda chain: f"token-of-{chain}")

"""The local target keeps the contract of a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chainctl.deploy.execute import execute
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import nothing
from chainctl.deploy.target import DeployTarget
from tests.contract.deploy_target import CHAIN, SECRET, FailingTargetContract, SpecOf, SplittingTargetContract
from tests.contract.local.local_rig import Rig, rig
from tests.fakes.chains import silent


def spec_in_contract(made: Rig, name: str, **env: str) -> ServiceSpec:
    return replace(made.spec(name), chain=CHAIN, chainlet="Shim", env=tuple(sorted(env.items())))


class LocalTarget:
    """What both suites need: a target of their own, on which nothing is left in the end."""

    @pytest.fixture
    def made(self) -> Iterator[Rig]:
        with rig(secrets={SECRET: b"a value"}) as made:
            yield made
            target = made.target
            execute(reconcile(nothing(CHAIN), target.observe(CHAIN)), target, silent, lambda: 0.0)

    @pytest.fixture
    def target(self, made: Rig) -> DeployTarget:
        return made.target


class TestLocalTarget(LocalTarget, SplittingTargetContract):
    """Processes of this machine."""

    @pytest.fixture
    def spec_of(self, made: Rig) -> SpecOf:
        return lambda name: spec_in_contract(made, name)


class TestFailingLocalTarget(LocalTarget, FailingTargetContract):
    """A process that ends before it is ready."""

    @pytest.fixture
    def failing_spec(self, made: Rig) -> ServiceSpec:
        return spec_in_contract(made, "broken", FAIL="1")

"""The Docker target asks its services as every target does; their token stays where it is."""

from __future__ import annotations

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.target import DeployTarget
from tests.contract.deploy_target import AskedTargetContract
from tests.docker.target_rig import Rig, engine, image, rig

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]


class TestAskedDockerTarget(AskedTargetContract):
    """Real containers, each asked from within."""

    @pytest.fixture
    def target(self, rig: Rig) -> DeployTarget:
        return rig.target

    @pytest.fixture
    def running(self, rig: Rig) -> ServiceSpec:
        spec = rig.spec()
        rig.start(spec)
        return spec


def test_the_token_is_in_no_argument(rig: Rig, engine: Engine) -> None:
    """What a container runs can be read by everybody on its machine."""
    spec = rig.spec()
    rig.start(spec)
    rig.target.ask(rig.chain, spec.name, "/-/spans")
    with engine.client() as client:
        ids = client.inspect_container(spec.name)["ExecIDs"] or []
        commands = [client.exec_inspect(one)["ProcessConfig"]["arguments"] for one in ids]
    assert not any(rig.vault.token(rig.chain) in " ".join(arguments) for arguments in commands)

"""A real cluster in; one namespace of it for fake chainlets, swept away afterwards, out."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import chainctl.server.probe
from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.kubernetes.api import Api, connect
from chainctl.adapters.kubernetes.settings import KubernetesSettings
from chainctl.adapters.kubernetes.target import KubernetesTarget
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.deploy.execute import execute
from chainctl.deploy.kubernetes.names import CHAIN
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.operations import Operation
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Fingerprint, FrontDoor, Resources, SecretRef, ServiceSpec, service_name
from chainctl.deploy.state import DesiredState
from tests.docker.target_rig import BASE, DOCKERFILE, SHIM, FakeVault, call, waited_for
from tests.fakes.chains import silent
from tests.fakes.data import MemoryData

MIB = 1 << 20
LIMITS = Resources(cpus=0.1, memory_bytes=96 * MIB, pids=64)
DRAIN_SEC = 2.0


@dataclass(frozen=True)
class ClusterRig:
    """One chain of fake chainlets in one namespace."""

    namespace: str
    image: str
    chain: str = "contract"
    kubeconfig: Path | None = None
    secrets: dict[str, bytes] = field(default_factory=dict)
    data: MemoryData = field(default_factory=MemoryData)

    @property
    def settings(self) -> KubernetesSettings:
        cluster = ClusterSettings(namespace=self.namespace, drain_sec=DRAIN_SEC)
        return KubernetesSettings(kubeconfig=self.kubeconfig, cluster=cluster)

    @property
    def api(self) -> Api:
        return Api(self.settings)

    @property
    def target(self) -> KubernetesTarget:
        return KubernetesTarget(self.settings, FakeVault(self.chain, self.secrets), data=self.data)

    def spec(self, chainlet: str = "Hello", version: str = "1", **more: Any) -> ServiceSpec:
        fingerprint = Fingerprint(self.image, version, "0")
        spec = ServiceSpec(
            name=service_name(self.chain, chainlet, fingerprint),
            chain=self.chain,
            chainlet=chainlet,
            image=self.image,
            resources=LIMITS,
            env=(("VERSION", version),),
            secrets=(SecretRef("hf_key", "f1"),),
            calls=(),
            start_timeout_sec=60,
            fingerprint=fingerprint,
        )
        return replace(spec, **more)

    def fake(self, how: str, **more: Any) -> ServiceSpec:
        return self.spec("Broken", how, env=(("FAKE", how),), **more)

    def apply(self, *operations: Operation) -> None:
        for operation in operations:
            self.target.apply(operation, silent)

    @property
    def kubeconfig_path(self) -> str:
        return os.environ["KUBECONFIG"]

    def secret_objects(self) -> list[dict[str, Any]]:
        return self.api.list("Secret", {CHAIN: self.chain})

    def limit(self, hard: dict[str, str]) -> None:
        """Give the namespace a quota, and wait until it is in force."""
        from kubernetes.client import CoreV1Api, V1ObjectMeta, V1ResourceQuota, V1ResourceQuotaSpec

        with connect(KubernetesSettings()) as client:
            core = CoreV1Api(client)
            quota = V1ResourceQuota(metadata=V1ObjectMeta(name="small"), spec=V1ResourceQuotaSpec(hard=hard))
            core.create_namespaced_resource_quota(self.namespace, quota)

            def is_in_force() -> bool:
                status = core.read_namespaced_resource_quota("small", self.namespace).status
                return bool(status and status.hard)

            waited_for(is_in_force)

    def called(self) -> str:
        """Return the service that answers at the address of the front door."""
        door = self.target.observe(self.chain).front_door
        assert door is not None
        return str(call(door.url).json["service"])

    def called_through_the_api(self) -> str:
        """Return what the front door answers to one who only reaches the API."""
        connection = self.target.connect(self.chain)
        assert connection is not None
        with connection:
            connection.sendall(b"GET /run_remote HTTP/1.1\r\nhost: door\r\nconnection: close\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def push(self, wanted: DesiredState) -> DeployPlan:
        plan = reconcile(wanted, self.target.observe(self.chain))
        execute(plan, self.target, silent, time.monotonic)
        return plan


def desired(*services: ServiceSpec) -> DesiredState:
    """Return the state of a release whose entrypoint is the last service."""
    return DesiredState(services[0].chain, services, services[-1].name, FrontDoor())


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """The image of the fake chainlet, on the engine of the cluster's one node."""
    environ = {"DOCKER_HOST": os.environ["CHAINCTL_TEST_CLUSTER_ENGINE"]}
    engine = Engine.connect(EngineAddress.resolve(environ, docker_config_dir(environ, Path.home())))
    probe = Path(str(chainctl.server.probe.__file__)).read_text()
    files = {"Dockerfile": DOCKERFILE, "probe.py": probe, "shim.py": SHIM}
    context = BuildContext.of([ContextFile.of_text(path, text) for path, text in files.items()])
    ref = ImageRef("chainctl-test/fake", uuid.uuid4().hex[:12])
    DockerBuildBackend(engine).build(ImagePlan("Fake", ref, context, BASE), silent)
    yield str(ref)
    with engine.client() as client:
        client.remove_image(str(ref), force=True)


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace of its own for each test; its pods give their room up at once in the end."""
    from kubernetes.client import CoreV1Api, V1Namespace, V1ObjectMeta

    name = f"chainctl-test-{uuid.uuid4().hex[:8]}"
    with connect(KubernetesSettings()) as client:
        core = CoreV1Api(client)
        core.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
        yield name
        core.delete_namespace(name)
        core.delete_collection_namespaced_pod(name, grace_period_seconds=0)


@pytest.fixture
def rig(namespace: str, image: str) -> ClusterRig:
    return ClusterRig(namespace, image)

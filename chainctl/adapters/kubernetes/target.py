"""Operations in; the objects of one namespace of a Kubernetes cluster changed out. The target "kubernetes"."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.ask import ask_service, call_service
from chainctl.adapters.kubernetes.capacity import cluster_capacity
from chainctl.adapters.kubernetes.control import open_control
from chainctl.adapters.kubernetes.door import ensure_front_door, remove_front_door, route_to
from chainctl.adapters.kubernetes.door_connection import connect_door
from chainctl.adapters.kubernetes.logs import read_logs
from chainctl.adapters.kubernetes.objects import closed_network, network_name
from chainctl.adapters.kubernetes.observe import (
    ChainObjects,
    annotations_of,
    labels_of,
    observed_state,
)
from chainctl.adapters.kubernetes.places import doubts, require_limits, require_quotas
from chainctl.adapters.kubernetes.readiness import await_ready
from chainctl.adapters.kubernetes.rights import require_rights
from chainctl.adapters.kubernetes.services import start_service, stop_service, sweep
from chainctl.adapters.kubernetes.settings import KubernetesSettings
from chainctl.deploy.canary import Traffic
from chainctl.deploy.devices import HostDevices
from chainctl.deploy.kubernetes.names import (
    CHAIN,
    MANAGED_BY,
    MANAGER,
    chain_labels,
    door_name,
    require_names,
)
from chainctl.deploy.kubernetes.nodes import require_labels
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import Capacity, ObservedState
from chainctl.deploy.target import Control, DataSource, LogLine, Vault
from chainctl.errors import DeployError
from chainctl.events import Emit

_ENDING_SPARE_SEC = 15.0


class KubernetesTarget:
    """Runs chains as Deployments of one namespace, HAProxy in front of each.

    How long requests may finish is `settings.cluster.drain_sec`. Nothing is asked before the first question.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        vault: Vault,
        *,
        data: DataSource,
        name: str = "kubernetes",
    ) -> None:
        self._name = name
        self._api = Api(settings)
        self._vault = vault
        self._data = data
        self._grace_sec = settings.cluster.drain_sec + _ENDING_SPARE_SEC

    @property
    def name(self) -> str:
        return self._name

    @property
    def pulls(self) -> bool:
        return True

    def chains(self) -> list[str]:
        mine = {MANAGED_BY: MANAGER}
        found = [*self._api.list("Deployment", mine), *self._api.list("NetworkPolicy", mine)]
        return sorted(
            {annotations_of(one).get(CHAIN) or labels_of(one).get(CHAIN, "") for one in found} - {""}
        )

    def observe(self, chain: str) -> ObservedState:
        """Ask four questions, however large the chain is."""
        require_names(chain)
        mine = chain_labels(chain)
        kinds = ("Deployment", "Pod", "Service", "NetworkPolicy")
        found = ChainObjects(*(self._api.list(kind, mine) for kind in kinds))
        return observed_state(chain, found, self._api.cluster())

    def apply(self, operation: Operation, emit: Emit) -> None:
        """Make it so. Raises DeployError, EngineError, and MissingSecretError before a change."""
        api = self._api
        match operation:
            case EnsureNetwork(chain=chain):
                api.apply(closed_network(network_name(chain, door_name(chain)), chain))
            case StartService(service=spec, replica=replica):
                start_service(api, spec, replica, self._vault, self._data)
            case AwaitReady(service=spec, replica=replica):
                await_ready(api, spec, replica)
            case EnsureFrontDoor(chain=chain, front_door=door):
                ensure_front_door(api, chain, door, self._vault)
            case Route(chain=chain, service=service):
                route_to(api, chain, service)
            case SplitRoute():
                raise _no_split(operation)
            case StopService(chain=chain, service=service, replica=replica):
                stop_service(api, chain, service, replica, self._grace_sec)
            case RemoveFrontDoor(chain=chain):
                remove_front_door(api, chain, self._grace_sec)
            case RemoveNetwork(chain=chain):
                sweep(api, chain, everything=True)
                for claim in api.list("PersistentVolumeClaim", chain_labels(chain)):
                    api.delete("PersistentVolumeClaim", claim["metadata"]["name"])
                api.delete("NetworkPolicy", network_name(chain, door_name(chain)))
            case PassGates() | TurnCallers():
                return
            case _:
                assert_never(operation)

    def gpus(self) -> HostDevices | None:
        """Return None: the cluster says which pod gets which GPU."""
        return None

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Check the namespace, what one may do in it, and its quotas and limits; nodes come and go, and give doubts."""
        for service in services:
            require_labels(service)
        api = self._api
        api.require_namespace()
        require_rights(api, has_ingress=api.cluster().ingress_host is not None)
        require_quotas(services, api.visible("ResourceQuota"))
        require_limits(services, api.visible("LimitRange"))
        return tuple(doubts(services, api.visible("Node")))

    def capacity(self) -> Capacity:
        return cluster_capacity(self._api)

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        """Return nothing: no traffic is ever split."""
        return {}

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        return call_service(self._api, chain, service, body, timeout_sec)

    def ask(self, chain: str, service: str, path: str) -> bytes:
        return ask_service(self._api, chain, service, path)

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Return nothing: the cluster's own autoscaler follows the load."""
        return Loads()

    def connect(self, chain: str) -> socket.socket | None:
        return connect_door(self._api, chain)

    def control(self, chain: str, service: str, replica: int = 1) -> Control:
        return open_control(self._api, chain, service, replica)

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        return read_logs(self._api, chain, chainlets=chainlets, since=since, tail=tail, follow=follow)


def _no_split(operation: SplitRoute) -> DeployError:
    return DeployError(
        f"The traffic of {operation.chain} can not be split on Kubernetes",
        hint="push without `--canary`: the flip waits until every replica is ready, and for the chain's tests",
    )

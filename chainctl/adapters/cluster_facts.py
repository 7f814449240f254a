"""What `doctor` is told by a swarm or a cluster, as values; each question takes as long as it takes."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.rights import missing_rights, told
from chainctl.adapters.kubernetes.settings import KubernetesSettings
from chainctl.adapters.swarm.manager import opened
from chainctl.adapters.swarm.nodes import Node, nodes_of


@dataclass(frozen=True, slots=True)
class SwarmFacts:
    """The nodes of a swarm."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A Kubernetes cluster. `nodes` counts them, None where one may not look; `missing` are rights, kind by kind."""

    host: str
    version: str
    namespace: str
    has_namespace: bool
    missing: tuple[str, ...] = ()
    nodes: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterSilence:
    """Why a swarm or a cluster says nothing of itself, and what to do."""

    message: str
    hint: str = ""


def swarm_facts(engine: Engine) -> SwarmFacts:
    """Ask a manager for its nodes. Raises EngineError."""
    with opened(engine) as connection:
        return SwarmFacts(tuple(nodes_of(connection)))


def cluster_facts(settings: KubernetesSettings) -> ClusterFacts:
    """Ask a cluster what it is, and what one may do in the namespace. Raises EngineError and UsageError."""
    api = Api(settings)
    version = api.version()
    has_namespace = api.has_namespace()
    missing = missing_rights(api, has_ingress=settings.cluster.ingress_host is not None)
    nodes = api.visible("Node")
    return ClusterFacts(
        api.host, version, api.namespace, has_namespace, tuple(told(missing)), len(nodes) or None
    )

"""Facts in; findings about a swarm or a Kubernetes cluster out, none where the target is another one."""

from __future__ import annotations

from collections.abc import Iterator

from chainctl.adapters.cluster_facts import ClusterFacts, ClusterSilence, SwarmFacts
from chainctl.cli.diagnosis_finding import Facts, Finding, Status

_NAME_REGISTRY = 'name one that they all reach: `registry = "HOST/PREFIX"`'


def cluster_findings(facts: Facts) -> Iterator[Finding]:
    """Report on what several machines need besides the engine that builds."""
    check = "swarm" if facts.target == "swarm" else "cluster"
    match facts.cluster:
        case ClusterSilence(message=message, hint=hint):
            yield Finding(check, Status.FAIL, message, hint)
        case SwarmFacts() as swarm:
            yield from _swarm(swarm, has_registry=facts.has_registry)
        case ClusterFacts() as cluster:
            yield from _cluster(cluster, has_registry=facts.has_registry)
        case None:
            return


def _swarm(swarm: SwarmFacts, *, has_registry: bool) -> Iterator[Finding]:
    nodes = swarm.nodes
    is_open = [node for node in nodes if node.is_open]
    gpus = sum(sum(node.gpus.values()) for node in is_open)
    found = ", ".join([_counted(len(nodes), "node"), *([_counted(gpus, "GPU")] if gpus else [])])
    closed = ", ".join(node.hostname for node in nodes if not node.is_open)
    if not is_open:
        yield Finding("swarm", Status.FAIL, f"no node takes tasks: {closed}", "look at `docker node ls`")
    elif closed:
        yield Finding("swarm", Status.WARN, f"{found}; no tasks go to {closed}", "look at `docker node ls`")
    else:
        yield Finding("swarm", Status.OK, found)
    if len(nodes) > 1 and not has_registry:
        yield Finding("registry", Status.FAIL, "none is set, and nodes pull their images", _NAME_REGISTRY)


def _cluster(cluster: ClusterFacts, *, has_registry: bool) -> Iterator[Finding]:
    nodes = "" if cluster.nodes is None else f", {_counted(cluster.nodes, 'node')}"
    yield Finding("cluster", Status.OK, f"Kubernetes {cluster.version} at {cluster.host}{nodes}")
    if not cluster.has_namespace:
        fix = f"`kubectl create namespace {cluster.namespace}`"
        yield Finding("namespace", Status.FAIL, f"there is no {cluster.namespace}", fix)
    elif cluster.missing:
        found = f"you may not do all in {cluster.namespace}: {'; '.join(cluster.missing)}"
        yield Finding("namespace", Status.FAIL, found, "ask for these rights")
    else:
        yield Finding("namespace", Status.OK, f"{cluster.namespace}, where you may do all that a push does")
    if not has_registry:
        found = "none is set: every node has to have the images already"
        yield Finding("registry", Status.WARN, found, _NAME_REGISTRY)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

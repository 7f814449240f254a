"""What a cluster is like and how chains are put there, as frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chainctl.errors import UsageError

DRAIN_SEC = 30.0
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class ApiVersions:
    """What the cluster calls the kinds of objects that have changed their version; "" where it has none of a kind."""

    hpa: str = "autoscaling/v2"
    pdb: str = "policy/v1"
    ingress: str = "networking.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where a chain is put and what is there.

    With an `ingress_host` there is an Ingress for the front door, of the class `ingress_class` or of the cluster's
    own, with the certificate in `ingress_tls_secret`. `storage_class` None leaves caches to the cluster's own
    class; `cache_bytes` is how large a cache may become, `cache_access` how pods may have it. `queue_metric` names
    a metric of pods that counts calls under way or waiting, for autoscaling: without one it is by CPU. Pods of
    `monitoring_namespace` may read metrics. `drain_sec` is how long calls may take to end.
    """

    namespace: str = "default"
    cluster_domain: str = "cluster.local"
    ingress_class: str | None = None
    ingress_host: str | None = None
    image_pull_secret: str | None = None
    versions: ApiVersions = field(default_factory=ApiVersions)
    storage_class: str | None = None
    cache_bytes: int = 100 << 30
    queue_metric: str | None = None
    monitoring_namespace: str | None = None
    cache_access: str = "ReadWriteOnce"
    ingress_tls_secret: str | None = None
    drain_sec: float = DRAIN_SEC

    def __post_init__(self) -> None:
        """Raise UsageError for a namespace, a domain or a host that no cluster can have."""
        if not re.fullmatch(_LABEL, self.namespace):
            raise UsageError(
                f"{self.namespace!r} is no namespace of Kubernetes",
                hint="a namespace has at most 63 lower-case letters, digits and dashes.",
            )
        if not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", self.cluster_domain):
            raise UsageError(
                f"{self.cluster_domain!r} is no domain of a cluster",
                hint="it is what follows `NAMESPACE.svc.` in the names of services, mostly `cluster.local`.",
            )
        if self.ingress_host and not re.fullmatch(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", self.ingress_host):
            raise UsageError(
                f"{self.ingress_host!r} is no host of an Ingress",
                hint="give a name without a scheme, a port or a path, such as `--ingress-host models.example.org`.",
            )

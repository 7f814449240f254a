"""Settings in; what they say of a Kubernetes cluster out."""

from __future__ import annotations

from chainctl.cli.settings import Settings
from chainctl.deploy.kubernetes.settings import ClusterSettings


def cluster_settings(settings: Settings) -> ClusterSettings:
    """Return what the settings say of a cluster. Raises UsageError."""
    return ClusterSettings(
        namespace=settings.namespace,
        cluster_domain=settings.cluster_domain,
        ingress_class=settings.ingress_class,
        ingress_host=settings.ingress_host,
        queue_metric=settings.queue_metric,
        ingress_tls_secret=settings.ingress_tls_secret,
        image_pull_secret=settings.image_pull_secret,
        drain_sec=settings.drain_sec,
    )

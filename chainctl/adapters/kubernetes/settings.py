"""Which cluster is meant and how chains are put there, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chainctl.deploy.kubernetes.settings import ClusterSettings


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """`kubeconfig` None is the file that kubectl would take, `context` None the one that is current there.

    `cluster` says in which namespace chains are and what may be used; which versions of objects the cluster
    knows is asked, whatever it says.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)

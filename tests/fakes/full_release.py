"""Nothing in; a release out in which services have all that a service can have."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.release import (
    CacheVolume,
    DataMount,
    FrontDoor,
    Gpu,
    Release,
    Resources,
    Scaling,
    SecretRef,
    ServiceSpec,
    Strategy,
)
from tests.fakes.chains import graph_of, release_of

DIGEST = "registry.test/shop/speak@sha256:" + "5" * 64


def full_release() -> Release:
    """Three services: one plain, one in replicas, and one with GPUs, secrets, scaling, labels, a cache, data."""
    release = release_of(graph_of({"Front": ["Model", "Speak"], "Speak": ["Model"], "Model": []}))
    door = FrontDoor(
        api_key=SecretRef("door-key", "11"), tls=SecretRef("door-pem", "22"), token_fingerprint="33"
    )
    services = tuple(_full(spec) for spec in release.services)
    return replace(release, services=services, front_door=door)


def _full(spec: ServiceSpec) -> ServiceSpec:
    match spec.chainlet:
        case "Model":
            return replace(
                spec,
                resources=Resources(1.5, 8 << 30, 2048, Gpu("L4", 2, 20 << 30)),
                env=(("GREETING", "it's $(HOME) & ${HOME}\n"), ("PYTHONPATH", "/opt/more")),
                secrets=(SecretRef("hf_token", "44"), SecretRef("other.key", "55")),
                data=(DataMount("weights", "/project/weights.bin", "ab" * 32, "/weights", "w.bin", ""),),
                cache=CacheVolume("models", "/cache", "/app/links"),
                scaling=Scaling(0, 6, 4, 90.0),
                node_labels=(("disk", "ssd"), ("zone", "b")),
                start_timeout_sec=1200.0,
            )
        case "Speak":
            return replace(spec, replicas=3, declared_replicas=3, published=DIGEST)
    return replace(spec, strategy=Strategy.RECREATE)

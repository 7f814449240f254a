"""ChainGraph and BuildPlan in; the Release that they make, with every service named, out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from chainctl.build.plan import BuildPlan
from chainctl.deploy.overrides import overridden
from chainctl.deploy.release import (
    CacheVolume,
    Call,
    DataMount,
    Fingerprint,
    Gpu,
    Release,
    Resources,
    Scaling,
    SecretRef,
    ServiceSpec,
    Strategy,
    calls_digest,
    digest_of,
    service_name,
)
from chainctl.deploy.settings import DeploySettings
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import Compute, RemoteConfig
from chainctl.worker.models.asked_files import CACHE_NAME, CACHE_PLACE, FOLDERS_PLACE, asked_files
from chainctl.worker.models.server_settings import has_server

FETCH_SEC = 3600.0
"""How long a service may take to start that may have to fetch gigabytes first, where nobody says how long."""


def compose_release(
    graph: ChainGraph,
    chain: str,
    images: BuildPlan,
    settings: DeploySettings,
    fingerprints: Mapping[str, str],
) -> Release:
    """Make the Release of a chain.

    `fingerprints` has the keyed hash of every secret that some chainlet declares.
    """
    services: dict[str, ServiceSpec] = {}
    for name in callees_first(graph):
        services[name] = _service(
            graph, chain, graph.chainlet(name), images, settings, fingerprints, services
        )
    entry = services[graph.entrypoint]
    door = replace(settings.front_door, holds=_may_sleep(entry))
    return Release(chain, entry.name, tuple(services.values()), door)


def callees_first(graph: ChainGraph) -> list[str]:
    """Order chainlets so that each comes after all that it calls; ties by name."""
    edges = {spec.name: sorted(e.callee for e in graph.callees(spec.name)) for spec in graph.chainlets}
    ordered: dict[str, None] = {}

    def place(name: str) -> None:
        if name not in ordered:
            for callee in edges[name]:
                place(callee)
            ordered[name] = None

    for name in sorted(edges):
        place(name)
    return list(ordered)


def secret_names(graph: ChainGraph) -> dict[str, list[str]]:
    """Return each declared secret with the chainlets that declare it."""
    wanted: dict[str, list[str]] = {}
    for spec in graph.chainlets:
        assets = spec.remote_config.assets
        for key in [*assets.secret_keys, *(v.secret_key for v in assets.volumes if v.secret_key)]:
            wanted.setdefault(key, []).append(spec.name)
    return dict(sorted(wanted.items()))


def _service(
    graph: ChainGraph, chain: str, spec: ChainletSpec, images: BuildPlan, settings: DeploySettings,
    fingerprints: Mapping[str, str], ready: Mapping[str, ServiceSpec],
) -> ServiceSpec:  # fmt: skip
    config = spec.remote_config
    resources = _resources(config.compute, settings)
    env = _env(spec, settings)
    secrets = tuple(SecretRef(key, fingerprints[key]) for key in sorted(set(config.assets.secret_keys)))
    callees = sorted({edge.callee for edge in graph.callees(spec.name)})
    calls = tuple(Call(callee, ready[callee].name, _may_sleep(ready[callee])) for callee in callees)
    image = str(images.image_of(spec.name).ref)
    data = data_of(config, PurePath(graph.path).parent)
    cache = cache_of(spec)
    labels = tuple(sorted(config.compute.node_labels.items()))
    configured = [repr(resources), env, [s.name for s in secrets], settings.token_fingerprint]
    fingerprint = Fingerprint(
        image=image,
        config=digest_of([*configured, *_identities(data), *_more_parts(resources.gpu, cache, labels)])[:16],
        calls=calls_digest(calls),
    )
    return ServiceSpec(
        name=service_name(chain, spec.name, fingerprint),
        chain=chain,
        chainlet=spec.name,
        image=image,
        resources=resources,
        env=env,
        secrets=secrets,
        calls=calls,
        start_timeout_sec=_start_timeout(config, settings, cache),
        fingerprint=fingerprint,
        data=data,
        cache=cache,
        strategy=Strategy(config.strategy) if config.strategy else None,
        replicas=config.compute.first_replicas,
        declared_replicas=config.compute.first_replicas,
        scaling=_scaling(config.compute),
        node_labels=labels,
    )


def data_of(config: RemoteConfig, directory: PurePath) -> tuple[DataMount, ...]:
    """Return what a chainlet reads; paths are from the directory of the chain file."""
    mounts = (
        DataMount(v.name, source_of(v.source, directory), v.sha256, v.dest, v.filename, v.secret_key or "")
        for v in config.assets.volumes
    )
    return tuple(sorted(mounts, key=lambda mount: mount.directory))


def cache_of(spec: ChainletSpec) -> CacheVolume | None:
    """Return the cache of a Truss model that wants files from elsewhere, or has a server that may; others have none."""
    if asked_files(spec.truss_config).is_empty and not has_server(spec.truss_config):
        return None
    return CacheVolume(CACHE_NAME, CACHE_PLACE, FOLDERS_PLACE)


def source_of(source: str, directory: PurePath) -> str:
    """Return a URL as it is, a path as an absolute one."""
    return source if "://" in source else str(directory / source)


def _identities(data: Sequence[DataMount]) -> list[list[str]]:
    """What a service sees of its data: not where they come from."""
    return [[mount.sha256, mount.directory, mount.filename] for mount in data]


def _resources(compute: Compute, settings: DeploySettings) -> Resources:
    return Resources(
        cpus=float(compute.cpu_count),
        memory_bytes=compute.memory_bytes,
        pids=settings.pids,
        gpu=_gpu(compute),
    )


def _gpu(compute: Compute) -> Gpu | None:
    """`gpu="L4:2"` is two of them, as `gpu="L4", gpu_count=2` is; `gpu="any"` is of any model."""
    if compute.gpu is None:
        return None
    model, _, count = compute.gpu.partition(":")
    return Gpu(
        None if model.lower() == "any" else model,
        int(count) if count.isdecimal() else compute.gpu_count,
        compute.gpu_memory_bytes,
    )


def _scaling(compute: Compute) -> Scaling | None:
    """Return the bounds of replicas that follow the load; without a least number there is always one."""
    if compute.max_replicas is None:
        return None
    least = 1 if compute.min_replicas is None else compute.min_replicas
    aim = compute.target_concurrency or compute.concurrency or 1
    return Scaling(least, compute.max_replicas, aim, compute.scale_down_delay)


def _may_sleep(service: ServiceSpec) -> bool:
    return service.scaling is not None and service.scaling.least == 0


def _more_parts(
    gpu: Gpu | None, cache: CacheVolume | None, labels: tuple[tuple[str, str], ...]
) -> list[list[object]]:
    """Told only where there are some: the names of services without stay as they were."""
    parts: list[list[object]] = []
    if gpu and gpu.memory_bytes is not None:
        parts.append(["gpu memory", gpu.memory_bytes])
    if cache:
        parts.append(["cache", cache.name, cache.directory, cache.folders])
    if labels:
        parts.append(["node labels", labels])
    return parts


def _env(spec: ChainletSpec, settings: DeploySettings) -> tuple[tuple[str, str], ...]:
    """The chain file's variables, then the environment's settings, then what the state has."""
    environment = {"CHAINCTL_ENVIRONMENT": settings.environment} if settings.environment else {}
    variables = {
        **spec.remote_config.options.env_variables,
        **dict(settings.variables),
        **overridden(settings.overrides, settings.environment or "", spec.name),
    }
    return tuple(sorted({**variables, **environment}.items()))


def _start_timeout(config: RemoteConfig, settings: DeploySettings, cache: CacheVolume | None) -> float:
    """What the chainlet says, else the settings; one that ends while it starts is seen at once all the same."""
    threshold = config.options.health_checks.startup_threshold_seconds
    if threshold:
        return float(threshold)
    return max(settings.start_timeout_sec, FETCH_SEC) if cache else settings.start_timeout_sec

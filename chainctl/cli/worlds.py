"""Settings in; the adapters of one target, introduced to each other, out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import docker_config_dir
from chainctl.adapters.downloads import Downloads
from chainctl.adapters.vault import Vault
from chainctl.build.proxies import proxy_arguments
from chainctl.build.registry import RegistryAddress
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import (
    downloads,
    engine_address,
    ledger_of,
    secret_sources,
    state_dir,
    this_platform,
)
from chainctl.deploy.target import DeployTarget, LogSource
from chainctl.errors import UsageError
from chainctl.state.ledger import Ledger

if TYPE_CHECKING:
    from chainctl.adapters.docker.registry import DockerRegistry
    from chainctl.adapters.kubernetes.settings import KubernetesSettings
    from chainctl.adapters.local.staging import Staging
    from chainctl.build.backend import BuildBackend
    from chainctl.build.image_contents import ImageReader
    from chainctl.build.registry import Registry
    from chainctl.deploy.image_store import ImageStore
    from chainctl.deploy.intercept import StandIns


class LoggedTarget(DeployTarget, LogSource, Protocol):
    """A target that has the logs of its services, too."""


@dataclass(frozen=True, slots=True)
class World:
    """What a command acts on: a target with its builder, its log, its ledger and its secrets.

    `kind` says what the target is, whatever it is called, and `settings` are those that hold for it. `store` has
    its images, `own_platform` tells that of images that name none, `registry` is where pushes publish them.
    `reader` looks into images; processes of this machine have none.
    """

    name: str
    kind: str
    settings: Settings
    target: DeployTarget
    logs: LogSource
    backend: BuildBackend
    ledger: Ledger
    vault: Vault
    store: ImageStore
    own_platform: Callable[[], str]
    registry: Registry | None = None
    reader: ImageReader | None = None


def docker_world(settings: Settings) -> World:
    """Open the Docker Engine. Raises EngineError when it does not answer."""
    from chainctl.adapters.docker.target import DockerTarget

    engine = Engine.connect(engine_address(settings))
    name = _name_of(settings, "docker")

    def target(vault: Vault, data: Downloads) -> DockerTarget:
        return DockerTarget(engine, vault, data=data, drain_sec=settings.drain_sec, name=name)

    return _engine_world(settings, name, "docker", engine, target)


def swarm_world(settings: Settings) -> World:
    """Open the swarm that an engine manages. Raises EngineError when it does not answer."""
    from chainctl.adapters.swarm.target import SwarmTarget

    engine = Engine.connect(engine_address(settings))
    name = _name_of(settings, "swarm")

    def target(vault: Vault, data: Downloads) -> SwarmTarget:
        return SwarmTarget(
            engine,
            vault,
            data=data,
            drain_sec=settings.drain_sec,
            name=name,
            has_registry=settings.registry is not None,
        )

    return _engine_world(settings, name, "swarm", engine, target)


def kubernetes_world(settings: Settings) -> World:
    """Open a cluster; the engine that builds its images is asked only when there are some to build."""
    from chainctl.adapters.kubernetes.target import KubernetesTarget

    name = _name_of(settings, "kubernetes")
    where = kubernetes_settings(settings)

    def target(vault: Vault, data: Downloads) -> KubernetesTarget:
        return KubernetesTarget(where, vault, data=data, name=name)

    return _engine_world(settings, name, "kubernetes", Engine.late(engine_address(settings)), target)


def kubernetes_settings(settings: Settings) -> KubernetesSettings:
    """Say which cluster the settings mean. Raises UsageError."""
    from chainctl.adapters.kubernetes.settings import KubernetesSettings
    from chainctl.cli.cluster import cluster_settings

    return KubernetesSettings(settings.kubeconfig, settings.kube_context, cluster_settings(settings))


def _engine_world(
    settings: Settings,
    name: str,
    kind: str,
    engine: Engine,
    make: Callable[[Vault, Downloads], LoggedTarget],
) -> World:
    """Introduce a target to the engine that builds its images."""
    from chainctl.adapters.docker.builder import DockerBuildBackend
    from chainctl.adapters.docker.image_contents import DockerImageReader
    from chainctl.adapters.docker.image_store import DockerImageStore
    from chainctl.adapters.docker.session_login import RegistryLogins

    ledger = ledger_of(settings, name)
    vault = Vault(secret_sources(settings), ledger.token)
    target = make(vault, downloads(state_dir(settings), vault))
    use_buildkit = {"auto": None, "buildkit": True, "classic": False}[settings.builder]
    backend = DockerBuildBackend(
        engine,
        network=settings.build_network,
        use_buildkit=use_buildkit,
        secrets=vault.value_of,
        proxies=proxy_arguments(http=settings.http_proxy, https=settings.https_proxy, no=settings.no_proxy),
        logins=RegistryLogins(docker_config_dir(os.environ, Path.home())),
    )
    return World(
        name,
        kind,
        settings,
        target,
        target,
        backend,
        ledger,
        vault,
        DockerImageStore(engine),
        engine.platform,
        _registry(engine, settings),
        DockerImageReader(engine),
    )


def _name_of(settings: Settings, kind: str) -> str:
    """What a target of a kind is called: as its table, or as its kind where it has none."""
    return settings.target if settings.kind == kind else kind


def stand_ins_of(world: World) -> StandIns:
    """Return what starts stand-ins on a world's target. Raises UsageError where nothing can stand in."""
    from chainctl.adapters.docker.target import DockerTarget
    from chainctl.adapters.local.target import LocalTarget

    if isinstance(world.target, DockerTarget | LocalTarget):
        return world.target.stand_ins()
    raise UsageError(
        f"Chainlets that run on {world.name} can not be intercepted",
        hint="push the chain to one engine, or to local processes, under another `--name`, and intercept it there.",
    )


def docker_registry(settings: Settings) -> DockerRegistry:
    """Open the registry that the settings name, as the engine reaches it. Raises UsageError, EngineError."""
    engine = Engine.connect(engine_address(settings))
    registry = _registry(engine, settings)
    if registry is None:
        raise UsageError("no registry is named", hint="give one: `--registry HOST/PREFIX`.")
    return registry


def _registry(engine: Engine, settings: Settings) -> DockerRegistry | None:
    from chainctl.adapters.docker.registry import DockerRegistry

    if settings.registry is None:
        return None
    address = RegistryAddress.parse(settings.registry)
    return DockerRegistry(engine, address, docker_config_dir(os.environ, Path.home()))


def require_registry(world: World, given: str | None) -> None:
    """Raise UsageError when images are to be published and there are none: a setting alone asks for nothing."""
    if given and world.registry is None:
        raise UsageError(
            "Local processes have no images to publish", hint="name an engine: `--target docker`."
        )


def local_world(
    settings: Settings,
    root: Path | None = None,
    staging: Callable[[], Staging] | None = None,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> World:
    """Open the local-process target; `root`, `staging` and `secrets` are those of a run that leaves nothing behind."""
    from chainctl.adapters.local.image_store import LocalImageStore
    from chainctl.adapters.local.images import LocalBuildBackend
    from chainctl.adapters.local.paths import LocalPaths
    from chainctl.adapters.local.staging import Staging
    from chainctl.adapters.local.target import LocalTarget

    state = root or state_dir(settings)
    ledger = Ledger(state, "local", settings.database if root is None else None)
    vault = Vault(secret_sources(settings, secrets), ledger.token)
    paths = LocalPaths.of(
        state / "run",
        xdg_runtime_dir=os.environ.get("XDG_RUNTIME_DIR"),
        uid=os.getuid(),
        caches=None if root is None else state_dir(settings) / "caches",
    )
    data = downloads(state_dir(settings), vault)
    target = LocalTarget(
        paths,
        vault,
        data=data,
        drain_sec=settings.drain_sec,
        inherited=os.environ,
        staging=staging or Staging,
    )
    backend, store = LocalBuildBackend(paths.root), LocalImageStore(paths)
    return World("local", "local", settings, target, target, backend, ledger, vault, store, this_platform)

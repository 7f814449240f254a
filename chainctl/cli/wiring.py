"""Settings in; the adapters that a command works with, introduced to each other, out."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.downloads import DownloadCache, Downloads
from chainctl.adapters.vault import SecretSources, Vault
from chainctl.build.backend import BuildBackend
from chainctl.build.image_contents import ImageReader
from chainctl.build.proxies import proxy_arguments
from chainctl.build.registry import Registry, RegistryAddress
from chainctl.build.settings import BuildSettings
from chainctl.cli.settings import Settings, environment_variables, load_settings
from chainctl.cli.target_tables import AUTO
from chainctl.deploy.image_store import ImageStore
from chainctl.deploy.intercept import StandIns
from chainctl.deploy.release import FrontDoor
from chainctl.deploy.settings import DeploySettings
from chainctl.deploy.target import DeployTarget, LogSource
from chainctl.errors import EngineError, UsageError
from chainctl.sdk.config import BasetenImage
from chainctl.state.ledger import Ledger
from chainctl.state.variables import Variables, variables_of
from chainctl.workflows.draft import DraftSettings
from chainctl.workflows.push import Origin

if TYPE_CHECKING:
    from chainctl.adapters.docker.registry import DockerRegistry
    from chainctl.adapters.kubernetes.settings import KubernetesSettings
    from chainctl.adapters.local.staging import Staging


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


def settings_for(start: Path | None = None, **given: Any) -> Settings:
    """Load the settings that hold for a chain file, or for the working directory."""
    return load_settings(_directory_of(start), os.environ, given, config_dir() / "config.toml")


def file_variables(start: Path, environment: str | None) -> tuple[tuple[str, str], ...]:
    """The variables that the settings of an environment give to chainlets, sorted. Raises UsageError."""
    found = environment_variables(_directory_of(start), config_dir() / "config.toml", environment)
    return tuple(sorted(found.items()))


def _directory_of(start: Path | None) -> Path:
    where = (start or Path.cwd()).resolve()
    return where if where.is_dir() else where.parent


def open_world(settings: Settings, notice: Callable[[str], None], chain: str | None = None) -> World:
    """Open the target that the settings name; with `auto`, the one that `chain` was pushed to before.

    With `auto` and no engine, chains run as local processes. Raises EngineError when an engine that was named does
    not answer.
    """
    recorded = _recorded(chain, settings) if chain else []
    is_known = settings.target == AUTO and len(recorded) == 1
    settings = settings.on(recorded[0]) if is_known else settings
    if settings.target != AUTO:
        return target_world(settings)
    try:
        return docker_world(settings)
    except EngineError as error:
        if engine_address(settings).is_chosen:
            raise
        notice(f"No Docker Engine answers ({error.message}); using local processes (--target local).")
        return local_world(settings)


def world_of(chain: str, settings: Settings, notice: Callable[[str], None]) -> World:
    """Open the target that a chain runs on.

    Raises UsageError when no target has it, or when two have and none was chosen.
    """
    recorded = _recorded(chain, settings)
    if settings.target == AUTO and len(recorded) > 1:
        raise _on_two_targets(chain, recorded)
    if settings.target == AUTO and recorded:
        return open_world(settings, notice, chain)
    known: list[str] = []
    for world in open_worlds(settings):
        known += world.target.chains()
        if chain in known or world.name in recorded:
            return world
    raise UsageError(f"there is no chain called {chain} here", hint=_known(sorted(set(known))))


def _nobody(_text: str) -> None:
    """Tell nobody."""


def open_worlds(settings: Settings, notice: Callable[[str], None] = _nobody) -> list[World]:
    """Open every target that the settings allow. One that was asked for must answer.

    Where none was asked for, those of clusters and of your own are looked at that have chains from here; what
    does not answer, and has some, is told to `notice`.
    """
    if settings.target != AUTO:
        return [target_world(settings)]
    usual = ("docker", "local")
    more = (name for name in settings.target_names if name not in usual)
    worlds = []
    for name in (*usual, *(name for name in more if ledger_of(settings, name).chains())):
        try:
            worlds.append(target_world(settings.on(name)))
        except EngineError as error:
            if ledger_of(settings, name).chains():
                notice(f"{name} is not looked at: {error.message}")
    return worlds


def target_world(settings: Settings) -> World:
    """Open the target that the settings name, which is not `auto`. Raises EngineError when it does not answer."""
    match settings.kind:
        case "docker":
            return docker_world(settings)
        case "swarm":
            return swarm_world(settings)
        case "kubernetes":
            return kubernetes_world(settings)
        case _:
            return local_world(settings)


def recorded_ledger(chain: str, settings: Settings) -> tuple[str, Ledger]:
    """The ledger to compare a chain with where no target is asked, and the name of its target.

    Raises UsageError when two targets have the chain and none was chosen.
    """
    recorded = _recorded(chain, settings)
    if settings.target == AUTO and len(recorded) > 1:
        raise _on_two_targets(chain, recorded)
    name = next(iter(recorded), "docker") if settings.target == AUTO else settings.target
    return name, ledger_of(settings, name)


def _on_two_targets(chain: str, recorded: list[str]) -> UsageError:
    return UsageError(
        f"{chain} runs on {len(recorded)} targets: {' and '.join(recorded)}",
        hint=f"choose one: `--target {recorded[0]}`.",
    )


def _recorded(chain: str, settings: Settings) -> list[str]:
    """The targets that a chain was pushed to from here."""
    return [name for name in settings.target_names if chain in ledger_of(settings, name).chains()]


def _known(chains: list[str]) -> str:
    return f"known chains: {', '.join(chains)}." if chains else "push one: `chainctl push chain.py`."


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


def downloads(state: Path, vault: Vault) -> Downloads:
    """The files that services read, kept in the state directory."""
    return Downloads(DownloadCache(state / "data"), vault.value_of)


def engine_address(settings: Settings) -> EngineAddress:
    home = Path.home()
    return EngineAddress.resolve(
        os.environ,
        docker_config_dir(os.environ, home),
        host=settings.docker_host,
        context=settings.docker_context,
    )


def draft_settings(
    settings: Settings, name: str | None, world: World | None = None, *, has_builds: bool = True
) -> DraftSettings:
    """Turn settings into what shapes a release, for a world or for none; local processes need no builds."""
    bind = settings.bind if settings.kind != "kubernetes" else ""
    door = FrontDoor(bind, settings.port, settings.front_door_image)
    platform, foreign = _platforms(settings, world)
    return DraftSettings(
        build=BuildSettings(
            _base_images(settings),
            tuple(map(str, settings.ca_certificates)),
            apt_mirror=settings.apt_mirror or "",
            index_url=settings.index_url or "",
            extra_index_urls=settings.extra_index_urls,
            index_credentials_secret=settings.index_credentials_secret,
            platform=platform,
            cpu_wheels=settings.cpu_wheels,
            foreign_platform=foreign,
        ),
        deploy=DeploySettings(
            front_door=door,
            start_timeout_sec=settings.start_timeout_sec,
            environment=settings.environment,
        ),
        name=name,
        has_builds=has_builds and (world is None or world.kind != "local"),
        api_key=settings.api_key_secret,
        tls=settings.tls_secret,
    )


def _platforms(settings: Settings, world: World | None) -> tuple[str, str]:
    """The platform of images, and the same again where the engine has another one of its own, else ""."""
    own = world.own_platform() if world else this_platform()
    wanted = own if world and world.kind == "local" else settings.platform or own
    return wanted, "" if wanted == own else wanted


def this_platform() -> str:
    """The platform of images that run on this machine."""
    return "linux/arm64" if os.uname().machine in ("aarch64", "arm64") else "linux/amd64"


def _base_images(settings: Settings) -> dict[str, str]:
    if settings.base_image is None:
        return {}
    versions = [image.python_version for image in BasetenImage]
    return {version: settings.base_image.replace("{version}", version) for version in versions}


def secret_sources(settings: Settings, given: Mapping[str, str] = MappingProxyType({})) -> SecretSources:
    return SecretSources(os.environ, settings.secrets_file, config_dir() / "secrets", given)


def ledgers_beside(world: World) -> dict[str, Ledger]:
    """The ledgers of the other targets whose images may be where this one's are: an engine builds for several."""
    if world.kind == "local":
        return {}
    names = (name for name in world.settings.target_names if name not in ("local", world.name))
    return {name: ledger_of(world.settings, name) for name in names}


def ledger_of(settings: Settings, target: str) -> Ledger:
    """The releases of a target's chains."""
    return Ledger(state_dir(settings), target, settings.database)


def variables_kept(settings: Settings, target: str) -> Variables:
    """The overrides of environment variables of a target's chains."""
    return variables_of(state_dir(settings), target, settings.database)


def state_dir(settings: Settings) -> Path:
    """Where releases are recorded: `$XDG_STATE_HOME/chainctl`, unless a setting says otherwise."""
    if settings.state_dir is not None:
        return settings.state_dir.resolve()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "chainctl"


def config_dir() -> Path:
    """Where the user's own settings and secrets are: `$XDG_CONFIG_HOME/chainctl`."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "chainctl"


def origin_of(file: Path) -> Origin:
    """Say who pushes what: file, user, and the commit that is checked out."""
    revision = subprocess.run(  # git, with fixed arguments
        ["git", "-C", str(file.parent), "rev-parse", "HEAD"],  # found on PATH, may be absent
        capture_output=True,
        text=True,
        check=False,
    ) if _has_git() else None  # fmt: skip
    found = revision.stdout.strip() if revision and revision.returncode == 0 else ""
    return Origin(str(file), user=this_user(), revision=found)


def _has_git() -> bool:
    import shutil

    return shutil.which("git") is not None


def this_user() -> str:
    """The name of who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def python_executable() -> str:
    """The interpreter that reads chain files and runs local processes."""
    return sys.executable

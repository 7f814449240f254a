"""Settings and environment in; Facts out, within a given time even where an engine hangs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

from chainctl.adapters.cluster_facts import (
    ClusterFacts,
    ClusterSilence,
    SwarmFacts,
    cluster_facts,
    swarm_facts,
)
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.host import gpu_facts, path_facts, port_facts, secret_facts, socket_facts
from chainctl.adapters.host_engine import Deadline, engine_facts, is_on_this_machine, started
from chainctl.adapters.host_facts import EngineFacts, EngineSilence, GpuFacts, SocketFacts, Unreachable
from chainctl.adapters.local.paths import LocalPaths
from chainctl.cli.diagnosis_finding import Facts, RecordedChains, SettingsFacts
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.settings import Settings, load_settings, settings_sources, unknown_variables
from chainctl.cli.surroundings import config_dir, engine_address, ledger_of, state_dir
from chainctl.cli.target_tables import AUTO
from chainctl.cli.worlds import (
    World,
    docker_world,
    kubernetes_settings,
    kubernetes_world,
    local_world,
    swarm_world,
)
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, StateError, UsageError
from chainctl.sdk.config import BasetenImage
from chainctl.version import __version__

_CLIENT_SEC = 4.0
_SERVICE_NAME = "x" * 63


def gather(target: str | None, timeout_sec: float) -> Facts:
    """Look at everything. Raises UsageError when the target is none."""
    deadline = Deadline(timeout_sec)
    settings, read = settings_read(target)
    gpus = started(lambda: gpu_facts(os.environ.get("PATH"), timeout_sec))
    clustered = _asked_cluster(settings)
    images = (draft_settings(settings, None).build.image_for(BasetenImage.PY311), settings.front_door_image)
    address, engine = _engine(settings, images, deadline)
    running = dict(_asked_chains(settings, has_engine=isinstance(engine, EngineFacts)))
    return Facts(
        target=settings.kind,
        builder=settings.builder,
        python=platform.python_version(),
        chainctl=__version__,
        settings=read,
        secrets=secret_facts(config_dir() / "secrets", settings.secrets_file),
        address=f"{address.url} ({_namer(address)})" if address else "",
        is_engine_here=address is not None and is_on_this_machine(address),
        engine=engine,
        base_image=images[0],
        door_image=images[1],
        port=port_facts(settings.bind, settings.port),
        state=path_facts(state_dir(settings)),
        sockets=_sockets(settings),
        chains=tuple(_recorded(settings, running, deadline)),
        gpus=_late_gpus(gpus, deadline),
        cluster=_cluster(clustered, timeout_sec),
        has_registry=settings.registry is not None,
        is_engine_chosen=address is not None and address.is_chosen,
    )


def settings_read(target: str | None) -> tuple[Settings, SettingsFacts]:
    """Read the settings; where a source is wrong, go on with the defaults and keep what is wrong."""
    given = {"target": target}
    sources = (Path.cwd(), os.environ, given, config_dir() / "config.toml")
    try:
        unknown = tuple(unknown_variables(os.environ))
        return load_settings(*sources), SettingsFacts(_deciding(origins(given)), unknown)
    except UsageError as error:
        defaults = load_settings(Path("/"), {}, given, Path(os.devnull))
        return defaults, SettingsFacts(error=error.message, hint=error.hint)


def origins(given: Mapping[str, object]) -> dict[str, str]:
    """Which source decides each setting that is not left at its default."""
    read = settings_sources(Path.cwd(), os.environ, given, config_dir() / "config.toml")
    return {key: source for source, values in read for key in values}


def _deciding(decided: Mapping[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    sources = dict.fromkeys(decided.values())
    return tuple((s, tuple(sorted(key for key, by in decided.items() if by == s))) for s in sources)


def _engine(
    settings: Settings, images: tuple[str, ...], deadline: Deadline
) -> tuple[EngineAddress | None, EngineFacts | EngineSilence | None]:
    if settings.kind == "local":
        return None, None
    try:
        address = engine_address(settings)
    except UsageError as error:
        return None, EngineSilence(Unreachable.OTHER, error.message, error.hint)
    return address, engine_facts(address, images, deadline, _usual_sockets())


def _asked_cluster(settings: Settings) -> Future[SwarmFacts | ClusterFacts] | None:
    match settings.kind:
        case "swarm":
            return started(lambda: swarm_facts(Engine.connect(engine_address(settings))))
        case "kubernetes":
            return started(lambda: cluster_facts(kubernetes_settings(settings)))
        case _:
            return None


def _cluster(
    asked: Future[SwarmFacts | ClusterFacts] | None, timeout_sec: float
) -> SwarmFacts | ClusterFacts | ClusterSilence | None:
    """Give a cluster more time than an engine: it takes several questions, and its client a second to load."""
    try:
        return asked.result(timeout_sec + _CLIENT_SEC) if asked else None
    except TimeoutError:
        return ClusterSilence(
            f"no answer in {timeout_sec:g} s", "for a slow one: `chainctl doctor --timeout 10`"
        )
    except ChainctlError as error:
        return ClusterSilence(error.message, error.hint)


def _usual_sockets() -> Iterator[Path]:
    """Where rootless engines and desktop ones listen, which the default address does not name."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "docker.sock"
    for place in (".docker/run", ".docker/desktop", ".colima/default", ".orbstack/run", ".rd"):
        yield Path.home() / place / "docker.sock"


def _namer(address: EngineAddress) -> str:
    """Who named an address, in the words of settings."""
    words = address.source.replace("--host", "the setting docker_host")
    return words.replace("--context", "the setting docker_context")


def _sockets(settings: Settings) -> SocketFacts:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    paths = LocalPaths.of(state_dir(settings) / "run", xdg_runtime_dir=runtime, uid=os.getuid())
    return socket_facts(paths.runtime, paths.run("any").socket_of(_SERVICE_NAME))


def _asked_chains(
    settings: Settings, *, has_engine: bool
) -> Iterator[tuple[str, Future[tuple[str, ...]] | None]]:
    """Ask the targets that are meant which of their chains run; those that `auto` chooses from by itself."""
    name = settings.target if settings.target != AUTO else "docker"
    match settings.kind:
        case "kubernetes":
            yield name, started(lambda: _running(kubernetes_world(settings)))
        case "swarm":
            yield name, started(lambda: _running(swarm_world(settings))) if has_engine else None
        case "docker" | "auto":
            yield name, started(lambda: _running(docker_world(settings))) if has_engine else None
    if settings.kind in ("local", AUTO):
        yield "local", started(lambda: _running(local_world(settings)))


def _running(world: World) -> tuple[str, ...]:
    """The recorded chains of a target of which something runs."""
    return tuple(chain for chain in world.ledger.chains() if _runs(world.target.observe(chain)))


def _runs(observed: ObservedState) -> bool:
    return any(service.status is ServiceStatus.RUNNING for service in observed.services)


def _recorded(
    settings: Settings, questions: Mapping[str, Future[tuple[str, ...]] | None], deadline: Deadline
) -> Iterator[RecordedChains]:
    for name, running in questions.items():
        try:
            recorded = tuple(ledger_of(settings, name).chains())
        except StateError as error:
            yield RecordedChains(name, (), None, error.message, error.hint)
        else:
            yield RecordedChains(name, recorded, _in_time(running, deadline))


def _in_time(running: Future[tuple[str, ...]] | None, deadline: Deadline) -> tuple[str, ...] | None:
    try:
        return running.result(deadline.left_sec) if running else None
    except (OSError, ChainctlError):  # which a timeout is, too
        return None


def _late_gpus(asked: Future[GpuFacts], deadline: Deadline) -> GpuFacts:
    try:
        return asked.result(deadline.left_sec)
    except TimeoutError:
        return GpuFacts(has_smi=True, error="no answer in time")

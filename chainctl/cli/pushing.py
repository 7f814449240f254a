"""A chain file and options in; the chain pushed, out: what the verb and the SDK's `push` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.cli.console import Console, now
from chainctl.cli.loading import load_graph
from chainctl.errors import UsageError

if TYPE_CHECKING:
    from chainctl.cli.worlds import World
    from chainctl.deploy.canary import Canary
    from chainctl.deploy.release import Release
    from chainctl.workflows.plan_file import PlanFile
    from chainctl.workflows.push import Pushed


def push_file(
    file: str,
    console: Console,
    *,
    target: str | None = None,
    name: str | None = None,
    secrets: Path | None = None,
    platform: str | None = None,
    registry: str | None = None,
    is_locked: bool | None = None,
    keep_warm: int | None = None,
    canary: Canary | None = None,
    plan: Path | None = None,
    prune: bool = False,
    trial: str | None = None,
) -> Pushed:
    """Push a chain file, with `plan` only as that file has it, as a `trial` under that name beside what it tries.

    Raises every ChainctlError that a push can end with.
    """
    planned = _planned(plan)
    graph = load_graph(file, _prepare)

    from chainctl.cli.applying import components_of
    from chainctl.cli.drafting import draft_of
    from chainctl.cli.imaging import loaded_chain
    from chainctl.cli.surroundings import origin_of
    from chainctl.cli.worlds import require_registry
    from chainctl.workflows.push import push as push_draft
    from chainctl.workflows.rollout import Rollout

    loaded = loaded_chain(
        graph,
        console,
        target=target,
        name=name,
        secrets=secrets,
        platform=platform,
        registry=registry,
        trial=trial,
    )
    draft, world = draft_of(loaded, console, is_locked=is_locked)
    require_registry(world, registry)
    _require_ways(world, canary, console)
    origin = origin_of(Path(draft.graph.path))
    kept = world.settings.keep_warm if keep_warm is None else keep_warm
    components = components_of(draft, world, world.settings, console, prune=prune)
    try:
        done = push_draft(
            draft,
            world.backend,
            world.target,
            world.ledger,
            origin,
            console.emit,
            now,
            world.registry,
            Rollout(kept, canary),
            planned=planned,
            components=components,
        )
        _tell_of_scaling(draft.release, world, console)
        return done
    except KeyboardInterrupt:
        console.stop()
        console.line("Interrupted. What serves goes on serving; the same push continues.")
        raise
    finally:
        if components is not None:
            components.close()
        console.stop()


def _tell_of_scaling(release: Release, world: World, console: Console) -> None:
    """Say what has replicas follow the load, where they may and nobody sees to it. Kubernetes does it by itself."""
    from chainctl.events import Notice

    follow = sorted(service.chainlet for service in release.services if service.scaling)
    if not follow or world.kind == "kubernetes" or world.ledger.has_scaler(release.chain):
        return
    console.emit(
        Notice(
            f"The replicas of {', '.join(follow)} follow the load only while this runs: "
            f"chainctl autoscale {release.chain}"
        )
    )


def _require_ways(world: World, canary: Canary | None, console: Console) -> None:
    """Tell what a cluster can not do, or needs, before anything is built. Raises UsageError."""
    if world.kind == "kubernetes" and canary is not None:
        raise UsageError(
            "The traffic of a chain on Kubernetes can not be split",
            hint="push without `--canary`: the flip waits until every replica is ready, and for smoke tests.",
        )
    if world.kind == "kubernetes" and world.registry is None:
        console.line(
            "No `registry` is set: the nodes of the cluster must have the images, or pods will wait for them."
        )


def _planned(plan: Path | None) -> PlanFile | None:
    if plan is None:
        return None
    from chainctl.cli.plan_files import read_plan_file

    return read_plan_file(plan)


def _prepare() -> None:
    """Import what follows while the chain file is loaded: its interpreter takes as long."""
    import chainctl.adapters.docker.builder
    import chainctl.adapters.docker.target
    import chainctl.cli.drafting
    import chainctl.workflows.push  # noqa: F401
    from chainctl.adapters.docker.engine import prepare as prepare_engine
    from chainctl.templates import prepare as prepare_templates

    prepare_engine()
    prepare_templates()

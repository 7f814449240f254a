"""A loaded chain and a kind of target in; the files that others run it with, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chainctl.adapters.files import take_snapshot
from chainctl.build.instructions import python_of
from chainctl.cli.cluster import cluster_settings
from chainctl.cli.console import Console
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.imaging import LoadedChain
from chainctl.cli.locking import Locker
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import ledger_of
from chainctl.cli.variables import with_file_variables
from chainctl.cli.worlds import docker_registry
from chainctl.deploy.compose_file import ComposeSettings, compose_tree
from chainctl.deploy.kubernetes.tree import kubernetes_tree
from chainctl.deploy.release import Release
from chainctl.deploy.rendered import Rendered
from chainctl.errors import UsageError
from chainctl.workflows.draft import Draft, draft_release
from chainctl.workflows.render_release import NamedSecrets, as_published, by_digest, fitting_data

KUBERNETES, COMPOSE = "kubernetes", "compose"


def rendered_release(
    loaded: LoadedChain, target: str, registry: str | None, console: Console, *, is_locked: bool | None
) -> Rendered:
    """Decide a release and write it as files for a target; no secret is asked for.

    `registry` is where images are looked up, None to take what earlier releases were published as.

    Raises UsageError, LockError, RegistryError, EngineError.
    """
    write = _writer(target, loaded.settings)
    draft = _draft(loaded, console, is_locked=is_locked)
    return write(draft, _with_images(draft, loaded, registry))


def settings_of_target(settings: Settings, target: str) -> Settings:
    """Return the settings that hold for what is rendered, those of a table where it is one of the user's own."""
    return settings.on(target) if target in settings.target_names else settings


def _writer(target: str, settings: Settings) -> Callable[[Draft, Release], Rendered]:
    if target == COMPOSE:
        return lambda draft, release: _for_compose(draft, release, settings.drain_sec)
    if KUBERNETES in (target, settings.kind):
        cluster = cluster_settings(settings)
        return lambda _, release: kubernetes_tree(fitting_data(release), cluster)
    raise UsageError(
        f"nothing can be rendered for the target {target}",
        hint="give `--target kubernetes` or `--target compose`, or none for build contexts.",
    )


def _for_compose(draft: Draft, release: Release, drain_sec: float) -> Rendered:
    chainlets = draft.graph.chainlets
    pythons = {spec.name: python_of(spec.remote_config.docker_image) for spec in chainlets}
    return compose_tree(release, ComposeSettings(pythons, drain_sec))


def _draft(loaded: LoadedChain, console: Console, *, is_locked: bool | None) -> Draft:
    wish = draft_settings(loaded.settings, loaded.name)
    wish = replace(wish, deploy=with_file_variables(wish.deploy, loaded))
    locked = Locker(loaded.settings, wish.build, console, is_locked=is_locked)
    return draft_release(loaded.graph, wish, take_snapshot, NamedSecrets(), locked)


def _with_images(draft: Draft, loaded: LoadedChain, wanted: str | None) -> Release:
    settings = loaded.settings
    if wanted is not None:
        registry = docker_registry(settings)
        command = f"chainctl build {loaded.graph.path} --registry {registry.address}"
        return by_digest(draft.release, draft.images, registry.find, command)
    records = (ledger_of(settings, target).latest(draft.chain) for target in settings.target_names)
    return as_published(draft.release, (record.release for record in records if record is not None))

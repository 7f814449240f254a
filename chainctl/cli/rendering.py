"""A loaded chain and a kind of target in; the files that others run it with, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chainctl.adapters.files import take_snapshot
from chainctl.build.instructions import python_of
from chainctl.cli.console import Console
from chainctl.cli.imaging import LoadedChain
from chainctl.cli.locking import Locker
from chainctl.cli.variables import with_file_variables
from chainctl.cli.wiring import TARGETS, docker_registry, draft_settings, ledger_of
from chainctl.deploy.compose_file import ComposeSettings, compose_tree
from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.kubernetes.tree import kubernetes_tree
from chainctl.deploy.release import Release
from chainctl.deploy.rendered import Rendered
from chainctl.errors import UsageError
from chainctl.workflows.draft import Draft, draft_release
from chainctl.workflows.render_release import NamedSecrets, as_published, by_digest, fitting_data


@dataclass(frozen=True, slots=True)
class RenderWish:
    """What was asked for: where it is to run, and how images are named there.

    `registry` is where images are looked up, None to take what earlier releases were published as.
    """

    target: str
    registry: str | None = None
    namespace: str | None = None
    ingress_host: str | None = None


def rendered_release(
    loaded: LoadedChain, wish: RenderWish, console: Console, *, is_locked: bool | None
) -> Rendered:
    """Decide a release and write it as files. No secret is asked for. Raises UsageError, LockError, RegistryError."""
    kind = _kind(wish)
    draft = _draft(loaded, console, is_locked=is_locked)
    return kind(draft, _with_images(draft, loaded, wish))


def _kind(wish: RenderWish) -> Callable[[Draft, Release], Rendered]:
    if wish.target == "kubernetes":
        cluster = ClusterSettings()
        cluster = replace(
            cluster, namespace=wish.namespace or cluster.namespace, ingress_host=wish.ingress_host
        )
        return lambda _, release: kubernetes_tree(fitting_data(release), cluster)
    if wish.target != "compose":
        raise UsageError(
            f"nothing can be rendered for the target {wish.target}",
            hint="give `--target kubernetes` or `--target compose`, or none for build contexts.",
        )
    if wish.namespace or wish.ingress_host:
        raise UsageError(
            "Compose has no namespaces and no Ingress", hint="leave out `--namespace` and `--ingress-host`."
        )
    return _for_compose


def _for_compose(draft: Draft, release: Release) -> Rendered:
    chainlets = draft.graph.chainlets
    pythons = {spec.name: python_of(spec.remote_config.docker_image) for spec in chainlets}
    return compose_tree(release, ComposeSettings(pythons))


def _draft(loaded: LoadedChain, console: Console, *, is_locked: bool | None) -> Draft:
    wish = draft_settings(loaded.settings, loaded.name)
    wish = replace(wish, deploy=with_file_variables(wish.deploy, loaded))
    locked = Locker(loaded.settings, wish.build, console, is_locked=is_locked)
    return draft_release(loaded.graph, wish, take_snapshot, NamedSecrets(), locked)


def _with_images(draft: Draft, loaded: LoadedChain, wish: RenderWish) -> Release:
    if wish.registry is not None:
        registry = docker_registry(loaded.settings)
        command = f"chainctl build {loaded.graph.path} --registry {registry.address}"
        return by_digest(draft.release, draft.images, registry.find, command)
    records = (ledger_of(loaded.settings, target).latest(draft.chain) for target in TARGETS)
    return as_published(draft.release, (record.release for record in records if record is not None))

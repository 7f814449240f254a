"""A chain file and settings in; everything that a push decides before it touches anything, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from chainctl.build.instructions import build_secrets
from chainctl.build.lock import Lock
from chainctl.build.plan import BuildPlan, plan_build, repository_part
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.deploy.compose_release import compose_release, secret_names
from chainctl.deploy.release import Release, SecretRef, digest_of
from chainctl.deploy.settings import DeploySettings
from chainctl.graph.graph import ChainGraph

TOKEN = ".chainctl-token"  # a name


_NAME_LIMIT = 40


class Fingerprints(Protocol):
    """Keyed hashes of secret values. Raises MissingSecretError."""

    def fingerprints(self, chain: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, str]: ...

    def fingerprint(self, chain: str, name: str) -> str | None: ...

    def token(self, chain: str) -> str: ...


@dataclass(frozen=True, slots=True)
class DraftSettings:
    """What shapes a release besides the chain file. `api_key` and `tls` name secrets.

    `images` is the chain whose images it has, where that is another than its own. Where images are not
    built (no `has_builds`), the secrets of their builds are not asked for.
    """

    build: BuildSettings = field(default_factory=BuildSettings)
    deploy: DeploySettings = field(default_factory=DeploySettings)
    name: str | None = None
    api_key: str | None = None
    tls: str | None = None
    images: str | None = None
    has_builds: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """A release that was decided, with the images it needs. Nothing was built, nothing touched.

    `lock` is None where nothing is locked: for local processes.
    """

    chain: str
    graph: ChainGraph
    images: BuildPlan
    release: Release
    lock: Lock | None = None


def unlocked(_graph: ChainGraph, _snapshot: SourceSnapshot) -> Lock | None:
    """Lock nothing."""
    return None


def draft_release(
    graph: ChainGraph,
    settings: DraftSettings,
    snapshot: Callable[[ChainGraph, BuildSettings], SourceSnapshot],
    vault: Fingerprints,
    locked: Callable[[ChainGraph, SourceSnapshot], Lock | None] = unlocked,
) -> Draft:
    """Decide images and services of a chain; `locked` pins what the images install.

    Raises MissingSecretError, and LockError from `locked`.
    """
    chain = chain_name(graph, settings.name)
    fingerprints = _fingerprints(graph, chain, settings, vault)
    lock, images = draft_images(graph, settings, snapshot, locked)
    deploy = _deploy_settings(settings, fingerprints, digest_of(["token", vault.token(chain)])[:16])
    release = compose_release(graph, chain, images, deploy, fingerprints)
    return Draft(chain, graph, images, release, lock)


def draft_images(
    graph: ChainGraph,
    settings: DraftSettings,
    snapshot: Callable[[ChainGraph, BuildSettings], SourceSnapshot],
    locked: Callable[[ChainGraph, SourceSnapshot], Lock | None] = unlocked,
) -> tuple[Lock | None, BuildPlan]:
    """Decide the images of a chain alone: no secret is needed for them. Raises LockError from `locked`."""
    chain = settings.images or chain_name(graph, settings.name)
    files = snapshot(graph, settings.build)
    lock = locked(graph, files)
    return lock, plan_build(graph, chain, files, settings.build, lock)


def chain_name(graph: ChainGraph, given: str | None) -> str:
    """The name that images, services and commands use: given, or the chain's own, as a DNS label.

    Where the label had to leave something out, a digest keeps different names apart.
    """
    name = given or graph.chain
    label = repository_part(name)[:_NAME_LIMIT].strip("-")
    if name.isascii() and len(name) <= _NAME_LIMIT:
        return label
    return f"{label[: _NAME_LIMIT - 7]}-{digest_of(name)[:6]}"


def _fingerprints(
    graph: ChainGraph, chain: str, settings: DraftSettings, vault: Fingerprints
) -> dict[str, str]:
    wanted: dict[str, list[str]] = secret_names(graph)
    for name in filter(None, (settings.api_key, settings.tls)):
        wanted.setdefault(name, []).append("the front door")
    if settings.has_builds:
        for spec in graph.chainlets:
            for name in build_secrets(spec.remote_config, settings.build):
                wanted.setdefault(name, []).append(f"the build of {spec.name}")
    return vault.fingerprints(chain, wanted)


def _deploy_settings(
    settings: DraftSettings, fingerprints: Mapping[str, str], token_fingerprint: str
) -> DeploySettings:
    """Complete what was set with what stands for the secrets that go with it."""
    door = settings.deploy.front_door
    api_key, tls = (SecretRef(n, fingerprints[n]) if n else None for n in (settings.api_key, settings.tls))
    return replace(
        settings.deploy,
        front_door=replace(door, api_key=api_key, tls=tls, token_fingerprint=token_fingerprint),
        token_fingerprint=token_fingerprint,
    )

"""ChainGraph in, BuildPlan out: one ImagePlan per chainlet, named by its context before it is built."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from chainctl.build.base import Base, base_of
from chainctl.build.context import TAG_LENGTH, BuildContext, ContextFile, ImageRef, platform_tag
from chainctl.build.image_labels import image_labels
from chainctl.build.inputs import Input, image_inputs
from chainctl.build.installation import LOCKED, locked_files
from chainctl.build.instructions import (
    apt_words,
    build_secrets,
    command_secrets,
    env_pairs,
    python_of,
    require_renderable,
    run_commands,
    shell_words,
)
from chainctl.build.lock import Lock
from chainctl.build.requirements import requirement_files, runtime_requirements
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.build.steps import step_digests
from chainctl.calls.address import SERVICE_PORT
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import RemoteConfig, WebsocketOptions
from chainctl.templates import render
from chainctl.worker.models.asked_files import data_links

USER_ID = 10001


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The image of one chainlet: its name, what it is made of, the base it starts from.

    `inputs` names all that is in the context, so that two plans can be compared. `base_id` is the image
    id that the base must have on the engine, "" where any will do. `labels` go onto the image beside
    those of the Dockerfile; they are no part of its name. `steps` are digests of the slow steps, in
    their order: images with equal ones share their layers. `platform` is "" for the engine's own. `secrets`
    names those that instructions mount; their values are no part of the image or its name.
    """

    chainlet: str
    ref: ImageRef
    context: BuildContext
    base_image: str
    inputs: tuple[Input, ...] = ()
    base_id: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    platform: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All images of a chain, sorted by chainlet."""

    images: tuple[ImagePlan, ...]

    def missing(self, existing: frozenset[ImageRef]) -> tuple[ImagePlan, ...]:
        """Return the images that are not there yet."""
        return tuple(image for image in self.images if image.ref not in existing)

    def image_of(self, chainlet: str) -> ImagePlan:
        """Return the image of a chainlet. Raises KeyError."""
        for image in self.images:
            if image.chainlet == chainlet:
                return image
        raise KeyError(chainlet)


def plan_build(
    graph: ChainGraph, chain: str, snapshot: SourceSnapshot, settings: BuildSettings, lock: Lock | None = None
) -> BuildPlan:
    """Plan the image of every chainlet. `chain` is the name that images and services start with.

    With a lock, images install exactly what it says, on the bases that it pins; without, what the
    index gives on the day. Raises ChainDefinitionError for requirements that cannot be read, and for
    values that a Dockerfile cannot hold; KeyError for a chainlet that the lock does not know.
    """
    require_renderable(graph, settings, lock)
    return BuildPlan(tuple(_image(graph, spec, chain, snapshot, settings, lock) for spec in graph.chainlets))


def _image(
    graph: ChainGraph,
    spec: ChainletSpec,
    chain: str,
    snapshot: SourceSnapshot,
    settings: BuildSettings,
    lock: Lock | None,
) -> ImagePlan:
    context = build_context(graph, spec, chain, snapshot, settings, lock)
    tag = platform_tag(context.digest[:TAG_LENGTH], settings.foreign_platform)
    ref = ImageRef(f"{repository_part(chain)}/{repository_part(spec.name)}", tag)
    base = base_of(spec.remote_config.docker_image, settings, lock)
    return ImagePlan(
        spec.name,
        ref,
        context,
        base.reference,
        image_inputs(spec, graph.root, context, settings, lock),
        base_id=base.id,
        labels=image_labels(ref, context.digest, base),
        steps=_steps(spec.remote_config, base, context),
        platform=settings.foreign_platform,
        secrets=build_secrets(spec.remote_config, settings),
    )


def repository_part(name: str) -> str:
    """Turn a name into what image names allow: lower case, single separators, none at the ends."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "chain"


def build_context(
    graph: ChainGraph,
    spec: ChainletSpec,
    chain: str,
    snapshot: SourceSnapshot,
    settings: BuildSettings,
    lock: Lock | None = None,
) -> BuildContext:
    """Put together all files that one image is built from."""
    config = spec.remote_config
    requirements, given = (
        (locked_files(lock.environment_of(spec.name), snapshot, posixpath.dirname(graph.path)), [LOCKED])
        if lock
        else requirement_files(config.docker_image, snapshot, runtime_requirements(graph, spec))
    )
    packages = _package_files(config, snapshot)
    data = _data_files(config, snapshot)
    base = base_of(config.docker_image, settings, lock)
    values = _values(spec, chain, config, settings, base, given, data=bool(data), packages=bool(packages))
    values |= {"is_locked": lock is not None}
    return BuildContext.of([
        ContextFile.of_text("Dockerfile", render("Dockerfile.j2", values)),
        ContextFile.of_text("app/shim.py", render("shim.py.j2", values)),
        *requirements,
        *packages,
        *data,
        *(_certificates(settings, snapshot)),
        *(snapshot.runtime[path].placed_at(f"app/chainctl/{path}") for path in sorted(snapshot.runtime)),
        *(snapshot.files[f.source].placed_at(f"app/code/{f.path}") for f in spec.files if f.source in snapshot.files),
    ])  # fmt: skip


def _values(
    spec: ChainletSpec, chain: str, config: RemoteConfig, settings: BuildSettings, base: Base,
    given: list[str], *, data: bool, packages: bool,
) -> dict[str, object]:  # fmt: skip
    transport = config.options.transport
    pings = transport if isinstance(transport, WebsocketOptions) else WebsocketOptions()
    return {
        "chain": repository_part(chain),
        "chainlet": spec.name,
        "module": spec.module,
        "qualname": spec.qualname,
        "debug_logs": config.options.enable_debug_logs,
        "ping_interval_sec": pings.ping_interval_seconds,
        "ping_timeout_sec": pings.ping_timeout_seconds,
        "base": base,
        "python": python_of(config.docker_image),
        "apt_requirements": apt_words(config.docker_image),
        "requirement_files": shell_words(given),
        "build_commands": run_commands(config),
        "build_secrets": command_secrets(config),
        "index_credentials": settings.index_credentials_secret,
        "apt_mirror": settings.apt_mirror,
        "env": env_pairs(config),
        "certificates": settings.certificates,
        "truss_config": spec.truss_config,
        "truss_links": _truss_links(spec, has_packages=packages),
        "has_data": data,
        "has_code": bool(spec.files),
        "data_links": data_links(spec.truss_config),
        "has_packages": packages,
        "uid": USER_ID,
        "port": SERVICE_PORT,
    }


def _truss_links(spec: ChainletSpec, *, has_packages: bool) -> list[tuple[str, str]]:
    """Where a Truss model looks for its code and its packages by path, and where they are."""
    if spec.truss_config is None:
        return []
    top = spec.module.partition(".")[0]
    code = [(f"/app/{top}", f"code/{top}")] if spec.files else []
    return [*code, *([("/packages", "app/packages")] if has_packages else [])]


def _steps(config: RemoteConfig, base: Base, context: BuildContext) -> tuple[str, ...]:
    """Digests of those steps that run something for seconds or minutes."""
    image = config.docker_image
    trusted, listed = (
        [f"{file.path} {file.sha256}" for file in context.files if file.path.startswith(directory)]
        for directory in ("certificates/", ("install.py", "requirements/"))
    )
    apt = "\n".join([base.reference, base.id, *trusted, *apt_words(image)])
    installed = "\n".join([python_of(image), *listed])
    first = [apt, installed] if apt_words(image) else [f"{apt}\n{installed}"]
    return step_digests([*first, *run_commands(config)])


def _package_files(config: RemoteConfig, snapshot: SourceSnapshot) -> list[ContextFile]:
    """The contents of the external package directories, merged; a later one wins."""
    merged: dict[str, ContextFile] = {}
    for directory in config.docker_image.external_package_dirs or ():
        for path, file in snapshot.trees[str(directory)].items():
            merged[path] = file.placed_at(f"app/packages/{path}")
    return list(merged.values())


def _data_files(config: RemoteConfig, snapshot: SourceSnapshot) -> list[ContextFile]:
    directory = config.docker_image.data_dir
    if directory is None:
        return []
    return [file.placed_at(f"app/data/{path}") for path, file in snapshot.trees[str(directory)].items()]


def _certificates(settings: BuildSettings, snapshot: SourceSnapshot) -> list[ContextFile]:
    places = enumerate(settings.certificates)
    return [snapshot.files[path].placed_at(f"certificates/{index:02}.crt") for index, path in places]

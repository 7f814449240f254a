"""`chainctl build chain.py`: the images of a chain, without a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainctl.cli.options import (
    ExplainOption,
    FileArgument,
    JsonOption,
    LockedOption,
    NameOption,
    PlatformOption,
    QuietOption,
    RegistryOption,
    SecretsOption,
    TargetOption,
    VerboseOption,
)


def _nothing(_wanted: Mapping[str, Sequence[str]]) -> None:
    """Local processes build nothing, so they need no secret for it."""


def build(
    file: FileArgument,
    target: TargetOption = None,
    name: NameOption = None,
    secrets: SecretsOption = None,
    platform: PlatformOption = None,
    registry: RegistryOption = None,
    explain: ExplainOption = False,
    locked: LockedOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Build the images of a chain that are missing, and say why. Nothing is started or routed."""
    from chainctl.cli.console import Console, now
    from chainctl.cli.image_json import images_json
    from chainctl.cli.imaging import images_of, loaded_chain
    from chainctl.cli.loading import load_graph
    from chainctl.cli.output import print_result
    from chainctl.cli.wiring import open_world
    from chainctl.cli.worlds import require_registry
    from chainctl.workflows.build import build as build_images
    from chainctl.workflows.publish import publish_images
    from chainctl.workflows.reasons import image_lines

    console = Console(is_quiet=quiet, is_verbose=verbose)
    loaded = loaded_chain(
        load_graph(file), console, target=target, name=name, secrets=secrets, platform=platform,
        registry=registry,
    )  # fmt: skip
    world = open_world(loaded.settings, console.line, loaded.chain)
    require_registry(world, registry)
    _, images = images_of(loaded, console, world.kind, world, is_locked=locked)
    last = world.ledger.latest(loaded.chain)
    require = _nothing if world.kind == "local" else world.vault.require
    try:
        done = build_images(images, world.backend, last, console.emit, now, require)
        published = publish_images(images, world.registry, console.emit, now)
    finally:
        console.stop()
    value = {
        "chain": loaded.chain,
        "target": world.name,
        "compared_with": last.number if last else None,
        "images": images_json(done, "built"),
        "published": dict(published),
    }
    print_result("\n".join(image_lines(done, "built", is_full=explain)), value, as_json=as_json)

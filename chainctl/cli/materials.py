"""A chain file, or the name of a chainlet that was released, in; the bill of materials of its image out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from chainctl.build.plan import repository_part
from chainctl.build.sbom import Subject, sbom_of
from chainctl.cli.console import Console
from chainctl.cli.drafting import draft_for
from chainctl.cli.wiring import World, settings_for, world_of
from chainctl.errors import UsageError


def subject_of_file(
    file: str, chainlet: str | None, console: Console, *, target: str | None, name: str | None
) -> tuple[Subject, World]:
    """Find the image that a chain file's chainlet has, or would have. Raises UsageError."""
    draft, world = draft_for(file, console, target=target, name=name, secrets=None, is_plan=True)
    image = draft.images.image_of(_chosen(chainlet, [i.chainlet for i in draft.images.images]))
    subject = Subject(draft.chain, image.chainlet, str(image.ref), image.base_image)
    return subject, world


def subject_of_release(
    given: str, chainlet: str | None, console: Console, *, target: str | None
) -> tuple[Subject, World]:
    """Find the image of a chainlet in the last release. Raises UsageError."""
    chain, _, named = given.partition("/")
    world = world_of(chain, settings_for(target=target), console.line)
    record = world.ledger.latest(chain)
    if record is None:
        raise UsageError(
            f"No release of {chain} is recorded here", hint="give its chain file: `chainctl sbom chain.py`."
        )
    services = {service.chainlet: service for service in record.release.services}
    service = services[_chosen(named or chainlet, services)]
    return Subject(chain, service.chainlet, service.image), world


def materials_text(subject: Subject, world: World, at: float | None) -> str:
    """Look into an image and describe it as CycloneDX JSON. Raises UsageError when it can not be had."""
    if world.reader is None:
        raise UsageError(
            "Local processes have no image to look into", hint="name an engine: `--target docker`."
        )
    contents = world.reader.contents(subject.image)
    digest = world.reader.digest_of(subject.base_image) if subject.base_image else ""
    described = Subject(subject.chain, subject.chainlet, subject.image, subject.base_image, digest)
    return json.dumps(sbom_of(described, contents, made_at=at), indent=2, ensure_ascii=False) + "\n"


def made_at(environ: Mapping[str, str]) -> float | None:
    """The time that SOURCE_DATE_EPOCH gives; without it none is written down. Raises UsageError."""
    text = environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}", hint="give seconds since 1970, such as 1700000000."
        )
    return float(text)


def _chosen(wanted: str | None, chainlets: Iterable[str]) -> str:
    """Find a chainlet by its name, or by the part of its image's name; the only one needs no name."""
    names = sorted(chainlets)
    found = [n for n in names if wanted is None or wanted in (n, repository_part(n))]
    if len(found) == 1:
        return found[0]
    what = f"there is no chainlet called {wanted}" if wanted and not found else "it has several chainlets"
    raise UsageError(what, hint=f"choose one with `--chainlet`: {', '.join(names)}.")

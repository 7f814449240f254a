"""A chain file, or the name of a chainlet that was released, in; the bill of materials of its image out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.lock_file import LockFile
from chainctl.build.lock import Environment, Lock
from chainctl.build.plan import repository_part
from chainctl.build.sbom import Subject, sbom_of
from chainctl.cli.console import Console
from chainctl.cli.imaging import images_of, loaded_chain
from chainctl.cli.loading import load_graph
from chainctl.cli.surroundings import settings_for
from chainctl.cli.wiring import open_world, world_of
from chainctl.cli.worlds import World
from chainctl.errors import LockError, UsageError
from chainctl.state.ledger import Record


@dataclass(frozen=True, slots=True)
class Material:
    """An image to describe, where it is, and what was locked for it, None where that is not known."""

    subject: Subject
    world: World
    environment: Environment | None


def material_of_file(
    file: str, chainlet: str | None, console: Console, *, target: str | None, name: str | None
) -> Material:
    """Find the image that a chain file's chainlet has, or would have. Raises UsageError, LockError."""
    graph = load_graph(file)
    chosen = _chosen(chainlet, [spec.name for spec in graph.chainlets])
    loaded = loaded_chain(graph, console, target=target, name=name)
    world = open_world(loaded.settings, console.line, loaded.chain)
    lock, images = images_of(loaded, console, world.kind, world, is_locked=None)
    subject = Subject(loaded.chain, chosen, str(images.image_of(chosen).ref))
    return Material(subject, world, _environment(lock, chosen))


def material_of_release(
    given: str, chainlet: str | None, console: Console, *, target: str | None
) -> Material:
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
    environment = _environment(_lock_beside(record), service.chainlet)
    return Material(Subject(chain, service.chainlet, service.image), world, environment)


def materials_text(material: Material, at: float | None) -> str:
    """Look into an image and describe it as CycloneDX JSON. Raises UsageError when it can not be had."""
    reader = material.world.reader
    if reader is None:
        raise UsageError(
            "Local processes have no image to look into", hint="name an engine: `--target docker`."
        )
    contents = reader.contents(material.subject.image)
    bill = sbom_of(material.subject, contents, material.environment, at)
    return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"


def made_at(environ: Mapping[str, str]) -> float | None:
    """The time that SOURCE_DATE_EPOCH gives; without it none is written down. Raises UsageError."""
    text = environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len("253402300799"):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}", hint="give seconds since 1970, such as 1700000000."
        )
    return float(text)


def _lock_beside(record: Record) -> Lock | None:
    """The lock beside a release's source as it is now: it may be another, so that only what fits is told."""
    entrypoints = [s.chainlet for s in record.release.services if s.name == record.release.entrypoint]
    try:
        return LockFile.beside(Path(record.source), entrypoints[0]).read()
    except (LockError, OSError, IndexError):
        return None


def _environment(lock: Lock | None, chainlet: str) -> Environment | None:
    try:
        return lock.environment_of(chainlet) if lock else None
    except KeyError:
        return None


def _chosen(wanted: str | None, chainlets: Iterable[str]) -> str:
    """Find a chainlet by its name, or by the part of its image's name; the only one needs no name."""
    names = sorted(chainlets)
    found = [n for n in names if wanted is None or wanted in (n, repository_part(n))]
    if len(found) == 1:
        return found[0]
    what = f"There is no chainlet called {wanted}" if wanted and not found else "There are several chainlets"
    raise UsageError(what, hint=f"choose one with `--chainlet`: {', '.join(names)}.")

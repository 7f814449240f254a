"""A chain, its files and its lock in; the lock that fits them, and whether it was changed, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from chainctl.build.lock import BaseFacts, Environment, Lock
from chainctl.build.resolve import BaseImages, Resolver
from chainctl.build.settings import BuildSettings
from chainctl.build.settle import Pins, Task, Upgrade, assemble, require_settled, tasks
from chainctl.build.snapshot import SourceSnapshot
from chainctl.build.wanted import base_images, custom_bases, wanted_environments
from chainctl.errors import EngineError, LockError, Problem
from chainctl.graph.graph import ChainGraph

PARALLEL_RESOLUTIONS = 4


@dataclass(frozen=True, slots=True)
class Settled:
    """A lock that fits. `resolved` are the names of environments that were resolved, `pinned` base images."""

    lock: Lock
    before: Lock
    resolved: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()

    @property
    def has_changed(self) -> bool:
        return self.lock != self.before


def settle(
    graph: ChainGraph,
    snapshot: SourceSnapshot,
    settings: BuildSettings,
    before: Lock,
    resolver: Resolver,
    bases: Callable[[], BaseImages | None],
    *,
    upgrade: Upgrade | None = None,
    is_locked: bool = False,
    pins_bases: bool = True,
    path: str = "",
) -> Settled:
    """Lock what is missing and keep the rest; where nothing is missing nobody is asked.

    With `is_locked` nothing is resolved: LockError says what is stale. `bases` is called when
    an image must be asked; where it gives None (no engine), or without `pins_bases` (nothing will be
    built), base images stay unpinned.
    """
    wish = upgrade or Upgrade()
    images = base_images(graph, settings)
    facts = _facts(graph, settings, before, bases, wish, is_locked=is_locked, path=path)
    wanted = wanted_environments(graph, snapshot, settings, facts)
    if is_locked:
        require_settled(before, wanted, images if pins_bases else (), path)
        return Settled(before, before)
    waiting = tasks(before, wanted, wish)
    pins = _pins(images if pins_bases else (), before, bases, facts, wish)
    resolved = resolve_all(waiting, resolver, wish)
    lock = assemble(before, wanted, resolved, images, pins)
    return Settled(lock, before, tuple(task.name for task in waiting), tuple(sorted(pins.digests)))


def resolve_all(waiting: Iterable[Task], resolver: Resolver, upgrade: Upgrade) -> dict[str, Environment]:
    """Resolve environments side by side. Raises LockError with the problems of all."""
    todo = list(waiting)
    if not todo:
        return {}
    resolved: dict[str, Environment] = {}
    problems: list[Problem] = []
    with ThreadPoolExecutor(min(PARALLEL_RESOLUTIONS, len(todo)), "resolve") as pool:
        running = [(task, pool.submit(resolver.resolve, task, upgrade)) for task in todo]
        try:
            for task, future in running:
                try:
                    resolved[task.wanted.digest] = future.result()
                except LockError as error:
                    problems += [problem for problem in error.problems if problem not in problems]
        except BaseException:  # an interrupt, mostly: nobody waits for an index then
            pool.shutdown(wait=False, cancel_futures=True)
            resolver.cancel()
            raise
    if problems:
        raise LockError(problems)
    return resolved


def _facts(
    graph: ChainGraph, settings: BuildSettings, before: Lock, bases: Callable[[], BaseImages | None],
    upgrade: Upgrade, *, is_locked: bool, path: str,
) -> Mapping[str, BaseFacts]:  # fmt: skip
    """Facts of the user's own base images: those of the lock, or asked of the image once."""
    found: dict[str, BaseFacts] = {}
    for image, pythons in sorted(custom_bases(graph, settings).items()):
        known = before.base_facts.get(image, BaseFacts())
        if not upgrade.has_bases and pythons <= set(known.pythons):
            found[image] = known
        elif is_locked:
            raise LockError([Problem("CH0808", f"the Python of the base image {image} is not in the lock", path,
                                     help="run `chainctl lock` and commit chainctl.lock")])  # fmt: skip
        elif (engine := bases()) is None:
            raise EngineError(
                f"the base image {image} must be asked for its Python, and no engine answers",
                hint="start the engine (`chainctl doctor`), then run `chainctl lock`.",
            )
        else:
            asked = engine.facts(image, sorted(pythons | set(known.pythons)))
            found[image] = replace(asked, is_local=known.is_local)
    return found


def _pins(
    images: Iterable[str], before: Lock, bases: Callable[[], BaseImages | None],
    facts: Mapping[str, BaseFacts], upgrade: Upgrade,
) -> Pins:  # fmt: skip
    """Digests of base images that have none yet."""
    digests: dict[str, str] = {}
    known: dict[str, BaseFacts] = dict(facts)
    missing = [image for image in images if upgrade.has_bases or image not in before.base_images]
    engine = bases() if missing else None
    if engine is None:
        return Pins(digests, known)
    for image in missing:
        digests[image], is_local = engine.digest(image)
        known[image] = replace(known.get(image, BaseFacts()), is_local=is_local)
    return Pins(digests, known)

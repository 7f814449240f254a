"""A Draft in; its images built, its services running, its release recorded, its URL out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from chainctl.build.backend import BuildBackend
from chainctl.build.plan import ImagePlan
from chainctl.build.registry import Registry
from chainctl.deploy.execute import execute
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.state import desired_state
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError
from chainctl.events import BuildFinished, BuildStarted, Emit, Notice, PhaseStarted
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.draft import Draft
from chainctl.workflows.publish import publish_images

PARALLEL_BUILDS = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Who pushes what: the source file, the user, and the source's revision where it has one."""

    source: str
    user: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has done. `number` is the release; an unchanged chain keeps its number.

    `images` has each chainlet's image: by digest where it was published, else as the target calls it.
    """

    chain: str
    url: str
    number: int
    built: tuple[str, ...]
    plan: DeployPlan
    images: tuple[tuple[str, str], ...] = ()


def push(
    draft: Draft,
    backend: BuildBackend,
    target: DeployTarget,
    ledger: Ledger,
    origin: Origin,
    emit: Emit,
    clock: Callable[[], float],
    registry: Registry | None = None,
) -> Pushed:
    """Bring a release up; with a registry, its images are pushed there before anything is started.

    Raises BuildError and RegistryError (nothing running was touched), DeployError (what served still serves),
    EngineError (push again to go on), LockHeldError.
    """
    with ledger.lock(draft.chain):
        missing = draft.images.missing(backend.existing(image.ref for image in draft.images.images))
        build_all(missing, backend, emit, clock)
        draft = publish_images(draft, registry, emit, clock)
        plan = reconcile(desired_state(draft.release), target.observe(draft.chain))
        if plan.is_empty:
            emit(Notice(f"{draft.chain} is up to date"))
        else:
            emit(PhaseStarted("Deploy"))
        execute(plan, target, emit, clock)
        number = _record(draft, ledger, origin, clock)
    door = target.observe(draft.chain).front_door
    if door is None:
        raise DeployError(f"{draft.chain} has no front door after the push", hint="push again.")
    images = tuple((s.chainlet, s.published or s.image) for s in draft.release.services)
    return Pushed(draft.chain, door.url, number, tuple(i.chainlet for i in missing), plan, images)


def build_all(
    images: Sequence[ImagePlan], backend: BuildBackend, emit: Emit, clock: Callable[[], float]
) -> None:
    """Build images side by side. Raises the first failure; builds under way are broken off then."""
    if not images:
        return
    emit(PhaseStarted("Build"))
    with ThreadPoolExecutor(min(PARALLEL_BUILDS, len(images)), "build") as pool:
        builds = [pool.submit(_build, image, backend, emit, clock) for image in images]
        try:
            done, _ = wait(builds, return_when=FIRST_EXCEPTION)
            for build in done:
                build.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            backend.cancel()
            raise


def _build(image: ImagePlan, backend: BuildBackend, emit: Emit, clock: Callable[[], float]) -> None:
    started = clock()
    emit(BuildStarted(image.chainlet, str(image.ref)))
    backend.build(image, emit)
    emit(BuildFinished(image.chainlet, str(image.ref), clock() - started))


def _record(draft: Draft, ledger: Ledger, origin: Origin, clock: Callable[[], float]) -> int:
    """Write the release down, unless it is the one that was written last."""
    latest = ledger.latest(draft.chain)
    if latest is not None and latest.release.digest == draft.release.digest:
        return latest.number
    number = ledger.next_number(draft.chain)
    ledger.record(
        Record(number, draft.release, clock(), origin.source, user=origin.user, revision=origin.revision)
    )
    return number

"""A Draft in; its images built, its services running, its release recorded, its URL out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chainctl.build.backend import BuildBackend
from chainctl.build.differences import summary
from chainctl.build.image_labels import REVISION
from chainctl.build.input_table import InputTable
from chainctl.build.plan import ImagePlan
from chainctl.build.registry import Registry
from chainctl.build.steps import build_waves
from chainctl.deploy.canary import Canary
from chainctl.deploy.canary_plan import with_canary
from chainctl.deploy.compose_interfaces import compose_interfaces
from chainctl.deploy.execute import Gates, execute, ungated, unwatched
from chainctl.deploy.gates import with_gates
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.state import ObservedState
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError
from chainctl.events import BuildFinished, BuildStarted, Emit, Notice, PhaseStarted
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.canary import watching
from chainctl.workflows.draft import Draft
from chainctl.workflows.placing import require_machine
from chainctl.workflows.plan_file import PlanFile, plan_file, require_as_planned
from chainctl.workflows.publish import publish_images
from chainctl.workflows.reasons import ExplainedImage, explain_images
from chainctl.workflows.rollout import Rollout, plan_rollout, released, warm_names
from chainctl.workflows.settle import settle

if TYPE_CHECKING:
    from chainctl.workflows.components import Components

PARALLEL_BUILDS = 4
_AT_ONCE = Rollout()


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
    `target` is its name, `digest` that of the release.
    """

    chain: str
    url: str
    number: int
    built: tuple[str, ...]
    plan: DeployPlan
    images: tuple[tuple[str, str], ...] = ()
    target: str = ""
    digest: str = ""


def push(
    draft: Draft,
    backend: BuildBackend,
    target: DeployTarget,
    ledger: Ledger,
    origin: Origin,
    emit: Emit,
    clock: Callable[[], float],
    registry: Registry | None = None,
    rollout: Rollout = _AT_ONCE,
    planned: PlanFile | None = None,
    components: Components | None = None,
) -> Pushed:
    """Bring a release up; with a registry, its images are pushed there before anything is started.

    With `planned`, only as long as all is as it was when that plan was made: else StalePlanError.
    Raises ChainDefinitionError for what asks for more than the machine has, BuildError and RegistryError (nothing
    running was touched), DeployError (what served still serves),
    CanaryError (what served has all traffic again), EngineError (push again to go on), LockHeldError,
    JobsFailedError (see Components).
    """
    if registry is None and planned is None and (components is None or components.is_settled(draft.release)):
        done = _as_it_is(draft, backend, target, ledger, rollout, emit)
        if done is not None:
            return done
    with ledger.lock(draft.chain):
        existing = backend.existing(image.ref for image in draft.images.images)
        last = ledger.latest(draft.chain)
        if planned is not None:
            kept = warm_names(ledger, draft.release, rollout.keep_warm)
            seen = target.observe(draft.chain)
            beside = components.planned(draft.release) if components else ()
            now = plan_file(draft, target.name, seen, last, warm=kept, components=beside)
            require_as_planned(planned, now)
        if components is not None:
            components.before(draft.release)
        for doubt in require_machine(draft.graph, draft.release, target):
            emit(Notice(doubt))
        explained = explain_images(draft.images, existing, last)
        missing = [one for one in explained if not one.is_reused]
        build_all(missing, backend, emit, clock, revision=origin.revision)
        published = publish_images(draft.images, registry, emit, clock)
        draft = replace(draft, release=draft.release.published_as(published))
        warm = warm_names(ledger, draft.release, rollout.keep_warm)
        canary, release = rollout.canary, draft.release

        def look() -> tuple[DeployPlan, ObservedState]:
            edited = ledger.edited(draft.chain)
            plan, observed = plan_rollout(release, target, released(last), warm, edited)
            plan = plan if canary is None else _tried(plan, observed, canary, emit)
            return with_gates(plan, components.gates(release) if components else ()), observed

        def act(plan: DeployPlan) -> None:
            emit(PhaseStarted("Deploy"))
            watch = watching(canary, target, emit, clock) if canary else unwatched
            execute(plan, target, emit, clock, watch, _gates_of(components, draft, target))
            ledger.mark_edited(draft.chain, ())

        plan, after = settle(look, act, emit)
        if plan.is_empty:
            emit(_up_to_date(draft))
        number = _record(draft, last, ledger, origin, clock, components)
        done = _pushed(draft, target, number, after, plan, tuple(one.image.chainlet for one in missing))
        if components is not None:
            components.after(release, target.name, number, done.url)
    return done


def _gates_of(components: Components | None, draft: Draft, target: DeployTarget) -> Gates:
    if components is None:
        return ungated
    return lambda operation: components.pass_gates(draft.release, operation, target.name)


def _as_it_is(
    draft: Draft, backend: BuildBackend, target: DeployTarget, ledger: Ledger, rollout: Rollout, emit: Emit
) -> Pushed | None:
    """Return the release that serves when it is the one that is wanted: then there is nothing to lock for.

    The engine is asked for its images and for what runs at the same time. None when anything differs.
    """
    last = ledger.latest(draft.chain)
    if last is None or last.release.digest != draft.release.digest:
        return None
    warm = warm_names(ledger, draft.release, rollout.keep_warm)
    with ThreadPoolExecutor(1, "observe") as pool:
        edited = ledger.edited(draft.chain)
        planning = pool.submit(plan_rollout, draft.release, target, last.release, warm, edited)
        refs = {image.ref for image in draft.images.images}
        has_images = refs <= backend.existing(refs)
        plan, observed = planning.result()
    if not (has_images and plan.is_empty):
        return None
    emit(_up_to_date(draft))
    return _pushed(draft, target, last.number, observed, plan)


def _up_to_date(draft: Draft) -> Notice:
    return Notice(f"{draft.chain} is up to date")


def _pushed(
    draft: Draft,
    target: DeployTarget,
    number: int,
    observed: ObservedState,
    plan: DeployPlan,
    built: tuple[str, ...] = (),
) -> Pushed:
    if observed.front_door is None:
        raise DeployError(f"{draft.chain} has no front door after the push", hint="push again.")
    images = tuple((s.chainlet, s.published or s.image) for s in draft.release.services)
    return Pushed(
        draft.chain, observed.front_door.url, number, built, plan, images, target.name, draft.release.digest
    )


def _tried(plan: DeployPlan, observed: ObservedState, canary: Canary, emit: Emit) -> DeployPlan:
    """Try the release with a part of the traffic, where there is an old one to compare it with."""
    tried = with_canary(plan, canary, observed)
    if tried == plan and not plan.is_empty:
        emit(Notice("There is no traffic to split: no canary is tried."))
    return tried


def build_all(
    images: Sequence[ExplainedImage],
    backend: BuildBackend,
    emit: Emit,
    clock: Callable[[], float],
    *,
    revision: str = "",
) -> None:
    """Build images side by side, each step of them once. Raises the first failure.

    Builds under way are broken off then. `revision` is that of the sources; it becomes a label.
    """
    if not images:
        return
    emit(PhaseStarted("Build"))
    joined = backend.joins_equal_steps
    for wave in (images,) if joined else build_waves(images, lambda one: one.image.steps):
        _build_wave(wave, lambda one: _build(one, backend, emit, clock, revision), backend)


def _build_wave(
    images: Sequence[ExplainedImage], build: Callable[[ExplainedImage], None], backend: BuildBackend
) -> None:
    with ThreadPoolExecutor(min(PARALLEL_BUILDS, len(images)), "build") as pool:
        builds = [pool.submit(build, image) for image in images]
        try:
            done, _ = wait(builds, return_when=FIRST_EXCEPTION)
            for built in done:
                built.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            backend.cancel()
            raise


def _build(
    one: ExplainedImage, backend: BuildBackend, emit: Emit, clock: Callable[[], float], revision: str
) -> None:
    started, image = clock(), one.image
    emit(BuildStarted(image.chainlet, str(image.ref), summary(one.reasons)))
    backend.build(_labelled(image, revision), emit)
    emit(BuildFinished(image.chainlet, str(image.ref), clock() - started))


def _labelled(image: ImagePlan, revision: str) -> ImagePlan:
    return replace(image, labels=(*image.labels, (REVISION, revision))) if revision else image


def _record(
    draft: Draft,
    last: Record | None,
    ledger: Ledger,
    origin: Origin,
    clock: Callable[[], float],
    components: Components | None,
) -> int:
    """Write the release down, unless it is the one that was written last, components and all."""
    revisions = components.revisions(draft.release) if components else ()
    if last is not None and (last.release.digest, last.components) == (draft.release.digest, revisions):
        return last.number
    number = ledger.next_number(draft.chain)
    ledger.record(
        Record(
            number,
            draft.release,
            clock(),
            origin.source,
            user=origin.user,
            revision=origin.revision,
            inputs=InputTable.of({image.chainlet: image.inputs for image in draft.images.images}),
            interfaces=compose_interfaces(draft.graph),
            components=revisions,
        )
    )
    return number

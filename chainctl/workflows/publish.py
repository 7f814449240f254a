"""A Draft in; its images in a registry, and the Draft with their digests, out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

from chainctl.build.plan import ImagePlan
from chainctl.build.registry import Registry
from chainctl.events import Emit, Notice, OperationFinished, OperationStarted, PhaseStarted
from chainctl.workflows.draft import Draft

PARALLEL_PUSHES = 4


def publish_images(draft: Draft, registry: Registry | None, emit: Emit, clock: Callable[[], float]) -> Draft:
    """Push all images of a draft side by side; without a registry the draft stays as it is.

    Raises RegistryError, EngineError.
    """
    images = draft.images.images
    if registry is None or not images:
        return draft
    emit(PhaseStarted("Publish"))
    with ThreadPoolExecutor(min(PARALLEL_PUSHES, len(images)), "publish") as pool:
        pushes = {image.chainlet: pool.submit(_publish, image, registry, emit, clock) for image in images}
        done, waiting = wait(pushes.values(), return_when=FIRST_EXCEPTION)
        for push in waiting:
            push.cancel()
        for push in done:
            push.result()
    published = {chainlet: push.result() for chainlet, push in pushes.items()}
    return replace(draft, release=draft.release.published_as(published))


def _publish(image: ImagePlan, registry: Registry, emit: Emit, clock: Callable[[], float]) -> str:
    started, line = clock(), f"push {image.ref} to {registry.address}"
    emit(OperationStarted(line))
    done = registry.publish(image.ref)
    emit(OperationFinished(line, clock() - started))
    if done.was_there:
        emit(Notice(f"  {image.ref} was there already"))
    return done.image

"""Images that were built in; the same in a registry, by digest, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from chainctl.build.plan import BuildPlan, ImagePlan
from chainctl.build.registry import Registry
from chainctl.events import Emit, Notice, OperationFinished, OperationStarted, PhaseStarted

PARALLEL_PUSHES = 4


def publish_images(
    plan: BuildPlan, registry: Registry | None, emit: Emit, clock: Callable[[], float]
) -> Mapping[str, str]:
    """Push all images side by side; returns each chainlet's image by digest, nothing without a registry.

    Raises RegistryError, EngineError.
    """
    if registry is None or not plan.images:
        return {}
    emit(PhaseStarted("Publish"))
    with ThreadPoolExecutor(min(PARALLEL_PUSHES, len(plan.images)), "publish") as pool:
        pushes = {
            image.chainlet: pool.submit(_publish, image, registry, emit, clock) for image in plan.images
        }
        done, waiting = wait(pushes.values(), return_when=FIRST_EXCEPTION)
        for push in waiting:
            push.cancel()
        for push in done:
            push.result()
    return {chainlet: push.result() for chainlet, push in pushes.items()}


def _publish(image: ImagePlan, registry: Registry, emit: Emit, clock: Callable[[], float]) -> str:
    started, line = clock(), f"push {image.ref} to {registry.address}"
    emit(OperationStarted(line))
    done = registry.publish(image.ref)
    emit(OperationFinished(line, clock() - started))
    if done.was_there:
        emit(Notice(f"  {image.ref} was there already"))
    return done.image

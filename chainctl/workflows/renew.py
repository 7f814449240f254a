"""A draft and some of its chainlets in; their services started anew, under their names, from images of it, out.

The release stays the one that it is: what so runs is no release, and the next push replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from chainctl.build.backend import BuildBackend
from chainctl.deploy.execute import Turn, execute
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import ObservedState
from chainctl.deploy.target import DeployTarget
from chainctl.events import Emit
from chainctl.state.ledger import Ledger
from chainctl.workflows.draft import Draft
from chainctl.workflows.push import build_all
from chainctl.workflows.reasons import explain_images
from chainctl.workflows.redeploy import latest_of
from chainctl.workflows.rollout import plan_rollout

GENERATION_VARIABLE = "CHAINCTL_GENERATION"
"""Tells a service with which generation of the chain's code it starts."""


def renew(
    draft: Draft,
    chainlets: Collection[str],
    generation: int,
    turn: Turn,
    backend: BuildBackend,
    target: DeployTarget,
    ledger: Ledger,
    emit: Emit,
    clock: Callable[[], float],
) -> None:
    """Build what is missing and renew the services of chainlets; others go on with the images that they have.

    Their code is that of a `generation`; `turn` turns callers to it once it is ready beside the old one.
    Raises UsageError when no release is recorded, LockHeldError, BuildError, DeployError, EngineError.
    """
    chain = draft.chain
    with ledger.lock(chain):
        record = latest_of(ledger, chain)
        existing = backend.existing(image.ref for image in draft.images.images)
        explained = explain_images(draft.images, existing, record)
        missing = [one for one in explained if not one.is_reused and one.image.chainlet in chainlets]
        build_all(missing, backend, emit, clock)
        observed = target.observe(chain)
        number = (GENERATION_VARIABLE, str(generation))
        services = tuple(_with_image(s, draft, chainlets, observed, number) for s in record.release.services)
        ours = {service.name for service in services}
        renewed = {service.name for service in services if service.chainlet in chainlets}
        plan, _ = plan_rollout(
            replace(record.release, services=services),
            target,
            record.release,
            frozenset({one.name for one in observed.services} - ours),
            frozenset(renewed),
            generation,
        )
        execute(plan, target, emit, clock, turn=turn)
        ledger.mark_edited(chain, ledger.edited(chain) | renewed)


def _with_image(
    service: ServiceSpec,
    draft: Draft,
    chainlets: Collection[str],
    observed: ObservedState,
    number: tuple[str, str],
) -> ServiceSpec:
    if service.chainlet in chainlets:
        image = str(draft.images.image_of(service.chainlet).ref)
        return replace(service, image=image, env=(*service.env, number))
    there = observed.service(service.name)
    return replace(service, image=there.image) if there is not None and there.image else service

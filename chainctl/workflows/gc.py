"""A target's store and its ledger in; what nothing uses any more removed, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import assert_never

from chainctl.deploy.gc import GcPlan, Removal, RemoveImage, RemoveLeftover, chain_of, gc_line, plan_gc
from chainctl.deploy.image_store import ImageStore
from chainctl.errors import DeployError, LockHeldError
from chainctl.events import Emit, Notice, OperationFinished, OperationStarted
from chainctl.state.ledger import Ledger
from chainctl.workflows.images import recorded


@dataclass(frozen=True, slots=True)
class GcSettings:
    """How many releases of each chain are kept, and of which chain things go; None for all.

    `others` are the ledgers of other targets, by name, that may use the same images.
    """

    keep: int
    only: str | None = None
    others: Mapping[str, Ledger] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed. `freed_bytes` is measured, None where the target does not tell."""

    removals: tuple[Removal, ...]
    freed_bytes: int | None


def gc_plan(store: ImageStore, ledger: Ledger, settings: GcSettings, now: float) -> GcPlan:
    """Decide what would go; touches nothing."""
    return plan_gc(
        store.stored(settings.only), recorded(ledger, settings.keep, settings.others), now, only=settings.only
    )


def collect(
    plan: GcPlan,
    store: ImageStore,
    ledger: Ledger,
    settings: GcSettings,
    emit: Emit,
    clock: Callable[[], float],
) -> Collected:
    """Remove what the plan says, chain by chain, as far as it still holds.

    A chain that somebody changes right now is left alone, and so is what came into use since the plan
    was made: it is decided anew under the chain's lock. What belongs to no chain has no lock.
    """
    before = store.stored().bytes
    removed: list[Removal] = []
    for chain in plan.chains:
        wanted = {_key(removal) for removal in plan.removals if chain_of(removal) == chain}
        try:
            with ledger.lock(chain) if chain else nullcontext():
                still = plan_gc(
                    store.stored(chain), recorded(ledger, settings.keep, settings.others), clock(), only=chain
                )
                removed += _apply([r for r in still.removals if _key(r) in wanted], store, emit, clock)
        except LockHeldError as error:
            emit(Notice(f"{chain} is left alone: {error.message}"))
    after = store.stored().bytes
    freed = None if before is None or after is None else max(0, before - after)
    return Collected(tuple(removed), freed)


def _apply(
    removals: list[Removal], store: ImageStore, emit: Emit, clock: Callable[[], float]
) -> list[Removal]:
    done = []
    for removal in removals:
        line, started = gc_line(removal), clock()
        emit(OperationStarted(line))
        try:
            _remove(removal, store)
        except DeployError as error:
            emit(Notice(f"{line}: not removed: {error.message}"))
            continue
        emit(OperationFinished(line, clock() - started))
        done.append(removal)
    return done


def _remove(removal: Removal, store: ImageStore) -> None:
    match removal:
        case RemoveImage(image=image):
            store.remove_image(image)
        case RemoveLeftover(leftover=leftover):
            store.remove_leftover(leftover)
        case _:
            assert_never(removal)


def _key(removal: Removal) -> str:
    return removal.image.id if isinstance(removal, RemoveImage) else removal.leftover.id

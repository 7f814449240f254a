"""Desired and observed state and a target in; the plan between them, with GPUs of that target, out."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.placed_plan import misfit_error, wants_devices, with_devices
from chainctl.deploy.placement import Misfit
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.state import DesiredState, ObservedState
from chainctl.deploy.target import DeployTarget


def reconcile_placed(desired: DesiredState, observed: ObservedState, target: DeployTarget) -> DeployPlan:
    """Plan, and give GPUs to what is started. The target is asked for them only where some are wanted.

    A chainlet that finds none beside its older service takes its place after it has ended, where that may
    be. Where nobody can tell which GPUs there are, the target chooses. Raises DeployError for a misfit.
    """
    plan = reconcile(desired, observed)
    host = target.gpus() if wants_devices(plan) else None
    if host is None:
        return plan
    crowded: frozenset[str] = frozenset()
    while isinstance(found := with_devices(plan, host), Misfit):
        tried, crowded = crowded, crowded | {found.want.chainlet}
        capacity = replace(observed.capacity, crowded=crowded)
        again = reconcile(desired, replace(observed, capacity=capacity))
        if tried == crowded or again == plan:
            raise misfit_error(found)
        plan = again
    return found

"""What is wanted and a target in; the plan to it with GPUs of that target, or what it lacks, out."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.devices import HostDevices
from chainctl.deploy.placed_plan import misfit_error, wants_devices, with_devices
from chainctl.deploy.placement import Misfit
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.shortage import shortages
from chainctl.deploy.state import DesiredState, ObservedState
from chainctl.deploy.target import DeployTarget
from chainctl.errors import ChainDefinitionError
from chainctl.graph.graph import ChainGraph


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


def placed(plan: DeployPlan, target: DeployTarget) -> DeployPlan:
    """Give GPUs to what a plan starts, where the target can tell which there are. Raises DeployError for a misfit."""
    host = target.gpus() if wants_devices(plan) else None
    found = plan if host is None else with_devices(plan, host)
    if isinstance(found, Misfit):
        raise misfit_error(found)
    return found


def require_machine(graph: ChainGraph, release: Release, target: DeployTarget) -> tuple[str, ...]:
    """Check, before anything is built, that each service could run if nothing else did.

    Returns what may fail and can not be known yet, a sentence each. Raises ChainDefinitionError with the places
    that ask for more than there is, DeployError for what no machine of several is meant for, and EngineError.
    """
    wants_gpus = any(service.resources.gpu for service in release.services)
    host: HostDevices | None = target.gpus() if wants_gpus else None
    problems = list(shortages(graph, release.services, target.capacity(), host))
    if problems:
        raise ChainDefinitionError(problems)
    return target.require_places(release.services)

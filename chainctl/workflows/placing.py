"""A DeployPlan and a target in; the plan with GPUs of that target out."""

from __future__ import annotations

from chainctl.deploy.placed_plan import wants_devices, with_devices
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.target import DeployTarget


def placed(plan: DeployPlan, target: DeployTarget) -> DeployPlan:
    """Give GPUs to what a plan starts. The target is asked only where some are wanted.

    Where nobody can tell which there are, the target chooses. Raises DeployError when one does not fit.
    """
    if not wants_devices(plan):
        return plan
    host = target.gpus()
    return plan if host is None else with_devices(plan, host)

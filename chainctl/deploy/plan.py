"""DeployPlan: the operations that lead from what is to what is wanted, in order, each with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.release import INTERCEPT_REPLICA, FrontDoor, replica_name


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """Operations in order. `kept` names the services that stay untouched, with their chainlets.

    `warm` names those of older releases that stay as well, without traffic. `counts` has how many replicas
    are wanted of services that have more than one. `renewed` names services whose replicas start anew
    under the same name, with other values of their secrets.
    """

    chain: str
    operations: tuple[Operation, ...]
    kept: tuple[tuple[str, str], ...] = ()
    warm: tuple[tuple[str, str], ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    renewed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.operations

    @property
    def started(self) -> tuple[StartService, ...]:
        return tuple(op for op in self.operations if isinstance(op, StartService))


def _place_of(door: FrontDoor) -> str:
    if door.bind:
        return f"on {door.bind}:{door.port or 'a free port'}"
    return f"in the cluster, port {door.port}" if door.port else "in the cluster"


def line_of(operation: Operation) -> str:
    """One line of the plan's text: a sign, what, and why."""
    match operation:
        case EnsureNetwork(chain=chain):
            what = f"+ network {chain}"
        case StartService(service=service, replica=replica) if replica > 1:
            what = f"+ replica {replica} of {service.name} ({service.chainlet})"
        case StartService(service=service, replaces=None):
            what = f"+ service {service.name} ({service.chainlet})"
        case StartService(service=service, replaces=old):
            what = f"~ service {service.name} ({service.chainlet}), for {old}"
        case AwaitReady(service=service, replica=replica):
            what = f"? ready {replica_name(service.name, replica)} ({service.chainlet})"
        case EnsureFrontDoor(front_door=door, replaces=replaces):
            what = f"{'~' if replaces else '+'} front door {_place_of(door)}"
        case Route(service=service_name, before=before, replicas=replicas) if before == service_name:
            what = f"~ route to {_counted(replicas)} of {service_name}"
        case Route(service=service_name, before=None):
            what = f"+ route to {service_name}"
        case Route(service=service_name, before=before):
            what = f"~ route from {before} to {service_name}"
        case SplitRoute(service=service_name, before=before, percent=percent):
            what = f"~ {percent} % of the traffic from {before} to {service_name}"
        case PassGates(service=service_name, gates=gates):
            what = f"? {', '.join(gates)} of {service_name}"
        case StopService(service=service_name, chainlet=chainlet, replica=replica) if (
            replica == INTERCEPT_REPLICA
        ):
            what = f"- intercept of {service_name} ({chainlet})"
        case StopService(service=service_name, chainlet=chainlet, replica=replica) if replica > 1:
            what = f"- replica {replica} of {service_name} ({chainlet})"
        case StopService(service=service_name, chainlet=chainlet):
            what = f"- service {service_name} ({chainlet})"
        case TurnCallers(generation=generation, services=services):
            what = f"~ callers turn to edit {generation}" + (f" of {', '.join(services)}" if services else "")
        case RemoveFrontDoor():
            what = "- front door"
        case RemoveNetwork(chain=chain):
            what = f"- network {chain}"
        case _:
            assert_never(operation)
    return f"{what}{_devices(operation)}: {operation.cause}"


def _devices(operation: Operation) -> str:
    if not isinstance(operation, StartService) or not operation.devices:
        return ""
    return f" on GPU {' and '.join(str(device.index) for device in operation.devices)}"


def plan_text(plan: DeployPlan, components: int = 0) -> str:
    """Render a plan for people: one line an operation, kept services, and a total."""
    lines = [line_of(op) for op in plan.operations if not isinstance(op, AwaitReady)]
    counts = dict(plan.counts)
    lines += [
        f"= service {service} ({chainlet})" + (f", {_counted(counts[service])}" if service in counts else "")
        for service, chainlet in plan.kept
    ]
    lines += [f"= service {service} ({chainlet}) (warm)" for service, chainlet in plan.warm]
    return "\n".join([*lines, total_of(plan, components)])


def total_of(plan: DeployPlan, components: int = 0) -> str:
    """Count what a plan does to services; there is nothing to do only where nothing at all is.

    `components` is how many of them are applied or removed beside that.
    """
    started = [op for op in plan.started if op.service.name not in plan.renewed]
    services = [op for op in started if op.replica == 1]
    stops = [op for op in plan.operations if isinstance(op, StopService) and op.service not in plan.renewed]
    created = sum(op.replaces is None for op in services)
    replaced = len(services) - created
    removed = sum(op.replica == 1 for op in stops) - replaced
    parts = [
        (created, "to create"),
        (replaced, "to replace"),
        (len(plan.renewed), "to renew"),
        (max(removed, 0), "to remove"),
        (len(started) - len(services), "more to start as replicas"),
        (sum(op.replica > 1 for op in stops), "replicas to stop"),
        (components, "component to change" if components == 1 else "components to change"),
    ]
    shown = [f"{count} {what}" for count, what in parts if count]
    nothing = "nothing to do" if plan.is_empty else "no service to change"
    warm = f", {len(plan.warm)} warm" if plan.warm else ""
    return f"Plan: {', '.join(shown) or nothing}, {len(plan.kept)} kept{warm}."


def _counted(replicas: int) -> str:
    return f"{replicas} replica{'s' if replicas != 1 else ''}"

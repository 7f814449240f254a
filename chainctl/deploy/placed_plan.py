"""A DeployPlan and the devices of its host in; the plan with GPUs given to what it starts, out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chainctl.deploy.devices import Device, Holding, HostDevices, Want
from chainctl.deploy.operations import Operation, StartService, StopService
from chainctl.deploy.placement import Misfit, place, used
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.release import replica_name
from chainctl.deploy.sizes import shown_bytes
from chainctl.errors import DeployError


def wants_devices(plan: DeployPlan) -> bool:
    """Say whether a plan gives GPUs to anything, or may have to give them back: only then is the host asked."""
    restored = (op.restores for op in plan.operations if isinstance(op, StopService))
    return any(spec.resources.gpu for spec in (*(op.service for op in plan.started), *restored) if spec)


def with_devices(plan: DeployPlan, host: HostDevices) -> DeployPlan | Misfit:
    """Give GPUs to the services that a plan starts, or say which one does not fit.

    What runs keeps its devices, ready or not, and those of services that the plan stops only later are
    not free yet.
    """
    had = _devices_by_holder(HostDevices(holdings=tuple(h for h in host.holdings if h.is_active)))
    wants = {step: want for step, want in _wants(plan, host) if want.service not in had}
    found = place(list(wants.values()), host)
    if isinstance(found, Misfit):
        return found
    given = {**_kept(plan, host, had), **dict(zip(wants, found, strict=True))}
    return replace(
        plan, operations=tuple(_with(op, given.get(step, ())) for step, op in enumerate(plan.operations))
    )


def misfit_error(found: Misfit) -> DeployError:
    """Say what does not fit, and who has what."""
    want = found.want
    part = f" with {shown_bytes(want.memory_bytes)} of memory each" if want.memory_bytes else ""
    model = want.model or f"GPU{'s' if want.count != 1 else ''} of any type"
    return DeployError(
        f"{want.chainlet} does not fit: it asks for {want.count} {model}{part}",
        hint="ask for less in its `Compute` (`gpu`, `gpu_count`, `gpu_memory`), or stop what has the GPUs.",
        details=host_lines(found.host) or ["the host has no GPU"],
    )


def host_lines(host: HostDevices) -> list[str]:
    """Render who has what: one line a device."""
    return [
        _host_line(device, [h for h in host.holdings if h.device == device.id]) for device in host.devices
    ]


def _with(operation: Operation, devices: tuple[Device, ...]) -> Operation:
    if devices and isinstance(operation, StartService | StopService):
        return replace(operation, devices=devices)
    return operation


def _wants(plan: DeployPlan, host: HostDevices) -> Iterator[tuple[int, Want]]:
    """Yield what is asked for, by the place of its operation in the plan."""
    before = _devices_by_holder(host)
    ended: set[str] = set()
    for step, op in enumerate(plan.operations):
        if isinstance(op, StopService):
            ended.add(_name(op))
        if isinstance(op, StartService) and op.service.resources.gpu:
            gpu, name = op.service.resources.gpu, _name(op)
            preferred = before.get(name) or before.get(op.replaces or "", ())
            yield (
                step,
                Want(
                    op.service.chainlet,
                    name,
                    gpu.model,
                    gpu.count,
                    gpu.memory_bytes,
                    frozenset(ended),
                    preferred,
                ),
            )


def _kept(
    plan: DeployPlan, host: HostDevices, had: Mapping[str, tuple[str, ...]]
) -> dict[int, tuple[Device, ...]]:
    """Return the devices of what has some and is to be started all the same, or may have to be started again."""
    return {
        step: tuple(device for device in host.devices if device.id in had.get(_name(op), ()))
        for step, op in enumerate(plan.operations)
        if (isinstance(op, StartService) and op.service.resources.gpu)
        or (isinstance(op, StopService) and op.restores)
    }


def _name(operation: StartService | StopService) -> str:
    service = operation.service if isinstance(operation, StopService) else operation.service.name
    return replica_name(service, operation.replica)


def _devices_by_holder(host: HostDevices) -> Mapping[str, tuple[str, ...]]:
    had: dict[str, tuple[str, ...]] = {}
    for holding in host.holdings:
        had[holding.holder] = (*had.get(holding.holder, ()), holding.device)
    return had


def _host_line(device: Device, held: list[Holding]) -> str:
    memory = shown_bytes(device.memory_bytes) if device.memory_bytes is not None else "memory unknown"
    shares = [
        f"{h.holder} has {'all of it' if h.memory_bytes is None else shown_bytes(h.memory_bytes)}"
        for h in held
    ]
    if held and device.memory_bytes is not None and all(h.memory_bytes is not None for h in held):
        shares.append(f"{shown_bytes(device.memory_bytes - used(held))} free")
    return f"GPU {device.index}, {device.model or 'model unknown'}, {memory}: {', '.join(shares) or 'free'}"

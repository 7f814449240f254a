"""A DeployPlan and the devices of its host in; the plan with GPUs given to what it starts, out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chainctl.deploy.devices import Device, Holding, HostDevices, Want
from chainctl.deploy.operations import StartService, StopService
from chainctl.deploy.placement import Misfit, place, used
from chainctl.deploy.plan import DeployPlan
from chainctl.errors import DeployError

_GIB = 1 << 30


def wants_devices(plan: DeployPlan) -> bool:
    """Say whether anything that the plan starts asks for GPUs: only then has the host to be asked."""
    return any(start.service.resources.gpu for start in plan.started)


def with_devices(plan: DeployPlan, host: HostDevices) -> DeployPlan:
    """Give GPUs to the services that a plan starts. Raises DeployError with who has what when one does not fit.

    What runs keeps its devices, ready or not, and those of services that the plan stops only later are
    not free yet.
    """
    running = _devices_by_holder(HostDevices(holdings=tuple(h for h in host.holdings if h.is_active)))
    wants = {step: want for step, want in _wants(plan, host) if want.service not in running}
    found = place(list(wants.values()), host)
    if isinstance(found, Misfit):
        raise _does_not_fit(found)
    placed = {**_kept(plan, host, running), **dict(zip(wants, found, strict=True))}
    operations = tuple(
        replace(op, devices=placed[step]) if step in placed and isinstance(op, StartService) else op
        for step, op in enumerate(plan.operations)
    )
    return replace(plan, operations=operations)


def host_lines(host: HostDevices) -> list[str]:
    """Render who has what: one line a device."""
    return [
        _host_line(device, [h for h in host.holdings if h.device == device.id]) for device in host.devices
    ]


def _wants(plan: DeployPlan, host: HostDevices) -> Iterator[tuple[int, Want]]:
    """Yield what is asked for, by the place of its operation in the plan."""
    had = _devices_by_holder(host)
    ended: set[str] = set()
    for step, op in enumerate(plan.operations):
        if isinstance(op, StopService):
            ended.add(op.service)
        if isinstance(op, StartService) and op.service.resources.gpu:
            gpu, name = op.service.resources.gpu, op.service.name
            before = had.get(name) or had.get(op.replaces or "", ())
            yield (
                step,
                Want(
                    op.service.chainlet,
                    name,
                    gpu.model,
                    gpu.count,
                    gpu.memory_bytes,
                    frozenset(ended),
                    before,
                ),
            )


def _kept(
    plan: DeployPlan, host: HostDevices, running: Mapping[str, tuple[str, ...]]
) -> dict[int, tuple[Device, ...]]:
    """Return the devices of what has some already and is to be started all the same."""
    return {
        step: tuple(device for device in host.devices if device.id in running[op.service.name])
        for step, op in enumerate(plan.operations)
        if isinstance(op, StartService) and op.service.resources.gpu and op.service.name in running
    }


def _devices_by_holder(host: HostDevices) -> Mapping[str, tuple[str, ...]]:
    had: dict[str, tuple[str, ...]] = {}
    for holding in host.holdings:
        had[holding.holder] = (*had.get(holding.holder, ()), holding.device)
    return had


def _does_not_fit(found: Misfit) -> DeployError:
    want = found.want
    part = f" with {_size(want.memory_bytes)} of memory each" if want.memory_bytes else ""
    model = want.model or "GPU of any type"
    return DeployError(
        f"{want.chainlet} does not fit: it asks for {want.count} {model}{part}",
        hint="ask for less in its `Compute` (`gpu`, `gpu_count`, `gpu_memory`), or stop what has the GPUs.",
        details=host_lines(found.host) or ["the host has no GPU"],
    )


def _host_line(device: Device, held: list[Holding]) -> str:
    memory = _size(device.memory_bytes) if device.memory_bytes is not None else "memory unknown"
    shares = [
        f"{h.holder} has {'all of it' if h.memory_bytes is None else _size(h.memory_bytes)}" for h in held
    ]
    free = device.memory_bytes - used(held) if device.memory_bytes is not None else None
    if held and free is not None and all(h.memory_bytes is not None for h in held):
        shares.append(f"{_size(free)} free")
    return f"GPU {device.index}, {device.model or 'model unknown'}, {memory}: {', '.join(shares) or 'free'}"


def _size(count: int) -> str:
    return f"{count / _GIB:.4g}Gi"

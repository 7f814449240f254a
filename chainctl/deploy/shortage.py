"""The services of a release and what a machine has in; what asks for more than there is, with its place, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainctl.deploy.devices import HostDevices, Want
from chainctl.deploy.placement import Misfit, place
from chainctl.deploy.release import Gpu, ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.deploy.state import Capacity
from chainctl.errors import Problem
from chainctl.graph.graph import ChainGraph


def shortages(
    graph: ChainGraph, services: Iterable[ServiceSpec], capacity: Capacity, host: HostDevices | None
) -> Iterator[Problem]:
    """Yield what could not run even if nothing else did. `host` is None where nobody can tell its GPUs."""
    for service in services:
        for what in _lacking(service, capacity, host):
            yield _problem(graph, service, what)


def _lacking(service: ServiceSpec, capacity: Capacity, host: HostDevices | None) -> Iterator[str]:
    """In words: what it asks for, and what there is."""
    wanted = service.resources
    capacity = capacity.largest or capacity
    if capacity.is_held_to:
        if capacity.cpus is not None and wanted.cpus > capacity.cpus:
            yield f"{wanted.cpus:g} CPUs, and the machine has {capacity.cpus}"
        if capacity.memory_bytes is not None and wanted.memory_bytes > capacity.memory_bytes:
            has = shown_bytes(capacity.memory_bytes)
            yield f"{shown_bytes(wanted.memory_bytes)} of memory, and the machine has {has}"
    if wanted.gpu is not None and host is not None and _is_misfit(service, wanted.gpu, host):
        models = ", ".join(device.model or "one of unknown type" for device in host.devices)
        yield f"{_shown(wanted.gpu)}, and the machine has {models or 'no GPU'}"


def _is_misfit(service: ServiceSpec, gpu: Gpu, host: HostDevices) -> bool:
    """Whether its GPUs would not even be found if nobody else had any."""
    want = Want(service.chainlet, service.name, gpu.model, gpu.count, gpu.memory_bytes)
    return isinstance(place([want], HostDevices(host.devices)), Misfit)


def _shown(gpu: Gpu) -> str:
    model = gpu.model or ("GPU" if gpu.count == 1 else "GPUs")
    memory = f" with {shown_bytes(gpu.memory_bytes)} of memory each" if gpu.memory_bytes else ""
    return f"{gpu.count} {model}{memory}"


def _problem(graph: ChainGraph, service: ServiceSpec, what: str) -> Problem:
    spec = graph.chainlet(service.chainlet)
    keys = "its `Compute`" if spec.config_file is None else "`resources`"
    return Problem(
        "CH0512",
        f"{spec.name} asks for {what}",
        *spec.place_of("resources"),
        help=f"ask for less in {keys}, or push to a machine that has it",
    )

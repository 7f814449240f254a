"""GPUs in a push: asked for only where they are wanted, and made free where that is the only way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.deploy.devices import Device, Holding, HostDevices
from chainctl.deploy.operations import StartService, StopService
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.release import Gpu, Release, Strategy
from chainctl.errors import DeployError
from chainctl.state.ledger import Ledger
from chainctl.workflows.push import push
from chainctl.workflows.rollout import plan_rollout
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import silent
from tests.fakes.target import MemoryTarget
from tests.unit.workflows.test_push import ORIGIN, draft

ONE = (Device("GPU-0", 0, "NVIDIA L4", 24 << 30),)


def with_gpu(release: Release, strategy: Strategy | None = None) -> Release:
    """The release, with a GPU for Left."""
    services = tuple(
        replace(s, resources=replace(s.resources, gpu=Gpu("L4", 1)), strategy=strategy)
        if s.chainlet == "Left"
        else s
        for s in release.services
    )
    return replace(release, services=services)


class Host(MemoryTarget):
    """One GPU, which all that runs of Left has."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def gpus(self) -> HostDevices:
        self.asked += 1
        held = [s.name for s in self.observe("shop").services if s.chainlet == "Left"]
        return HostDevices(ONE, tuple(Holding("GPU-0", name) for name in held))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """With a release that runs."""
    target = Host()
    plain = draft()
    made = replace(plain, release=with_gpu(plain.release))
    push(made, MemoryBackend(), target, Ledger(tmp_path, "memory"), ORIGIN, silent, lambda: 0.0)
    return target


def lefts(plan: DeployPlan) -> list[str]:
    """What happens to Left."""
    return [
        line_of(op)
        for op in plan.operations
        if (isinstance(op, StartService) and op.service.chainlet == "Left")
        or (isinstance(op, StopService) and op.chainlet == "Left")
    ]


def test_a_host_is_asked_where_gpus_are_started(host: Host) -> None:
    """Once by the push; not for what runs already, nor for chains without any."""
    started = [op for op in host.applied if isinstance(op, StartService) and op.devices]
    assert [op.devices for op in started] == [ONE]
    asked = host.asked
    last = with_gpu(draft().release)
    assert plan_rollout(last, host, last)[0].is_empty
    assert host.asked == asked


def test_a_successor_that_finds_none_takes_the_place_of_the_old_one(host: Host) -> None:
    """It starts after the old one has ended, and gets its GPU."""
    last = with_gpu(draft().release)
    plan, _ = plan_rollout(with_gpu(draft("Left").release), host, last)
    first, second = lefts(plan)
    assert first.startswith("- service shop-left-")
    assert first.endswith("ended before its successor starts: its GPUs are not there twice")
    assert " on GPU 0: its image changed" in second


def test_what_must_be_beside_the_old_one_does_not_fit(host: Host) -> None:
    """Nothing is ended for a service that was told to replace, and the error says who has what."""
    last = with_gpu(draft().release)
    with pytest.raises(DeployError, match="Left does not fit: it asks for 1 L4") as caught:
        plan_rollout(with_gpu(draft("Left").release, Strategy.REPLACE), host, last)
    assert caught.value.details[0].startswith("GPU 0, NVIDIA L4, 24Gi: shop-left-")


def test_a_host_that_has_too_little_in_any_case(host: Host) -> None:
    """Not for the lack of room beside the old one: another one has it."""
    other = HostDevices(ONE, (Holding("GPU-0", "stranger"),))
    host.gpus = lambda: other  # type: ignore[method-assign]  # of this host only
    last = with_gpu(draft().release)
    with pytest.raises(DeployError, match="does not fit"):
        plan_rollout(with_gpu(draft("Left").release), host, last)

"""Plans with GPUs: what is started where, and what is said when it does not fit."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.devices import Device, Holding, HostDevices
from chainctl.deploy.operations import AwaitReady, EnsureFrontDoor, Operation, StartService, StopService
from chainctl.deploy.placed_plan import misfit_error, wants_devices, with_devices
from chainctl.deploy.placement import Misfit
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.release import FrontDoor, Gpu, ServiceSpec
from chainctl.deploy.take_back import undoing
from tests.unit.deploy.test_release import service

GIB = 1 << 30
HOST = HostDevices(tuple(Device(f"GPU-{i}", i, "NVIDIA L4", 24 * GIB) for i in range(2)))


def spec(name: str, gpu: Gpu | None = None) -> ServiceSpec:
    one = service({})
    return replace(one, name=name, chainlet=name.title(), resources=replace(one.resources, gpu=gpu))


def start(name: str, count: int = 1, gib: int | None = None, replaces: str | None = None) -> StartService:
    return StartService(spec(name, Gpu("L4", count, gib and gib * GIB)), "new chainlet", replaces)


def plan(*operations: Operation) -> DeployPlan:
    return DeployPlan("shop", operations)


def held(*holdings: Holding) -> HostDevices:
    return replace(HOST, holdings=holdings)


def placed_in(of: DeployPlan, host: HostDevices = HOST) -> DeployPlan:
    found = with_devices(of, host)
    assert not isinstance(found, Misfit), found
    return found


def given(of: DeployPlan, host: HostDevices = HOST) -> list[list[int]]:
    placed = placed_in(of, host)
    return [[d.index for d in op.devices] for op in placed.operations if isinstance(op, StartService)]


def test_a_host_is_asked_only_where_gpus_are_wanted() -> None:
    assert not wants_devices(plan(StartService(spec("a"), "new chainlet")))
    assert wants_devices(plan(start("a")))


def test_a_plan_says_which_gpus_are_given() -> None:
    placed = placed_in(plan(StartService(spec("a"), "c"), start("b", 2), AwaitReady(spec("b"), "c")))
    assert [line_of(op) for op in placed.operations] == [
        "+ service a (A): c",
        "+ service b (B) on GPU 0 and 1: new chainlet",
        "? ready b (B): c",
    ]


def test_a_successor_is_beside_what_it_replaces() -> None:
    """The old one goes last; where both share a device, it is the same one."""
    successor = plan(start("new", replaces="old"), StopService("shop", "old", "Old", "replaced"))
    assert given(successor, held(Holding("GPU-0", "old"))) == [[1]]
    shared = plan(start("new", gib=10, replaces="old"))
    assert given(shared, held(Holding("GPU-1", "old", 10 * GIB))) == [[1]]


def test_what_is_stopped_first_makes_room() -> None:
    """As a recreated service does."""
    ended_first = plan(StopService("shop", "old", "Old", "c"), start("new", 2, replaces="old"))
    both = held(Holding("GPU-0", "old"), Holding("GPU-1", "old"))
    assert given(ended_first, both) == [[0, 1]]
    assert isinstance(with_devices(plan(*reversed(ended_first.operations)), both), Misfit)


def test_what_may_come_back_gets_back_its_own() -> None:
    """A release that fails starts again what had to end for it, where it was."""
    old = spec("old", Gpu("L4", 1))
    recreated = plan(StopService("shop", "old", "Old", "c", old), start("new", 2, replaces="old"))
    placed = placed_in(recreated, held(Holding("GPU-1", "old")))
    back = [op for op in undoing(placed, placed.operations) if isinstance(op, StartService)]
    assert [op.devices for op in back] == [HOST.devices[1:]]


def test_replicas_have_their_own() -> None:
    """Each is a holder by itself."""
    further = replace(start("a"), replica=2)
    assert given(plan(start("a"), further)) == [[0], [1]]
    assert given(plan(further), held(Holding("GPU-0", "a"))) == [[1]]


def test_what_stopped_gets_back_what_it_had() -> None:
    assert given(plan(start("a")), held(Holding("GPU-1", "a", is_active=False))) == [[1]]


def test_what_runs_and_is_not_ready_keeps_what_it_has() -> None:
    """A push that was cut off: the start finds it running."""
    assert given(plan(start("a"), start("b")), held(Holding("GPU-1", "a"))) == [[1], [0]]


def test_what_does_not_fit_is_explained() -> None:
    """The chainlet, what it asks for, and who has what."""
    host = HostDevices(
        (*HOST.devices, Device("2", 2)),
        (
            Holding("GPU-0", "stranger"),
            Holding("GPU-1", "shop-a", 4 * GIB),
            Holding("2", "gone", None, False),
        ),
    )
    found = with_devices(plan(start("b", gib=10), start("transcribe", 2, 20)), host)
    assert isinstance(found, Misfit)
    error = misfit_error(found)
    assert error.message == "Transcribe does not fit: it asks for 2 L4 with 20Gi of memory each"
    assert error.details == (
        "GPU 0, NVIDIA L4, 24Gi: stranger has all of it",
        "GPU 1, NVIDIA L4, 24Gi: shop-a has 4Gi, b has 10Gi, 10Gi free",
        "GPU 2, model unknown, memory unknown: free",
    )


def test_a_line_says_where_a_door_listens() -> None:
    """On an address of a machine, or wherever a cluster has it."""

    def line(door: FrontDoor) -> str:
        return line_of(EnsureFrontDoor("shop", door, "it is new"))

    assert line(FrontDoor()) == "+ front door on 127.0.0.1:a free port: it is new"
    assert line(FrontDoor(port=8100)) == "+ front door on 127.0.0.1:8100: it is new"
    assert line(FrontDoor(bind="")) == "+ front door in the cluster: it is new"
    assert line(FrontDoor(bind="", port=8100)) == "+ front door in the cluster, port 8100: it is new"

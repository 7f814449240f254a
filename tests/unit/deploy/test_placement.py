"""Placement of GPUs: examples, and a search over all placements that it must agree with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.devices import Device, Holding, HostDevices, Want
from chainctl.deploy.placement import Misfit, Placement, place

GIB = 1 << 30
L4 = tuple(Device(f"GPU-{i}", i, "NVIDIA L4", 24 * GIB) for i in range(3))


def want(name: str, count: int = 1, gib: int | None = None, model: str | None = "L4", **more: object) -> Want:
    """Of a service that is called as its chainlet."""
    return Want(name, name, model, count, None if gib is None else gib * GIB, **more)  # type: ignore[arg-type]  # of Want


def indices(found: Placement | Misfit) -> list[list[int]]:
    assert not isinstance(found, Misfit), found
    return [[device.index for device in devices] for devices in found]


def test_types_are_told_apart() -> None:
    """By words of the driver's name; what has no name may be anything."""
    assert Device("a", 0, "NVIDIA L4").is_a("L4")
    assert not Device("a", 0, "NVIDIA L40").is_a("L4")
    assert Device("a", 0, "NVIDIA A100-SXM4-80GB").is_a("A100")
    assert not Device("a", 0, "NVIDIA A100-SXM4-80GB").is_a("A100_40GB")
    assert Device("a", 0, "Tesla T4").is_a(None)
    assert Device("a", 0).is_a("H100")


def test_whole_devices_are_given_once() -> None:
    assert indices(place([want("A", 2), want("B")], HostDevices(L4))) == [[0, 1], [2]]
    assert isinstance(place([want("A", 2), want("B", 2)], HostDevices(L4)), Misfit)


def test_memory_is_shared_and_devices_are_filled() -> None:
    """So that whole ones stay for who wants a whole one."""
    assert indices(place([want("A", gib=10), want("B", gib=10), want("C", 2)], HostDevices(L4))) == [
        [0],
        [0],
        [1, 2],
    ]
    assert indices(place([want("A", gib=20), want("B", gib=20)], HostDevices(L4))) == [[0], [1]]


def test_a_greedy_choice_is_taken_back() -> None:
    """The first one leaves the only device of its type to the second one."""
    host = HostDevices((Device("a", 0, "NVIDIA L4", 24 * GIB), Device("b", 1, "Tesla T4", 16 * GIB)))
    assert indices(place([want("Any", model=None), want("L4")], host)) == [[1], [0]]


def test_what_runs_stays_where_it_is() -> None:
    """Strangers too, unless they have ended before."""
    host = HostDevices(L4[:2], (Holding("GPU-0", "old"), Holding("GPU-1", "stranger", is_active=False)))
    assert indices(place([want("A")], host)) == [[1]]
    assert isinstance(place([want("A", 2)], host), Misfit)
    assert indices(place([want("A", 2, after=frozenset(["old"]))], host)) == [[0, 1]]


def test_what_starts_again_gets_what_it_had() -> None:
    assert indices(place([want("A", preferred=("GPU-2",)), want("B")], HostDevices(L4))) == [[2], [0]]


def test_what_nobody_knows_the_memory_of_is_not_shared() -> None:
    host = HostDevices((Device("0", 0), Device("1", 1)))
    assert indices(place([want("A", gib=1), want("B", gib=1)], host)) == [[0], [1]]


def test_the_first_that_does_not_fit_is_named_with_who_has_what() -> None:
    found = place([want("A"), want("B", 2), want("C")], HostDevices(L4[:2]))
    assert found == Misfit(want("B", 2), HostDevices(L4[:2], (Holding("GPU-0", "A"),)))


def test_a_full_host_of_equals_is_decided_at_once() -> None:
    """Sixteen alike devices and many wants: equal ones are tried once."""
    many = HostDevices(tuple(Device(f"{i}", i, "NVIDIA H100", 80 * GIB) for i in range(16)))
    wants = [want(f"S{i}", 1, 30, "H100") for i in range(33)]
    assert isinstance(place(wants, many), Misfit)
    assert not isinstance(place(wants[:32], many), Misfit)


MODELS = ("L4", "T4")
AMOUNTS = st.none() | st.integers(1, 4)


@st.composite
def hosts(draw: st.DrawFn) -> HostDevices:
    count = draw(st.integers(1, 4))
    devices = tuple(
        Device(f"d{i}", i, draw(st.sampled_from(["", "NVIDIA L4", "Tesla T4"])), draw(st.none() | st.integers(2, 6)))
        for i in range(count)
    )  # fmt: skip
    held = []
    for device in devices:
        amount = draw(st.sampled_from([0, 0, 1, None]))
        if amount != 0:
            held.append(Holding(device.id, draw(st.sampled_from(["old", "older", "other"])), amount))
    return HostDevices(devices, tuple(held))


WANTS = st.lists(
    st.builds(
        lambda model, count, amount, after: (model, count, amount, after),
        st.none() | st.sampled_from(MODELS),
        st.integers(1, 2),
        AMOUNTS,
        st.frozensets(st.sampled_from(["old", "older"])),
    ),
    max_size=4,
).map(lambda given: [Want(f"w{i}", f"w{i}", m, n, a, after) for i, (m, n, a, after) in enumerate(given)])


def _is_kept(wants: Sequence[Want], host: HostDevices, places: Sequence[Sequence[Device]]) -> bool:
    """Whether at every start no device is given twice: said anew, with no regard to how it is searched."""
    held, ended = list(host.holdings), set[str]()
    for one, devices in zip(wants, places, strict=True):
        ended |= one.after
        held += [Holding(device.id, one.service, one.memory_bytes) for device in devices]
        if len(set(devices)) != one.count or not all(device.is_a(one.model) for device in devices):
            return False
        for device in devices:
            there = [h.memory_bytes for h in held if h.device == device.id and h.holder not in ended]
            parts = [part for part in there if part is not None]
            is_alone = len(there) == 1
            if not is_alone and (len(parts) < len(there) or device.memory_bytes is None):
                return False
            if device.memory_bytes is not None and sum(parts) > device.memory_bytes:
                return False
    return True


@given(WANTS, hosts())
@settings(max_examples=300, deadline=None)
def test_a_placement_is_found_whenever_there_is_one(wants: list[Want], host: HostDevices) -> None:
    """By trying all of them; and what is found is one of those."""
    found = place(wants, host)
    if isinstance(found, Misfit):
        prefix = wants[: wants.index(found.want) + 1]
        choices = [list(itertools.combinations(host.devices, one.count)) for one in prefix]
        assert not any(_is_kept(prefix, host, places) for places in itertools.product(*choices))
    else:
        assert _is_kept(wants, host, found)
        assert place(wants, host) == found

"""From so many replicas to so many others: the same operations as a scale, from whatever there is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chainctl.deploy.operations import AwaitReady, Operation, Route, StartService, StopService
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.scaling_plan import running_counts, scaling_plan
from chainctl.deploy.state import ObservedDoor, ObservedService, ObservedState, ServiceStatus
from tests.fakes.chains import graph_of, release_of

SPEC = release_of(graph_of({"Ask": []})).services[0]


def state(*statuses: ServiceStatus, door: tuple[str | None, int] = (SPEC.name, 1)) -> ObservedState:
    """Replicas from the first on, and where the door leads."""
    services = tuple(
        ObservedService(SPEC.name, SPEC.chainlet, status, SPEC.fingerprint, SPEC.image, replica=number)
        for number, status in enumerate(statuses, 1)
    )
    shown = ObservedDoor("http://x", "d", door[0], replicas=door[1])
    return ObservedState(SPEC.chain, services, shown, has_network=True)


def steps(wanted: int, observed: ObservedState, spec: ServiceSpec = SPEC, *, entry: bool = True) -> list[str]:
    plan = scaling_plan(spec, wanted, observed, "why", is_entrypoint=entry)
    assert all(operation.cause == "why" for operation in plan.operations)
    return [shown(operation) for operation in plan.operations]


def shown(operation: Operation) -> str:
    match operation:
        case StartService(replica=replica):
            return f"start {replica}"
        case AwaitReady(replica=replica):
            return f"await {replica}"
        case Route(replicas=replicas):
            return f"route {replicas}"
        case StopService(replica=replica, has_others=True):
            return f"stop {replica}"
    raise AssertionError(operation)


UP, OFF = ServiceStatus.RUNNING, ServiceStatus.STOPPED


def test_more_are_started_together_and_then_get_traffic() -> None:
    assert steps(3, state(UP)) == ["start 2", "start 3", "await 2", "await 3", "route 3"]
    assert steps(3, state(UP), entry=False) == ["start 2", "start 3", "await 2", "await 3"]


def test_fewer_lose_the_traffic_first() -> None:
    assert steps(1, state(UP, UP, UP, door=(SPEC.name, 3))) == ["route 1", "stop 3", "stop 2"]


def test_none_is_left_without_a_route() -> None:
    """The door holds requests; there is nothing that it could lead to."""
    assert steps(0, state(UP, UP, door=(SPEC.name, 2))) == ["stop 2", "stop 1"]
    assert steps(1, state(door=(None, 1))) == ["start 1", "await 1", "route 1"]


def test_what_was_cut_off_is_repaired() -> None:
    """A replica that was never awaited, one that was drained, a door that was not flipped."""
    assert steps(2, state(UP, OFF)) == ["start 2", "await 2", "route 2"]
    assert steps(1, state(UP, OFF)) == ["stop 2"]
    assert steps(2, state(UP, UP, door=(SPEC.name, 1))) == ["route 2"]
    assert steps(1, state(UP, door=(None, 1))) == ["route 1"]
    assert steps(0, state(OFF, door=(None, 1))) == ["stop 1"]


def test_what_stands_in_for_a_chainlet_is_left_alone() -> None:
    observed = state(UP)
    away = replace(observed.services[0], replica=99, intercepted_by="you")
    observed = replace(observed, services=(*observed.services, away))
    assert steps(1, observed) == []
    assert running_counts(observed) == {SPEC.name: 1}


@given(st.integers(0, 6), st.lists(st.sampled_from([UP, OFF]), max_size=6), st.integers(0, 6))
def test_nothing_is_done_where_it_is_so(wanted: int, statuses: list[ServiceStatus], spread: int) -> None:
    """And everything that differs is changed, once."""
    observed = state(*statuses, door=(SPEC.name if spread else None, spread or 1))
    found = steps(wanted, observed)
    is_routed = wanted == 0 or spread == wanted
    assert (found == []) == (statuses == [UP] * wanted and is_routed)
    assert len(found) == len(set(found))

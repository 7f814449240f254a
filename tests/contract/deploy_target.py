"""The contract of a DeployTarget: derive a class, give `target` and `spec_of`, and run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest

from chainctl.deploy.canary import Traffic
from chainctl.deploy.execute import execute
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
)
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Call, FrontDoor, Release, SecretRef, ServiceSpec
from chainctl.deploy.state import ObservedState, ServiceStatus, desired_state, nothing
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError
from tests.fakes.chains import silent

CHAIN = "contract"
CAUSE = "the contract asks for it"
SECRET = "renewed"
SpecOf = Callable[[str], ServiceSpec]


class DeployTargetContract:
    """Left open: `target`, empty at first, and `spec_of`, which makes a spec of `chain` that can run there.

    The target's vault has a value for SECRET.
    """

    chain: ClassVar[str] = CHAIN

    @pytest.fixture
    def target(self) -> DeployTarget:
        raise NotImplementedError

    @pytest.fixture
    def spec_of(self) -> SpecOf:
        raise NotImplementedError

    def test_an_unknown_chain_is_observed_as_nothing(self, target: DeployTarget) -> None:
        """Nothing there is no error."""
        assert target.observe(self.chain) == ObservedState(self.chain)
        assert self.chain not in target.chains()
        assert target.loads(self.chain, ["nobody"]) == Loads()

    def test_a_release_is_brought_up_observed_and_taken_down(
        self, target: DeployTarget, spec_of: SpecOf
    ) -> None:
        """The plan of a release leads to that release, and the plan of nothing to nothing."""
        release = _release(spec_of("one"))
        _execute(target, release)
        _require_serving(target, release)
        assert self.chain in target.chains()
        execute(reconcile(nothing(self.chain), target.observe(self.chain)), target, silent, lambda: 0.0)
        assert target.observe(self.chain) == ObservedState(self.chain)
        assert self.chain not in target.chains()

    def test_a_release_is_observed_as_it_was_wanted(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """A second plan of the same release is empty: names, fingerprints and door come back unchanged."""
        release = _release(spec_of("one"))
        _execute(target, release)
        assert reconcile(desired_state(release), target.observe(self.chain)).is_empty

    def test_every_operation_may_be_applied_again(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """A plan that was cut off anywhere is simply run again."""
        spec = spec_of("one")
        up: list[Operation] = [
            EnsureNetwork(self.chain, CAUSE),
            StartService(spec, CAUSE),
            AwaitReady(spec, CAUSE),
            EnsureFrontDoor(self.chain, FrontDoor(), CAUSE),
            Route(self.chain, spec.name, CAUSE),
        ]
        for operation in [op for op in up for _ in range(2)]:
            target.apply(operation, silent)
        _require_serving(target, _release(spec))
        down: list[Operation] = [
            RemoveFrontDoor(self.chain, CAUSE),
            StopService(self.chain, spec.name, spec.chainlet, CAUSE),
            RemoveNetwork(self.chain, CAUSE),
        ]
        for operation in [op for op in down for _ in range(2)]:
            target.apply(operation, silent)
        assert target.observe(self.chain) == ObservedState(self.chain)

    def test_what_was_never_awaited_is_not_taken_for_running(
        self, target: DeployTarget, spec_of: SpecOf
    ) -> None:
        """A push that was cut off before it waited is resumed with the wait, not with traffic."""
        release = _release(spec_of("one"))
        for operation in (EnsureNetwork(self.chain, CAUSE), StartService(release.services[0], CAUSE)):
            target.apply(operation, silent)
        plan = reconcile(desired_state(release), target.observe(self.chain))
        assert any(isinstance(op, AwaitReady) for op in plan.operations)
        _execute(target, release)
        _require_serving(target, release)

    def test_the_route_flips_to_the_new_release(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """Old and new run side by side until the flip; then the old one goes and the address stays."""
        old, new = _release(spec_of("one")), _release(spec_of("two"))
        _execute(target, old)
        before = target.observe(self.chain).front_door
        _execute(target, new)
        _require_serving(target, new)
        after = target.observe(self.chain)
        assert [service.name for service in after.services] == [new.entrypoint]
        assert after.front_door is not None
        assert before is not None
        assert after.front_door.url == before.url

    def test_an_edited_leaf_is_pushed_with_its_caller_and_rolled_back(
        self, target: DeployTarget, spec_of: SpecOf
    ) -> None:
        """Both have new names; a push that was cut off is finished by the next, and the way back is the same."""
        old, new = _pair(spec_of, "one"), _pair(spec_of, "two")
        _execute(target, old)
        half = reconcile(desired_state(new), target.observe(self.chain)).operations
        for operation in half[: len(half) // 2]:
            target.apply(operation, silent)
        for wanted in (new, old):
            _execute(target, wanted)
            seen = target.observe(self.chain)
            assert {(s.name, s.status) for s in seen.services} == {
                (s.name, ServiceStatus.RUNNING) for s in wanted.services
            }
            assert seen.front_door is not None
            assert seen.front_door.route == wanted.entrypoint

    def test_replicas_start_serve_and_stop_alone(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """A scale is a plan of its difference; each count is observed as it was wanted."""
        spec = spec_of("one")
        for count in (1, 3, 2, 1):
            release = _release(replace(spec, replicas=count))
            _execute(target, release)
            seen = target.observe(self.chain)
            assert sorted((s.name, s.replica) for s in seen.services) == [
                (spec.name, number) for number in range(1, count + 1)
            ]
            assert all(s.status is ServiceStatus.RUNNING for s in seen.services)
            assert seen.front_door is not None
            assert (seen.front_door.route, seen.front_door.replicas) == (spec.name, count)
            assert reconcile(desired_state(release), seen).is_empty

    def test_rotated_secrets_renew_a_service_under_its_name(
        self, target: DeployTarget, spec_of: SpecOf
    ) -> None:
        """It says with which values it runs; cut off in the middle, another push completes it."""
        spec = replace(spec_of("one"), secrets=())
        _execute(target, _release(spec))
        for steps in (3, 4, 5):  # the stand-in has a part of the traffic, all of it, and the other starts
            wanted = _release(replace(spec, secrets=(SecretRef(SECRET, f"value {steps}"),)))
            for operation in reconcile(desired_state(wanted), target.observe(self.chain)).operations[:steps]:
                target.apply(operation, silent)
            _execute(target, wanted)
            seen = target.observe(self.chain)
            assert [(s.name, s.replica, s.secrets) for s in seen.services] == [
                (spec.name, 1, wanted.services[0].secrets_digest)
            ]
            assert seen.front_door is not None
            assert (seen.front_door.route, seen.front_door.replicas) == (spec.name, 1)

    def test_replicas_are_replaced_and_taken_down_together(
        self, target: DeployTarget, spec_of: SpecOf
    ) -> None:
        """A new release has all of its replicas before the flip; the old ones go after it."""
        old, new = (_release(replace(spec_of(name), replicas=2)) for name in ("one", "two"))
        _execute(target, old)
        _execute(target, new)
        seen = target.observe(self.chain)
        assert [(s.name, s.replica) for s in seen.services] == [(new.entrypoint, 1), (new.entrypoint, 2)]
        assert seen.front_door is not None
        assert (seen.front_door.route, seen.front_door.replicas) == (new.entrypoint, 2)
        execute(reconcile(nothing(self.chain), seen), target, silent, lambda: 0.0)
        assert target.observe(self.chain) == ObservedState(self.chain)

    def test_services_of_two_releases_may_run_at_once(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """One of them warm: both run, the way back is a flip, and a push that wants one of them removes the other."""
        old, new = _release(spec_of("one")), _release(spec_of("two"))
        _execute(target, old)
        warm = frozenset([old.entrypoint, new.entrypoint])
        for wanted in (new, old):
            desired = replace(desired_state(wanted), warm=warm)
            plan = reconcile(desired, target.observe(self.chain))
            execute(plan, target, silent, lambda: 0.0)
        assert [type(op) for op in plan.operations] == [Route]
        running = [s.name for s in target.observe(self.chain).services if s.status is ServiceStatus.RUNNING]
        assert set(running) == warm
        _execute(target, old)
        _require_serving(target, old)

    def test_there_is_room_for_something(self, target: DeployTarget) -> None:
        """What is told of the machine is more than nothing."""
        capacity = target.capacity()
        assert capacity.memory_bytes is None or capacity.memory_bytes > 0
        assert capacity.gpus is None or capacity.gpus > 0

    def test_a_new_door_keeps_the_route(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """Changed settings of the door interrupt nothing but the address itself."""
        release = _release(spec_of("one"))
        _execute(target, release)
        changed = replace(release, front_door=replace(release.front_door, bind="0.0.0.0"))
        _execute(target, changed)
        _require_serving(target, changed)

    def test_stopping_leaves_the_others_alone(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """One service goes, its neighbour runs on."""
        one, two = spec_of("one"), spec_of("two")
        target.apply(EnsureNetwork(self.chain, CAUSE), silent)
        for spec in (one, two):
            target.apply(StartService(spec, CAUSE), silent)
            target.apply(AwaitReady(spec, CAUSE), silent)
        target.apply(StopService(self.chain, one.name, one.chainlet, CAUSE), silent)
        left = target.observe(self.chain).services
        assert [(s.name, s.status) for s in left] == [(two.name, ServiceStatus.RUNNING)]


class SplittingTargetContract(DeployTargetContract):
    """What a target keeps besides whose front door can give two services a part of the traffic each."""

    def test_traffic_is_split_and_given_to_one_again(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """Both are seen while it is split, counted from nothing; a flip to either ends it."""
        old, new = spec_of("one"), spec_of("two")
        _execute(target, _release(old))
        for operation in (StartService(new, CAUSE), AwaitReady(new, CAUSE)):
            target.apply(operation, silent)
        for winner in (old, new):
            for _ in range(2):
                target.apply(SplitRoute(self.chain, new.name, old.name, 10, CAUSE), silent)
            assert _door(target, self.chain) == (old.name, new.name)
            assert set(target.traffic(self.chain).values()) <= {Traffic()}
            for _ in range(2):
                target.apply(Route(self.chain, winner.name, CAUSE), silent)
            assert _door(target, self.chain) == (winner.name, None)

    def test_a_canary_that_is_stopped_has_no_traffic(self, target: DeployTarget, spec_of: SpecOf) -> None:
        """The other one has all of it then."""
        old, new = spec_of("one"), spec_of("two")
        _execute(target, _release(old))
        for operation in (StartService(new, CAUSE), AwaitReady(new, CAUSE)):
            target.apply(operation, silent)
        target.apply(SplitRoute(self.chain, new.name, old.name, 99, CAUSE), silent)
        target.apply(StopService(self.chain, new.name, new.chainlet, CAUSE), silent)
        assert _door(target, self.chain) == (old.name, None)


class AskedTargetContract:
    """Left open: `target`, and `running`, a service that runs there and answers below `/-/` with itself.

    Its answer is `{"service": …, "path": …}`, to `/-/missing` a 404, and 401 without its chain's token.
    """

    @pytest.fixture
    def target(self) -> DeployTarget:
        raise NotImplementedError

    @pytest.fixture
    def running(self, target: DeployTarget) -> ServiceSpec:
        raise NotImplementedError

    def test_a_service_is_asked_with_its_token(self, target: DeployTarget, running: ServiceSpec) -> None:
        """The answer comes back as it is, the question as it was put."""
        path = "/-/spans?trace=ab&limit=2"
        said = target.ask(running.chain, running.name, path)
        assert json.loads(said) == {"service": running.name, "path": path}

    def test_nobody_but_what_is_asked_for_tells_its_load(
        self, target: DeployTarget, running: ServiceSpec
    ) -> None:
        """And no request is held where the chain does not sleep, so the whole time goes by."""
        loads = target.loads(running.chain, [running.name], within_sec=0.1)
        assert loads.held == 0
        assert loads.services.keys() <= {running.name}

    def test_an_answer_other_than_200_is_an_error(self, target: DeployTarget, running: ServiceSpec) -> None:
        """An older service does not know the path."""
        with pytest.raises(DeployError, match=running.name):
            target.ask(running.chain, running.name, "/-/missing")

    def test_a_service_that_is_not_there_is_an_error(
        self, target: DeployTarget, running: ServiceSpec
    ) -> None:
        """It may just have been replaced."""
        with pytest.raises(DeployError, match="not running"):
            target.ask(running.chain, f"{running.name}-gone", "/-/spans")

    def test_a_service_without_traffic_is_called(self, target: DeployTarget, running: ServiceSpec) -> None:
        """That is how a release is tested before it serves; one that is not there is an error."""
        status, answer = target.invoke(running.chain, running.name, b'{"a": 1}', 20.0)
        assert (status, bool(answer)) == (200, True)
        with pytest.raises(DeployError, match="not running"):
            target.invoke(running.chain, f"{running.name}-gone", b"{}", 20.0)


class FailingTargetContract:
    """Left open: `target`, and `failing_spec`, a service of `chain` that starts and never becomes ready."""

    chain: ClassVar[str] = CHAIN

    @pytest.fixture
    def target(self) -> DeployTarget:
        raise NotImplementedError

    @pytest.fixture
    def failing_spec(self) -> ServiceSpec:
        raise NotImplementedError

    def test_a_failed_service_is_kept_and_starts_again_with_the_next_plan(
        self, target: DeployTarget, failing_spec: ServiceSpec
    ) -> None:
        """The corpse is there to look into, it is not taken for running, and nothing was routed."""
        release = _release(failing_spec)
        with pytest.raises(DeployError) as raised:
            _execute(target, release)
        assert raised.value.details
        seen = target.observe(self.chain)
        assert [s.name for s in seen.services] == [failing_spec.name]
        assert seen.services[0].status is not ServiceStatus.RUNNING
        assert seen.front_door is None
        again = reconcile(desired_state(release), seen)
        assert [op.service.name for op in again.started] == [failing_spec.name]


def _door(target: DeployTarget, chain: str) -> tuple[str | None, str | None]:
    door = target.observe(chain).front_door
    assert door is not None
    return door.route, door.canary


def _release(spec: ServiceSpec) -> Release:
    return Release(spec.chain, spec.name, (spec,), FrontDoor())


def _pair(spec_of: SpecOf, version: str) -> Release:
    """Return a release of a leaf and of a caller, which is named after it."""
    leaf, caller = spec_of(f"leaf-{version}"), spec_of(f"caller-{version}")
    caller = replace(caller, chainlet="Caller", calls=(Call(leaf.chainlet, leaf.name),))
    return Release(leaf.chain, caller.name, (leaf, caller), FrontDoor())


def _execute(target: DeployTarget, release: Release) -> None:
    execute(reconcile(desired_state(release), target.observe(release.chain)), target, silent, lambda: 0.0)


def _require_serving(target: DeployTarget, release: Release) -> None:
    seen = target.observe(release.chain)
    assert seen.has_network
    assert [(s.name, s.chainlet, s.status, s.fingerprint, s.image) for s in seen.services] == [
        (s.name, s.chainlet, ServiceStatus.RUNNING, s.fingerprint, s.image) for s in release.services
    ]
    assert seen.front_door is not None
    assert seen.front_door.status is ServiceStatus.RUNNING
    assert seen.front_door.digest == release.front_door.digest
    assert seen.front_door.route == release.entrypoint
    assert seen.front_door.url

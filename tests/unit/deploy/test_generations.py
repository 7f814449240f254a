"""A restart gives services other names, a push keeps them, and nothing else changes."""

from __future__ import annotations

from chainctl.deploy.generations import carried_over, generations_of, restarted
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.state import desired_state
from tests.unit.deploy.test_reconcile import CHAIN, release, serving

OLD = release()


def changed(before: Release, after: Release) -> set[str]:
    """The chainlets whose services have another name."""
    return {s.chainlet for s in after.services if s.name != before.service_of(s.chainlet).name}


def test_without_a_restart_nothing_changes() -> None:
    """Names are made again as they were made first."""
    assert carried_over(OLD, None) == carried_over(OLD, OLD) == restarted(OLD, []) == OLD


def test_a_restart_changes_a_chainlet_and_all_that_call_it() -> None:
    """Callers are told full names, so they come anew; images and callees stay."""
    after = restarted(OLD, ["Left"])
    assert changed(OLD, after) == {"Left", "Root"}
    assert after.entrypoint == after.service_of("Root").name
    assert [s.image for s in after.services] == [s.image for s in OLD.services]
    assert changed(OLD, restarted(OLD, ["Leaf"])) == {"Leaf", "Left", "Right", "Root"}
    assert generations_of(after) == {"Leaf": 0, "Left": 1, "Right": 0, "Root": 0}


def test_a_second_restart_is_another_one() -> None:
    """No name comes back."""
    once = restarted(OLD, ["Root"])
    assert changed(once, restarted(once, ["Root"])) == changed(OLD, once) == {"Root"}


def test_a_push_of_the_same_undoes_no_restart() -> None:
    """A draft takes the generations of the last release: then it is that release."""
    last = restarted(OLD, ["Leaf"])
    assert carried_over(OLD, last) == last
    edited = carried_over(release(edited=("Root",)), last)
    assert changed(last, edited) == {"Root"}


def test_the_plan_says_that_it_is_a_restart() -> None:
    """Beside the old one, as any other change."""
    plan = reconcile(desired_state(restarted(OLD, ["Left"])), serving(OLD).observe(CHAIN))
    assert [(op.service.chainlet, op.cause) for op in plan.started] == [
        ("Left", "it is restarted"),
        ("Root", "a chainlet that it calls changed"),
    ]


def test_a_chainlet_that_is_gone_or_new_has_no_generation() -> None:
    """Only what both releases have is carried over."""
    last = restarted(release({"Root": ["Old"], "Old": []}), ["Old", "Root"])
    drafted = release({"Root": ["New"], "New": []})
    assert generations_of(carried_over(drafted, last)) == {"New": 0, "Root": 1}

"""Plans of chains one of whose chainlets is intercepted."""

from __future__ import annotations

from dataclasses import replace

from chainctl.deploy.plan import line_of
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import INTERCEPT_REPLICA
from chainctl.deploy.scale import scaled
from chainctl.deploy.state import ObservedState, desired_state
from tests.unit.deploy.test_reconcile import CHAIN, release, serving


def intercepted() -> ObservedState:
    """A chain that serves, whose leaf is intercepted."""
    observed = serving(release()).observe(CHAIN)
    leaf = next(s for s in observed.services if s.chainlet == "Leaf")
    stand_in = replace(leaf, replica=INTERCEPT_REPLICA, intercepted_by="ada@desk", since=leaf.since + 1)
    return replace(observed, services=(*observed.services, stand_in))


def test_an_intercept_ends_before_anything_changes() -> None:
    """Where nothing else is to do, too; it ends once, and is no replica that is counted."""
    name = release().service_of("Leaf").name
    end = f"- intercept of {name} (Leaf): it was intercepted by ada@desk"
    assert [line_of(op) for op in reconcile(desired_state(release()), intercepted()).operations] == [end]
    more = reconcile(desired_state(scaled(release(), {"Leaf": 2})), intercepted()).operations
    assert [line_of(op) for op in more] == [
        end,
        f"+ replica 2 of {name} (Leaf): 2 are wanted",
        f"? ready {name}.2 (Leaf): traffic waits for it",
    ]

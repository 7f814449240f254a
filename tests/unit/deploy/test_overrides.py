"""Overrides of environment variables: who gets which, what is refused, and what a plan says of them."""

from __future__ import annotations

import pytest

from chainctl.deploy.causes import causes
from chainctl.deploy.overrides import Override, overridden, wrong_variable
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Release
from chainctl.deploy.settings import DeploySettings
from chainctl.deploy.state import DesiredState, ObservedService, ObservedState, ServiceStatus
from tests.fakes.chains import chainlet, graph_of, release_of

ENV = {"options": {"env_variables": {"LEVEL": "file", "KEPT": "1"}}}


def released(settings: DeploySettings) -> Release:
    """A release of two chainlets, one of which has variables."""
    graph = graph_of({"Root": ["Leaf"], "Leaf": []}, specs=[chainlet("Leaf", config=ENV)])
    return release_of(graph, settings=settings)


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        ("", "Leaf", "c"),
        ("", "Root", "a"),
        ("prod", "Root", "b"),
        ("prod", "Leaf", "d"),
        ("dev", "Root", "a"),
    ],
)
def test_the_nearest_wins(environment: str, name: str, value: str) -> None:
    """An environment's own before those of every one; in each, the chainlet's before the chain's."""
    overrides = (
        Override("prod", "Leaf", "X", "d"),
        Override("", "", "X", "a"),
        Override("prod", "", "X", "b"),
        Override("", "Leaf", "X", "c"),
    )
    assert overridden(overrides, environment, name) == {"X": value}


def test_the_state_wins_over_settings_and_these_over_the_chain_file() -> None:
    """And what chainctl sets itself over all of them."""
    settings = DeploySettings(
        environment="prod",
        variables=(("LEVEL", "settings"), ("MORE", "settings")),
        overrides=(Override("prod", "", "LEVEL", "state"), Override("dev", "", "MORE", "other")),
    )
    assert released(settings).service_of("Leaf").env == (
        ("CHAINCTL_ENVIRONMENT", "prod"),
        ("KEPT", "1"),
        ("LEVEL", "state"),
        ("MORE", "settings"),
    )


def test_only_who_has_it_changes_and_the_plan_names_it() -> None:
    """The variable's name is told, never its value; callers change as they call another service."""
    before = released(DeploySettings())
    after = released(DeploySettings(overrides=(Override("", "Leaf", "LEVEL", "debug"),)))
    observed = ObservedState(
        before.chain,
        tuple(
            ObservedService(s.name, s.chainlet, ServiceStatus.RUNNING, s.fingerprint, s.image)
            for s in before.services
        ),
    )
    desired = DesiredState(
        after.chain, after.services, after.entrypoint, after.front_door, previous=before.services
    )
    told = {op.service.chainlet: op.cause for op in reconcile(desired, observed).started}
    assert told == {
        "Leaf": "its configuration changed: LEVEL",
        "Root": "a chainlet that it calls changed",
    }


def test_what_the_older_one_was_made_of_may_not_be_known() -> None:
    """Then only that something changed is said."""
    before, after = (
        released(DeploySettings(environment=name)).service_of("Leaf") for name in ("dev", "prod")
    )
    assert causes(after, before.fingerprint, None) == ["its configuration changed"]
    assert causes(after, before.fingerprint, before) == ["its configuration changed: CHAINCTL_ENVIRONMENT"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOG_LEVEL", "a=b c\nd", ""),
        ("EMPTY", "", ""),
        ("1X", "", "'1X' is no name of a variable"),
        ("", "", "'' is no name of a variable"),
        ("CHAINCTL_CHAIN", "x", "CHAINCTL_CHAIN is set by chainctl itself"),
        ("X", "a\0b", "the value of X is no text"),
        ("X", "\udcff", "the value of X is no text"),
    ],
)
def test_names_and_values_that_can_not_be_set(name: str, value: str, said: str) -> None:
    """Said in words; the value is not repeated."""
    assert wrong_variable(name, value) == said

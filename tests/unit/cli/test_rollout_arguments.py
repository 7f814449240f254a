"""How a release is rolled out, and what was released, as texts of the command line."""

from __future__ import annotations

import pytest

from chainctl.cli.history_text import history_json, history_text
from chainctl.cli.rollout_arguments import canary_of, chain_and_chainlet
from chainctl.deploy.canary import Canary
from chainctl.errors import UsageError
from chainctl.state.ledger import Record
from chainctl.workflows.history import explained
from tests.fakes.chains import graph_of, release_of, snapshot_of


@pytest.mark.parametrize("text", ["10%", "10", " 10 % "])
def test_a_part_of_the_traffic_is_a_percentage(text: str) -> None:
    """With its sign or without; the time as everywhere."""
    assert canary_of(text, "2m") == Canary(10, 120)
    assert canary_of(text, None) == Canary(10, 60)
    assert canary_of(None, None) is None


@pytest.mark.parametrize("text", ["0%", "100%", "1.5%", "-3", "", "ten", "10%%"])
def test_what_is_no_part_is_refused(text: str) -> None:
    """None at all and all of it are no canary."""
    with pytest.raises(UsageError, match="is no part of the traffic"):
        canary_of(text, "60s")


def test_a_time_that_is_none_is_refused() -> None:
    """As of every duration."""
    with pytest.raises(UsageError, match="is no duration"):
        canary_of("10%", "soon")


def test_no_time_at_all_is_refused() -> None:
    """A release that is tried for no time would be taken without a look."""
    with pytest.raises(UsageError, match="is no time to try a release in"):
        canary_of("10%", "0s")


def test_a_time_without_a_part_is_refused() -> None:
    """Whoever gives a time wants a canary, and would get none."""
    with pytest.raises(UsageError, match="not how much of the traffic") as caught:
        canary_of(None, "5m")
    assert "--canary 10% --canary-for 5m" in caught.value.hint


def test_a_chainlet_stands_behind_its_chain() -> None:
    """Or nowhere."""
    assert chain_and_chainlet("shop/Pay") == ("shop", "Pay")
    assert chain_and_chainlet("shop") == ("shop", None)


@pytest.mark.parametrize("text", ["", "/", "/Pay", "shop/"])
def test_half_a_name_is_refused(text: str) -> None:
    """An empty chainlet is not all of them."""
    with pytest.raises(UsageError, match="names no chain"):
        chain_and_chainlet(text)


def test_history_is_a_table_or_json() -> None:
    """The newest first, the last one marked."""
    graph = graph_of({"Root": []})
    edited = release_of(graph, snapshot_of({"chain.py": "edited"}))
    past = explained([
        Record(1, release_of(graph), 1000.0, "/chain.py", "ann", "0123456789abcdef"),
        Record(2, edited, 4600.0, "/chain.py", "bob"),
    ])  # fmt: skip
    assert history_text(past, 4660.0) == (
        "RELEASE  AGE    USER  REVISION  CHANGES\n"
        "2 *      1 min  bob             Root: its image changed\n"
        "1        1 h    ann   01234567  first release"
    )
    newest = history_json(past)[0]
    assert (newest["release"], newest["is_latest"], newest["changes"]) == (
        2,
        True,
        ["Root: its image changed"],
    )
    assert newest["services"] == [
        {
            "name": edited.entrypoint,
            "chainlet": "Root",
            "image": edited.services[0].image,
            "published": "",
        }
    ]

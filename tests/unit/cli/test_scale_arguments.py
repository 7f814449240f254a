"""What `chainctl scale` is asked for."""

from __future__ import annotations

import pytest

from chainctl.cli.scale_arguments import chain_and_counts
from chainctl.errors import UsageError


def test_counts_of_one_chain() -> None:
    """Several chainlets at once; the same count twice is one."""
    assert chain_and_counts(["shop/Pay=3"]) == ("shop", {"Pay": 3})
    assert chain_and_counts(["shop/Pay=3", "shop/Root=1", "shop/Pay=3"]) == ("shop", {"Pay": 3, "Root": 1})


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["shop/Pay"], "'shop/Pay' does not say how many"),
        (["Pay=3"], "'Pay=3' does not say how many"),
        (["shop/Pay=-1"], "does not say how many"),
        (["shop/Pay=0"], "asks for 0 replicas; a chainlet has 1 to 20"),
        (["shop/Pay=21"], "asks for 21 replicas"),
        (["shop/Pay=2", "shop/Pay=3"], "two counts are asked for of Pay"),
        (["shop/Pay=2", "bar/Pay=2"], "one chain is scaled at a time, here it is bar, shop"),
    ],
)
def test_anything_else_is_refused(texts: list[str], said: str) -> None:
    """With an example of what is meant."""
    with pytest.raises(UsageError, match=said):
        chain_and_counts(texts)

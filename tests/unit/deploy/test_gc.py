"""What goes and what stays, with its cause: plans compared with `==`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chainctl.deploy.gc import (
    GRACE_SEC,
    GcPlan,
    KeptImage,
    Known,
    RemoveImage,
    RemoveLeftover,
    gc_line,
    is_our_name,
    plan_gc,
    uses_of,
)
from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from tests.fakes.chains import graph_of, release_of

NOW = 1_000_000.0
OLD = NOW - GRACE_SEC - 1
RELEASE = release_of(graph_of({"Root": ["Leaf"], "Leaf": []}))
LEAF, ROOT = RELEASE.services
KNOWN = {"shop": Known({3: RELEASE})}


def image(name: str = "shop/root:old", **changes: Any) -> StoredImage:
    """An old image of the chain that nothing uses."""
    one = StoredImage(f"sha256:{name}", (name,), "shop", "Root", 100, 10, OLD)
    return replace(one, **changes)


def decided(
    one: StoredImage, *others: StoredImage, known: dict[str, Known] = KNOWN
) -> RemoveImage | KeptImage:
    """What is decided of one image."""
    plan = plan_gc(Stored((one, *others)), known, NOW)
    found = [
        d for d in (*plan.removals, *plan.kept) if isinstance(d, RemoveImage | KeptImage) and d.image == one
    ]
    return found[0]


def test_what_no_release_uses_goes() -> None:
    """It is old, nothing runs from it, and its names are ours."""
    one = image(names=("shop/root:old", "registry.test/models/shop/root:old"))
    assert decided(one) == RemoveImage(one, "none of the releases that are kept uses it")


def test_what_a_kept_release_uses_stays() -> None:
    """The cause names the release; all releases that use it are known."""
    one = image(ROOT.image)
    assert decided(one) == KeptImage(one, "release 3 of shop uses it")
    known = {"shop": Known({3: RELEASE, 2: RELEASE}), "other": Known({1: RELEASE})}
    assert uses_of(one, known) == (("other", 1), ("shop", 3), ("shop", 2))


def test_what_a_container_uses_stays() -> None:
    """Running or not, ours or not."""
    running = image(users=("a", "b"), running=("b",))
    assert decided(running) == KeptImage(running, "b runs from it")
    stopped = image(users=("a",))
    assert decided(stopped) == KeptImage(stopped, "a was made from it")


def test_what_is_young_stays() -> None:
    """A build under way has made it, and no release names it yet."""
    young = image(since=NOW - GRACE_SEC + 1)
    assert decided(young) == KeptImage(young, "it is new: a push may be under way")


def test_what_somebody_has_named_stays() -> None:
    """A name that is not ours says that somebody wants it."""
    named = image(names=("shop/root:old", "mine/favourite:1"))
    assert decided(named) == KeptImage(named, "it is called mine/favourite:1, too")


def test_what_lost_its_name_goes() -> None:
    """A newer build took it."""
    nameless = image(names=())
    assert decided(nameless) == RemoveImage(nameless, "it has no name any more")


def test_a_chain_that_was_taken_down_leaves_nothing() -> None:
    """It has neither releases nor containers."""
    one = image()
    assert decided(one, known={}) == RemoveImage(one, "shop has no release any more")


def test_a_chain_that_was_released_from_elsewhere_is_left_alone() -> None:
    """Its releases are in another state directory; what they use is not known here."""
    one, running = image(), image("shop/root:new", users=("s",), running=("s",))
    assert decided(one, running, known={}) == KeptImage(
        one, "shop is on this target and was released from elsewhere"
    )


def test_a_service_that_failed_goes_with_its_image() -> None:
    """No release has it: its push failed. The container goes first."""
    failed = Leftover("c1", "shop-root-00000000", "shop", OLD, is_service=True)
    made = image(users=(failed.name,))
    plan = plan_gc(Stored((made,), (failed,)), KNOWN, NOW)
    assert plan == GcPlan(
        (
            RemoveLeftover(failed, "it does not run, and no release that is kept has it"),
            RemoveImage(made, "none of the releases that are kept uses it"),
        )
    )
    assert [gc_line(removal) for removal in plan.removals] == [
        "- shop-root-00000000: it does not run, and no release that is kept has it",
        "- image shop/root:old: none of the releases that are kept uses it",
    ]


def test_a_service_that_may_be_wanted_stays() -> None:
    """It is in a release, it is new, or its chain was released from elsewhere; what only carries files goes."""
    stopped = Leftover("c1", ROOT.name, "shop", OLD, is_service=True)
    new = Leftover("c2", "shop-root-1", "shop", NOW, is_service=True)
    foreign = Leftover("c3", "far-root-1", "far", OLD, is_service=True)
    filler = Leftover("c4", "far-root-1-filler", "far", OLD)
    plan = plan_gc(Stored((), (stopped, new, foreign, filler)), KNOWN, NOW)
    assert plan.removals == (RemoveLeftover(filler, "it was left behind"),)


def test_one_chain_alone() -> None:
    """Others are not even told as kept."""
    mine, other = image(), image("far/root:1", chain="far")
    plan = plan_gc(Stored((mine, other)), KNOWN, NOW, only="shop")
    assert plan == GcPlan((RemoveImage(mine, "none of the releases that are kept uses it"),))
    assert (plan.chains, plan.least_bytes) == (("shop",), 10)


def test_names_that_are_ours() -> None:
    """`chain/chainlet`, behind a registry or not, as names of images are written."""
    one = image(chain="my_shop", chainlet="SayHello")
    assert is_our_name("my-shop/sayhello:1", one)
    assert is_our_name("r.test:5000/a/my-shop/sayhello:1", one)
    assert not is_our_name("my-shop/other:1", one)
    assert not is_our_name("sayhello:1", one)


IMAGES = st.builds(
    image,
    st.sampled_from(["shop/root:1", "shop/root:2", ROOT.image, LEAF.image, "mine:1"]),
    users=st.sampled_from([(), ("u",)]),
    since=st.sampled_from([OLD, NOW]),
    own_bytes=st.sampled_from([None, 5]),
)


@given(st.lists(IMAGES, max_size=6, unique_by=lambda one: one.id), st.sampled_from([{}, KNOWN]))
def test_nothing_that_is_used_ever_goes(images: list[StoredImage], known: dict[str, Known]) -> None:
    """Every image is decided once; none that goes is used, young, or in a release that is kept."""
    plan = plan_gc(Stored(tuple(images)), known, NOW)
    gone = [removal.image for removal in plan.removals if isinstance(removal, RemoveImage)]
    assert sorted(i.id for i in images) == sorted(i.id for i in (*gone, *(k.image for k in plan.kept)))
    for one in gone:
        assert not one.users
        assert one.since <= OLD
        assert not uses_of(one, known)
        assert "mine:1" not in one.names

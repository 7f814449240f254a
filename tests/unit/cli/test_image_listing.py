"""Tables and totals of images, as people read them."""

from __future__ import annotations

import pytest

from chainctl.cli.collecting import CollectedTarget, gc_json, gc_text
from chainctl.cli.image_listing import images_json, images_text
from chainctl.cli.materials import made_at
from chainctl.cli.sizes import size_text
from chainctl.deploy.gc import GcPlan, KeptImage, RemoveImage, RemoveLeftover
from chainctl.deploy.image_store import Leftover, StoredImage
from chainctl.errors import UsageError
from chainctl.workflows.gc import Collected
from chainctl.workflows.images import ListedImage

IMAGE = StoredImage(
    "sha256:1", ("hello/root:abc",), "hello", "Root", 224_600_000, 1_300, 100.0, ("s",), ("s",)
)
NAMELESS = StoredImage("sha256:0123456789abcdef", (), "hello", "Root", 10, None, 0.0)
PLAN = GcPlan(
    (
        RemoveLeftover(Leftover("c", "hello-root-1", "hello", 0.0), "it failed"),
        RemoveImage(NAMELESS, "it is old"),
    ),
    (KeptImage(IMAGE, "s runs from it"),),
)


@pytest.mark.parametrize(
    ("size", "text"), [(None, ""), (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_345_000_000, "2.3 GB")]
)
def test_sizes(size: int | None, text: str) -> None:
    """As the engine's own tools count."""
    assert size_text(size) == text


def test_images_are_a_table() -> None:
    """One line an image; what is not known is left empty."""
    listed = [
        ("docker", ListedImage(IMAGE, (("hello", 3), ("hello", 2)))),
        ("docker", ListedImage(NAMELESS, ())),
    ]
    assert images_text(listed, 160.0).splitlines() == [
        "CHAIN  CHAINLET  TAG           TARGET  SIZE      OWN     AGE    RELEASES  STATE",
        "hello  Root      abc           docker  224.6 MB  1.3 kB  1 min  3, 2      running",
        "hello  Root      0123456789ab  docker  10 B              2 min",
    ]
    assert images_text([], 0.0) == ""
    assert images_json(listed)[0] == {
        "chain": "hello",
        "chainlet": "Root",
        "target": "docker",
        "image": "hello/root:abc",
        "names": ["hello/root:abc"],
        "id": "sha256:1",
        "bytes": 224_600_000,
        "own_bytes": 1_300,
        "since": 100.0,
        "releases": [{"chain": "hello", "release": 3}, {"chain": "hello", "release": 2}],
        "users": ["s"],
        "running": ["s"],
    }


def test_a_plan_ends_with_its_total() -> None:
    """Nothing was done yet."""
    assert gc_text([CollectedTarget("docker", PLAN, None)]).splitlines() == [
        "- hello-root-1: it failed",
        "- image sha256:0123456789ab: it is old",
        "docker: 1 image and 1 leftover to remove, 1 kept, at least 0 B free",
    ]
    assert gc_text([CollectedTarget("local", GcPlan(), None)]) == "local: nothing to remove, 0 kept"


def test_what_was_done_is_told() -> None:
    """With what it freed, where that was measured."""
    done = CollectedTarget("docker", PLAN, Collected(PLAN.removals, 1_000_000))
    assert gc_text([done]) == "docker: 2 removed, 1.0 MB freed"
    assert gc_json([done]) == [
        {
            "target": "docker",
            "removals": [
                {"kind": "leftover", "id": "c", "name": "hello-root-1", "cause": "it failed"},
                {"kind": "image", "id": "sha256:0123456789abcdef", "name": "", "cause": "it is old"},
            ],
            "kept": [{"image": "hello/root:abc", "cause": "s runs from it"}],
            "least_bytes": 0,
            "removed": ["c", "sha256:0123456789abcdef"],
            "freed_bytes": 1_000_000,
        }
    ]


def test_a_time_is_only_written_down_when_it_is_given() -> None:
    """SOURCE_DATE_EPOCH is in seconds."""
    assert made_at({}) is None
    assert made_at({"SOURCE_DATE_EPOCH": "1700000000"}) == 1_700_000_000.0
    with pytest.raises(UsageError):
        made_at({"SOURCE_DATE_EPOCH": "today"})

"""Collecting with everything outside in memory: what was planned and still holds goes, under the chain's lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.deploy.gc import GRACE_SEC
from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from chainctl.errors import ChainctlError
from chainctl.events import Event, Notice
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.gc import Collected, GcSettings, collect, gc_plan
from chainctl.workflows.images import list_images
from tests.fakes.chains import graph_of, release_of, silent, snapshot_of, still_clock
from tests.fakes.store import MemoryStore

OLD = still_clock() - GRACE_SEC - 1
RELEASES = [release_of(graph_of({"Root": []}), snapshot_of({"chain.py": text})) for text in "abcd"]
IMAGES = tuple(
    StoredImage(r.services[0].image, (r.services[0].image,), "shop", "Root", 100, 10, OLD) for r in RELEASES
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Four releases of one chain."""
    ledger = Ledger(tmp_path, "memory")
    for number, release in enumerate(RELEASES, 1):
        ledger.record(Record(number, release, 0.0, "/p/chain.py"))
    return ledger


def collected(store: MemoryStore, ledger: Ledger, keep: int = 3) -> Collected:
    settings = GcSettings(keep)
    plan = gc_plan(store, ledger, settings, still_clock())
    return collect(plan, store, ledger, settings, silent, still_clock)


@pytest.mark.parametrize(("keep", "gone"), [(4, 0), (3, 1), (1, 3), (0, 4)])
def test_the_last_releases_are_kept(ledger: Ledger, keep: int, gone: int) -> None:
    """Older ones are not; what was freed is measured."""
    store = MemoryStore(Stored(IMAGES, bytes=400))
    done = collected(store, ledger, keep)
    assert store.removed == [image.id for image in IMAGES[:gone]]
    assert done.freed_bytes == (gone * 100 if gone else 0)


def test_what_another_target_uses_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    """One engine builds for several: a cluster pulls what no container here was made from."""
    here = Ledger(tmp_path / "here", "docker")
    alone = gc_plan(MemoryStore(Stored(IMAGES)), here, GcSettings(2), still_clock())
    assert len(alone.removals) == len(IMAGES)
    beside = GcSettings(2, others={"prod": ledger})
    plan = gc_plan(MemoryStore(Stored(IMAGES)), here, beside, still_clock())
    assert [kept.cause for kept in plan.kept] == [
        f"release {number} of shop on prod uses it" for number in (3, 4)
    ]


def test_images_are_listed_with_their_releases(ledger: Ledger) -> None:
    """All releases count, not only those that would be kept."""
    listed = list_images(MemoryStore(Stored(IMAGES)), ledger)
    assert [one.releases for one in listed] == [(("shop", n),) for n in (1, 2, 3, 4)]
    assert list_images(MemoryStore(Stored(IMAGES)), ledger, "other") == []


def test_a_chain_that_somebody_changes_is_left_alone(ledger: Ledger) -> None:
    """The push that holds the lock may need what would go."""
    store, told = MemoryStore(Stored(IMAGES)), list[Event]()
    plan = gc_plan(store, ledger, GcSettings(1), still_clock())
    with ledger.lock("shop"):
        done = collect(plan, store, ledger, GcSettings(1), told.append, still_clock)
    assert (done.removals, store.removed) == ((), [])
    assert any(isinstance(event, Notice) and "shop is left alone" in event.text for event in told)


def test_what_came_into_use_since_stays(ledger: Ledger) -> None:
    """It is decided anew under the lock."""
    store = MemoryStore(Stored(IMAGES))
    plan = gc_plan(store, ledger, GcSettings(1), still_clock())
    store.change(Stored((replace(IMAGES[0], users=("new",)), *IMAGES[1:])))
    collect(plan, store, ledger, GcSettings(1), silent, still_clock)
    assert store.removed == [image.id for image in IMAGES[1:3]]


def test_one_that_can_not_go_does_not_stop_the_others(ledger: Ledger) -> None:
    """It is told; the rest goes."""
    store = MemoryStore(Stored(IMAGES), in_use=frozenset({IMAGES[0].id}))
    assert len(collected(store, ledger, 1).removals) == 2
    assert store.removed == [image.id for image in IMAGES[1:3]]


def test_a_chain_without_releases_leaves_no_trace(tmp_path: Path) -> None:
    """Its lock makes a directory, which goes with its images; so does what belongs to no chain."""
    ledger = Ledger(tmp_path, "memory")
    store = MemoryStore(Stored(IMAGES[:1], (Leftover("/draft", "a draft", "", OLD),)))
    collected(store, ledger)
    assert store.removed == ["/draft", IMAGES[0].id]
    assert list(tmp_path.glob("memory/*")) == []


def test_a_chains_token_is_kept(tmp_path: Path) -> None:
    """Its first push may have failed; the next one continues."""
    ledger = Ledger(tmp_path, "memory")
    token = ledger.token("shop")
    collected(MemoryStore(Stored(IMAGES[:1])), ledger)
    assert ledger.token("shop") == token


def test_a_release_that_can_not_be_read_stops_it(ledger: Ledger, tmp_path: Path) -> None:
    """What it uses is not known."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        connection.execute("UPDATE revision SET data = '{'")
    with pytest.raises(ChainctlError, match="is damaged"):
        collected(MemoryStore(Stored(IMAGES)), ledger)

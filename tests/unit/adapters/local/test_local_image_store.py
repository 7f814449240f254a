"""The local target's images as a store: directories with their sizes, who uses them, what is left over."""

from __future__ import annotations

import os
from pathlib import Path

from chainctl.adapters.local.image_store import LocalImageStore
from chainctl.adapters.local.images import LocalBuildBackend
from chainctl.adapters.local.memory import RememberedService, RunMemory, remember
from chainctl.adapters.local.paths import LocalPaths
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.deploy.image_store import Leftover, Stored, StoredImage
from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ServiceStatus
from tests.fakes.chains import silent

SHIM = ContextFile.of_text("app/shim.py", "pass")
SINCE = 1_000_000.0


def paths_of(root: Path) -> LocalPaths:
    return LocalPaths(root, root / "runtime", root / "secrets")


def built(root: Path, tag: str) -> Path:
    """Build an image; returns its directory, made at a known time."""
    ref = ImageRef("chain/hello", tag)
    LocalBuildBackend(root).build(ImagePlan("Hello", ref, BuildContext.of([SHIM]), "base"), silent)
    place = root / "images" / "chain" / "hello" / tag
    os.utime(place, (SINCE, SINCE))
    return place


def image(tag: str, *, users: tuple[str, ...] = (), running: tuple[str, ...] = ()) -> StoredImage:
    name = f"chain/hello:{tag}"
    return StoredImage(name, (name,), "chain", "hello", 4, 4, SINCE, users, running)


def run(root: Path, *services: tuple[str, str, ServiceStatus]) -> None:
    """Write down what a supervisor would: services with their image's tag and status."""
    known = tuple(
        RememberedService(
            name=name,
            chainlet="Hello",
            image=f"chain/hello:{tag}",
            fingerprint=Fingerprint("", "", ""),
            status=status,
            since=SINCE,
        )
        for name, tag, status in services
    )
    remember(paths_of(root).run("chain").memory, RunMemory(chain="chain", services=known))


def test_images_are_listed_with_their_users(tmp_path: Path) -> None:
    """A service that stopped uses its image, too: it may be started again."""
    for tag in "abc":
        built(tmp_path, tag)
    run(tmp_path, ("s1", "a", ServiceStatus.RUNNING), ("s2", "b", ServiceStatus.STOPPED))
    store = LocalImageStore(paths_of(tmp_path))
    assert store.stored() == Stored(
        (image("a", users=("s1",), running=("s1",)), image("b", users=("s2",)), image("c")), bytes=12
    )
    assert store.stored("other") == Stored(bytes=12)


def test_an_image_is_removed(tmp_path: Path) -> None:
    """With nothing left of it; removing it again is no error."""
    place = built(tmp_path, "a")
    store = LocalImageStore(paths_of(tmp_path))
    store.remove_image(image("a"))
    store.remove_image(image("a"))
    assert not place.exists()
    assert store.stored() == Stored(bytes=0)


def test_what_a_build_left_behind_is_removed(tmp_path: Path) -> None:
    """It belongs to no chain."""
    draft = tmp_path / "images" / ".draft-1"
    draft.mkdir(parents=True)
    os.utime(draft, (SINCE, SINCE))
    store = LocalImageStore(paths_of(tmp_path))
    left = Leftover(str(draft), "files of a build that was cut off (.draft-1)", "", SINCE)
    assert store.stored().leftovers == (left,)
    assert store.stored("").leftovers == (left,)
    assert store.stored("chain").leftovers == ()
    store.remove_leftover(left)
    assert not draft.exists()


def test_a_target_that_has_nothing(tmp_path: Path) -> None:
    """Nothing was ever built."""
    assert LocalImageStore(paths_of(tmp_path / "none")).stored() == Stored(bytes=0)

"""Locks settled against chains, with resolver and engine in memory: what is asked, what is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chainctl.build.lock import BaseFacts, Environment, Lock, LockedPackage, OtherChain
from chainctl.build.settings import BuildSettings
from chainctl.build.settle import Task, Upgrade, without_gone
from chainctl.errors import EngineError, ExitCode, LockError, Problem
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.lock import Settled, settle
from chainctl.workflows.lock_changes import lock_changes
from tests.fakes.chains import chainlet, graph_of, snapshot_of

PATH = "/project/chainctl.lock"
DIGEST = "sha256:" + "1" * 64


@dataclass
class MemoryResolver:
    """Pins each package to the version that it has now; keeps what was pinned before."""

    versions: dict[str, str] = field(default_factory=dict)
    fails: tuple[str, ...] = ()
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def resolve(self, task: Task, upgrade: Upgrade) -> Environment:
        self.asked.append(task.wanted.chainlets)
        names = sorted({one.name for one in task.wanted.asked if not one.is_runtime})
        broken = [name for name in names if name in self.fails]
        if broken:
            raise LockError([Problem("CH0802", f"there is no {name}") for name in broken])
        before = {p.name: p for p in task.before.packages} if task.before else {}
        free = upgrade.everything
        packages = [
            before[n]
            if n in before and not free and n not in upgrade.packages
            else LockedPackage(n, f"{n}=={self.versions.get(n, '1')}")
            for n in names
        ]
        return Environment(task.wanted.digest, task.wanted.python, task.wanted.platform, tuple(packages))


@dataclass
class MemoryBases:
    """Knows every image."""

    value: str = DIGEST
    asked: list[str] = field(default_factory=list)

    def digest(self, image: str) -> tuple[str, bool]:
        self.asked.append(image)
        return self.value, image.startswith("own")

    def facts(self, image: str, pythons: Iterable[str]) -> BaseFacts:
        self.asked.append(f"{image}?")
        return BaseFacts(dict.fromkeys(pythons, "3.12"), "glibc 2.36")


@dataclass
class Desk:
    """Where locks are settled."""

    resolver: MemoryResolver = field(default_factory=MemoryResolver)
    bases: MemoryBases | None = field(default_factory=MemoryBases)

    def settle(self, chain: ChainGraph, before: Lock | None = None, **options: Any) -> Settled:
        return settle(
            chain, snapshot_of(), BuildSettings(), before or Lock(), self.resolver, lambda: self.bases,
            path=PATH, **options,
        )  # fmt: skip

    def forget(self) -> None:
        self.resolver.asked.clear()
        if self.bases:
            self.bases.asked.clear()


@pytest.fixture
def desk() -> Desk:
    """An empty desk."""
    return Desk()


def chain(**listed: list[str]) -> ChainGraph:
    """Chainlets by name with the list of each."""
    specs = [chainlet(n, config={"docker_image": {"pip_requirements": r}}) for n, r in listed.items()]
    return graph_of({name: [] for name in listed}, specs=specs)


def own_base(image: str = "own:1") -> ChainGraph:
    spec = chainlet("Root", config={"docker_image": {"base_image": {"image": image}}})
    return graph_of({"Root": []}, specs=[spec])


def test_everything_is_locked_once(desk: Desk) -> None:
    """Shared environments are resolved once, base images pinned once."""
    done = desk.settle(chain(A=["x"], B=["x"], C=["y"]))
    assert sorted(desk.resolver.asked) == [("A", "B"), ("C",)]
    assert done.lock.chainlets == {"A": "A", "B": "A", "C": "C"}
    assert done.lock.base_images == {"python:3.11-slim": DIGEST}
    assert (done.resolved, done.pinned, done.has_changed) == (("A", "C"), ("python:3.11-slim",), True)


def test_an_unchanged_chain_asks_nobody(desk: Desk) -> None:
    """Neither the resolver nor the engine; the lock is the same value."""
    lock = desk.settle(chain(A=["x"], B=["y"])).lock
    desk.forget()
    done = desk.settle(chain(A=["x"], B=["y"]), lock)
    assert (done.lock, done.has_changed, done.resolved) == (lock, False, ())
    assert (desk.resolver.asked, desk.bases.asked if desk.bases else None) == ([], [])


def test_only_what_changed_is_resolved_and_pins_are_kept(desk: Desk) -> None:
    """The environment keeps its name; what it had before stays as it was."""
    lock = desk.settle(chain(A=["x"], B=["y"])).lock
    desk.forget()
    desk.resolver.versions = {"x": "2", "y": "2", "z": "2"}
    done = desk.settle(chain(A=["x", "z"], B=["y"]), lock)
    assert desk.resolver.asked == [("A",)]
    assert [p.requirement for p in done.lock.environments["A"].packages] == ["x==1", "z==2"]
    assert done.lock.environments["B"] == lock.environments["B"]
    assert lock_changes(lock, done.lock) == ["+ A: z 2"]


def test_a_chainlet_that_leaves_an_environment_gets_one_of_its_own(desk: Desk) -> None:
    """With the pins that it had; the one it leaves keeps its name."""
    lock = desk.settle(chain(A=["x"], B=["x"])).lock
    desk.resolver.versions = {"x": "2"}
    done = desk.settle(chain(A=["x"], B=["x", "z"]), lock)
    assert done.lock.chainlets == {"A": "A", "B": "B"}
    assert [p.requirement for p in done.lock.environments["B"].packages] == ["x==1", "z==1"]


def test_what_is_not_used_any_more_is_dropped(desk: Desk) -> None:
    """Chainlets, environments and base images."""
    lock = desk.settle(chain(A=["x"], B=["y"])).lock
    done = desk.settle(chain(A=["x"]), lock)
    assert (list(done.lock.environments), done.lock.chainlets) == (["A"], {"A": "A"})
    assert desk.resolver.asked == [("A",), ("B",)]


def test_upgrade_chooses_anew(desk: Desk) -> None:
    """All packages and base images, or one package where it is."""
    lock = desk.settle(chain(A=["x", "y"], B=["y"])).lock
    desk.forget()
    desk.resolver.versions = {"x": "2", "y": "2"}
    one = desk.settle(chain(A=["x", "y"], B=["y"]), lock, upgrade=Upgrade(packages=("X",)))
    assert desk.resolver.asked == [("A",)]
    assert one.pinned == ()
    desk.bases = MemoryBases("sha256:" + "2" * 64)
    everything = desk.settle(chain(A=["x", "y"], B=["y"]), lock, upgrade=Upgrade(everything=True))
    assert lock_changes(lock, everything.lock) == [
        "~ A: x 1 -> 2",
        "~ A: y 1 -> 2",
        "~ B: y 1 -> 2",
        f"~ base image: python:3.11-slim {DIGEST} -> {desk.bases.value}",
    ]


def refused(desk: Desk, wanted: ChainGraph, lock: Lock) -> list[tuple[str, str]]:
    desk.forget()
    with pytest.raises(LockError) as caught:
        desk.settle(wanted, lock, is_locked=True)
    assert caught.value.exit_code is ExitCode.BUILD_FAILED
    assert {problem.path for problem in caught.value.problems} == {PATH}
    assert desk.resolver.asked == []
    return [(problem.code, problem.message) for problem in caught.value.problems]


def test_locked_says_what_is_stale(desk: Desk) -> None:
    """A new chainlet, new packages, a base image without pin; nobody is asked."""
    lock = desk.settle(chain(A=["x"])).lock
    assert desk.settle(chain(A=["x"]), lock, is_locked=True).lock == lock
    assert refused(desk, chain(A=["x", "z"], B=["y"]), replace(lock, base_images={})) == [
        ("CH0808", "`A` asks for other packages than were locked: z is new"),
        ("CH0808", "`B` is not in the lock"),
        ("CH0808", "the base image python:3.11-slim is not pinned"),
    ]


def test_locked_says_when_the_python_is_another(desk: Desk) -> None:
    """With both versions."""
    lock = desk.settle(chain(A=["x"])).lock
    image = {"pip_requirements": ["x"], "base_image": "py312"}
    other = graph_of({"A": []}, specs=[chainlet("A", config={"docker_image": image})])
    code, message = refused(desk, other, lock)[0]
    assert code == "CH0806"
    assert (
        message
        == "`A` is locked for Python 3.11 on linux/amd64, and its image has Python 3.12 on linux/amd64"
    )


def test_a_failure_changes_nothing_and_tells_all(desk: Desk) -> None:
    """The problems of all environments at once."""
    desk.resolver.fails = ("x", "y")
    with pytest.raises(LockError) as caught:
        desk.settle(chain(A=["x"], B=["y"], C=["z"]))
    assert [problem.message for problem in caught.value.problems] == ["there is no x", "there is no y"]


def test_own_base_images_are_asked_once(desk: Desk) -> None:
    """The lock remembers their Python; an upgrade asks again."""
    done = desk.settle(own_base())
    assert done.lock.base_facts == {"own:1": BaseFacts({"python3": "3.12"}, "glibc 2.36", is_local=True)}
    assert done.lock.environments["Root"].python == "3.12"
    desk.forget()
    assert desk.settle(own_base(), done.lock).lock == done.lock
    assert desk.bases is not None
    assert desk.bases.asked == []
    desk.settle(own_base(), done.lock, upgrade=Upgrade(everything=True))
    assert desk.bases.asked == ["own:1?", "own:1"]


def test_without_engine_base_images_stay_unpinned(desk: Desk) -> None:
    """Packages are locked all the same; an own image of which nothing is known is an error."""
    desk.bases = None
    assert desk.settle(chain(A=["x"])).lock.base_images == {}
    with pytest.raises(EngineError, match="own:1"):
        desk.settle(own_base())


def test_chains_of_one_directory_keep_what_others_need(desk: Desk) -> None:
    """Their environments and base images stay; those of files that are gone do not."""
    first = desk.settle(chain(A=["x"])).lock
    seen = Lock(
        first.environments, {}, first.base_images, first.base_facts, (),
        {"first.py:A": OtherChain(first.chainlets, first.own_base_images)},
    )  # fmt: skip
    both = desk.settle(chain(A=["y"]), seen).lock
    assert both.chainlets == {"A": "A-2"}
    assert sorted(both.environments) == ["A", "A-2"]
    alone = desk.settle(chain(A=["y"]), without_gone(both, frozenset())).lock
    assert (sorted(alone.environments), alone.others) == (["A-2"], {})

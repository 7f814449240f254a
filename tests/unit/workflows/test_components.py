"""Components around a push, with everything outside in memory but the state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainctl.components.node import Node
from chainctl.components.nodes import CHAIN, FoundComponent
from chainctl.deploy.operations import Route
from chainctl.errors import DeployError, JobsFailedError, StalePlanError
from chainctl.events import Notice
from chainctl.state.artifacts import DirectoryArtifacts
from chainctl.state.database import Database
from chainctl.state.db import Db
from chainctl.state.ledger import Ledger, default_database
from chainctl.state.values import Action, Author
from chainctl.workflows.components import Components, change_line
from chainctl.workflows.plan_file import PlanFile, plan_file
from chainctl.workflows.push import Pushed, push
from tests.fakes.chains import still_clock
from tests.state.nodes import Recorder, node
from tests.unit.workflows.test_push import ORIGIN, World, draft


class ChainRecorder(Recorder):
    """Writes down what it is asked, with the service that it is to test."""

    chain: Mapping[str, Any] = {}
    service = ""

    def know(self, chain: Mapping[str, Any], service: str) -> None:
        self.chain, self.service = chain, service

    def close(self) -> None:
        """Nothing is held."""


def gate(name: str = "smoke") -> Node:
    """A smoke test before traffic."""
    data = json.dumps({"_path": "chainctl.sdk.built_in:SmokeTest", "gate": True})
    return replace(node(name), data=data, children=(CHAIN,))


FILE = (
    FoundComponent(node("weights"), reaches_chain=False),
    FoundComponent(gate(), reaches_chain=True),
    FoundComponent(replace(node("notify"), children=(CHAIN,)), reaches_chain=True),
)


class Shop:
    """A world with a state, in which a file with components is pushed."""

    def __init__(self, directory: Path) -> None:
        self.world = World(Ledger(directory, "memory"))
        database = Database.open(default_database(directory))
        self.db = Db(database, DirectoryArtifacts(directory / "artifacts"), "memory")
        self.runner = ChainRecorder()

    def push(
        self,
        *edited: str,
        found: tuple[FoundComponent, ...] = FILE,
        prune: bool = False,
        planned: PlanFile | None = None,
    ) -> Pushed:
        self.runner.ran.clear()
        told = self.world.told.append
        world = self.world
        return push(
            draft(*edited), world.backend, world.target, world.ledger, ORIGIN, told, still_clock,
            components=self.components(found, prune=prune), planned=planned,
        )  # fmt: skip

    def planned(self, *edited: str) -> PlanFile:
        """The plan of a push of the file as it is."""
        of, world = draft(*edited), self.world
        last, observed = world.ledger.latest("shop"), world.target.observe("shop")
        beside = self.components(FILE).planned(of.release)
        return plan_file(of, world.target.name, observed, last, components=beside)

    def components(self, found: tuple[FoundComponent, ...], *, prune: bool = False) -> Components:
        return Components(self.db, found, self.runner, Author(), self.world.told.append, still_clock, prune)

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.world.told if isinstance(event, Notice)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.db.close()


def test_a_plan_holds_components_too(shop: Shop) -> None:
    """What they are, and that none is removed; what holds is done."""
    other = FoundComponent(node("weights", "2"), reaches_chain=False)
    changed = (other, *FILE[1:])
    with pytest.raises(StalePlanError, match="the component Thing:weights is"):
        shop.push(planned=shop.planned(), found=changed)
    assert shop.runner.ran == []
    assert shop.push(planned=shop.planned()).number == 1
    again = shop.planned("Left")
    with pytest.raises(StalePlanError, match="what --prune removes is Thing:notify"):
        shop.push("Left", planned=replace(again, wanted=again.wanted[:-3]), found=(), prune=True)
    assert shop.push("Left", planned=again).number == 2


def test_the_order_is_that_of_references(shop: Shop) -> None:
    """Before the chain, at its gate, after it; what is done is not repeated."""
    done = shop.push()
    names = [what.partition(".")[0] for what in shop.runner.ran]
    assert list(dict.fromkeys(names)) == ["weights", "smoke", "notify"]
    assert shop.runner.chain == {
        "identifier": "shop", "target": "memory", "digest": draft().release.digest,
        "release": done.number, "url": done.url,
    }  # fmt: skip
    shop.push()
    assert shop.runner.ran == []
    assert shop.push("Left").number == 2
    assert shop.runner.ran == ["smoke.start", "notify.start"]


def test_a_gate_looks_at_the_release_that_has_no_traffic_yet(shop: Shop) -> None:
    """It runs when the new services are ready, and again whenever traffic is to flip."""
    shop.push()
    seen: list[tuple[str, str | None]] = []

    def look(what: str) -> None:
        door = shop.world.target.observe("shop").front_door
        seen.append((shop.runner.service, door.route if door else None))

    shop.runner._before = look
    wanted = draft("Root").release
    shop.push("Root")
    assert seen[0] == (wanted.entrypoint, draft().release.entrypoint)
    assert seen[-1] == (wanted.entrypoint, wanted.entrypoint)
    shop.push()
    assert shop.runner.ran == ["smoke.start", "notify.start"]


def test_a_gate_that_is_not_passed_leaves_what_serves(shop: Shop) -> None:
    shop.push()
    shop.runner.fails = {"smoke.start"}
    with pytest.raises(DeployError, match=r"Thing:smoke.start failed") as raised:
        shop.push("Root")
    assert any("ValueError: smoke.start can not" in line for line in raised.value.details)
    seen = shop.world.target.observe("shop")
    assert {s.name for s in seen.services} == {s.name for s in draft().release.services}
    assert shop.world.ledger.numbers("shop") == [1]
    assert "notify.start" not in shop.runner.ran


def test_what_fails_before_the_chain_deploys_nothing(shop: Shop) -> None:
    shop.runner.fails = {"weights.start"}
    with pytest.raises(JobsFailedError, match="nothing was deployed"):
        shop.push()
    assert shop.world.backend.started == []
    assert shop.world.target.applied == []
    shop.runner.fails = set()
    shop.push()
    assert "weights.on_create" not in shop.runner.ran


def test_what_fails_after_the_chain_is_said_and_finished_by_the_next_push(shop: Shop) -> None:
    """The release serves and is recorded."""
    shop.runner.fails = {"notify.start"}
    with pytest.raises(JobsFailedError, match="release 1 serves"):
        shop.push()
    assert any(isinstance(op, Route) for op in shop.world.target.applied)
    shop.runner.fails = set()
    assert shop.push().number == 1
    assert shop.runner.ran == ["notify.start"]


def test_a_release_records_its_components(shop: Shop) -> None:
    """Another component is another release, though the chain is the same."""
    shop.push()
    last = shop.world.ledger.latest("shop")
    assert last is not None
    assert last.components == (("Thing", "weights", 1), ("Thing", "smoke", 1), ("Thing", "notify", 1))
    changed = (FoundComponent(node("weights", "2"), reaches_chain=False), *FILE[1:])
    assert shop.push(found=changed).number == 2
    assert [n.key.identifier for n in shop.db.differing(last.components)] == ["weights"]


def test_what_the_file_no_longer_has_is_told_until_it_is_pruned(shop: Shop) -> None:
    shop.push()
    shop.push(found=FILE[:2])
    assert (
        "No longer in the file, but still applied: Thing:notify. `--prune` removes what is." in shop.notices
    )
    shop.push(found=FILE[:2], prune=True)
    assert shop.runner.ran == ["notify.cleanup"]
    assert shop.db.history("Thing", "notify") == ()


def test_a_plan_names_what_would_be_done(shop: Shop) -> None:
    components = Components(shop.db, FILE, shop.runner, Author(), lambda _: None, still_clock, prune=True)
    lines = [change_line(change) for change in components.plan(draft().release)]
    assert lines == [
        "+ Thing:weights (runs start): new",
        "+ Thing:smoke (runs start): new",
        "+ Thing:notify (runs start): new",
    ]
    shop.push()
    (*kept, removed) = Components(
        shop.db, FILE[:2], shop.runner, Author(), lambda _: None, still_clock, prune=True
    ).plan(draft().release)
    assert {change.action for change in kept} == {Action.KEEP}
    assert change_line(removed) == "- Thing:notify: no longer in the file"

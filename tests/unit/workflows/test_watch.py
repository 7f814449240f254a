"""Saved files become what runs, by the smallest action; what is wrong is told, and what served goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chainctl.deploy.execute import Turn
from chainctl.deploy.operations import TurnCallers
from chainctl.deploy.release import Release
from chainctl.deploy.scale import scaled
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.errors import ChainDefinitionError, DeployError, EngineError, Problem
from chainctl.events import EditApplied, EditRefused, Event, Notice
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.watch import Watch
from chainctl.workflows.watch_controls import ServiceControls
from tests.fakes.chains import graph_of, release_of, snapshot_of, still_clock
from tests.fakes.controls import FakeControls, FakeWorker
from tests.unit.deploy.test_reconcile import CHAIN as NAME
from tests.unit.deploy.test_reconcile import serving
from tests.unit.watch.test_ladder import CALLS, FILES, graph

CHAIN, HELPERS, PROMPT = "/project/chain.py", "/project/helpers.py", "/project/prompt.txt"


@dataclass
class MemorySite:
    """A world in memory. `renewed` and `marked` are what was asked for, `pushes` counts."""

    release: Release
    graph: ChainGraph
    files: dict[str, bytes]
    observed: ObservedState
    problem: Problem | None = None
    fails: bool = False
    loads: int = 0
    pushes: int = 0
    renewed: list[str] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)

    def load(self) -> ChainGraph:
        self.loads += 1
        if self.problem is not None:
            raise ChainDefinitionError([self.problem])
        return self.graph

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def push(self) -> Release:
        self.pushes += 1
        return self.release

    def renew(self, chainlets: Iterable[str], generation: int, turn: Turn) -> None:
        if self.fails:
            raise DeployError("Leaf did not become ready")
        names = sorted(chainlets)
        services = tuple(self.release.service_of(name).name for name in names)
        turn(TurnCallers(self.release.chain, generation, services, "the test says so"))
        self.renewed += names

    def observe(self) -> ObservedState:
        return self.observed

    def mark(self, services: Iterable[str]) -> None:
        self.marked |= set(services)


class World:
    """A watched chain of two, and all that can be done to it."""

    def __init__(self, leaves: int = 1) -> None:
        files = {path: text.encode() for path, text in FILES.items()}
        release = scaled(
            release_of(graph_of(CALLS, chain=NAME), snapshot_of({"chain.py": ""})), {"Leaf": leaves}
        )
        self.site = MemorySite(release, graph(), files, serving(release).observe(NAME))
        self.controls = FakeControls()
        self.events: list[Event] = []
        self.now = still_clock()
        controls = ServiceControls(self.controls, NAME)
        self.pause: Callable[[float], None] = lambda _seconds: pytest.fail("nothing was to be waited for")
        self.watch = Watch(
            self.site, controls, self.events.append, lambda: self.now, lambda sec: self.pause(sec)
        )
        self.watch.begin(release, graph(), dict(files))

    def worker(self, chainlet: str, replica: int = 1) -> FakeWorker:
        return self.controls.worker(self.site.release.service_of(chainlet).name, replica)

    def save(self, path: str, old: str, new: str) -> Event | None:
        """Edit a file; what is told of it."""
        text = self.site.files[path].decode()
        assert old in text
        self.site.files[path] = text.replace(old, new, 1).encode()
        return self.saved(path)

    def saved(self, *paths: str) -> Event | None:
        before = len(self.events)
        self.watch.saved(paths)
        return self.events[-1] if len(self.events) > before else None


@pytest.fixture
def world() -> World:
    return World()


def test_a_body_is_swapped_without_loading_the_chain(world: World) -> None:
    """Only who imports the module is touched; the entrypoint is told last, and has the number in any case."""
    told = world.save(HELPERS, "return 1", "return 1  # one")
    assert isinstance(told, EditApplied)
    assert [step[:2] for step in told.steps] == [("Leaf", "swap"), ("Root", "swap")]
    assert (world.site.loads, world.watch.generation) == (0, 1)
    commits = [service for service, verb in world.controls.log if verb == "commit"]
    assert commits == [world.site.release.service_of(name).name for name in ("Leaf", "Root")]
    assert world.worker("Leaf").served == [(1, "swap", {"helpers.py": world.site.files[HELPERS].decode()})]
    assert world.site.marked == {service.name for service in world.site.release.services}


def test_every_replica_is_given_the_edit() -> None:
    """And all have it ready before the first one serves it."""
    world = World(leaves=2)
    world.save(HELPERS, "strip", "lower")
    assert [world.worker("Leaf", n).committed for n in (1, 2)] == [1, 1]
    verbs = [verb for _, verb in world.controls.log]
    assert verbs == ["prepare"] * 3 + ["commit"] * 3


def test_what_is_saved_unchanged_or_is_nobodys_does_nothing(world: World) -> None:
    """Five hundred of them neither."""
    assert world.saved(CHAIN, HELPERS, *(f"/project/{n}.py" for n in range(500))) is None
    assert world.controls.log == []


def test_a_syntax_error_is_told_with_its_place_and_mended_by_the_next_save(world: World) -> None:
    """What is served then is all that differs from what was served."""
    world.save(HELPERS, "strip", "lower")
    told = world.save(CHAIN, "def run_remote", "def run_remote(")
    assert isinstance(told, EditRefused)
    assert told.message.startswith(f"{CHAIN}:")
    assert world.watch.generation == 1
    told = world.save(CHAIN, "def run_remote(", "def run_remote")
    assert told == EditApplied(1, (), 0.0), "what is saved is what serves"
    told = world.save(CHAIN, "clean(text)", "clean(text) + '!'")
    assert isinstance(told, EditApplied)
    assert world.watch.generation == 2


def test_what_was_refused_is_part_of_the_next_save(world: World) -> None:
    """Also where that is of another file: what serves is what is there, or nothing changes."""
    world.save(CHAIN, "def run_remote", "def run_remote(")
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditRefused)
    assert told.message.startswith(f"{CHAIN}:")
    told = world.save(CHAIN, "def run_remote(", "def run_remote")
    assert isinstance(told, EditApplied)
    assert world.worker("Leaf").served == [(1, "swap", {"helpers.py": world.site.files[HELPERS].decode()})]


def test_an_edit_that_is_given_up_is_part_of_the_next_one(world: World) -> None:
    """Nothing of it is served, whatever was ready of it; who waits for an answer waits no longer."""
    prepare = world.worker("Root").prepare

    def late(message: Mapping[str, Any]) -> Mapping[str, Any]:
        world.watch.give_up()
        assert ("Root", "cut") in verbs(world)
        raise DeployError("the connection ended")

    world.worker("Root").prepare = late
    told = world.save(HELPERS, "strip", "lower")
    assert told == EditRefused("it was left before it was ready, for what came next")
    assert not any(world.worker(name).ready or world.worker(name).served for name in CALLS)
    world.worker("Root").prepare = prepare
    told = world.save(CHAIN, "clean(text)", "clean(text) + '!'")
    assert isinstance(told, EditApplied)
    assert set(world.worker("Leaf").served[0][2]) == {"helpers.py", "chain.py"}


def test_what_is_ready_is_not_given_up(world: World) -> None:
    """The next save comes after it."""
    world.save(HELPERS, "strip", "lower")
    world.controls.log.clear()
    world.watch.give_up()
    assert world.controls.log == []
    assert isinstance(world.save(HELPERS, "lower", "upper"), EditApplied)


def test_a_call_that_does_not_end_is_told_once(world: World) -> None:
    """With the chainlets that it holds."""
    world.save(HELPERS, "strip", "lower")
    world.worker("Root").in_flight = world.worker("Leaf").in_flight = {"0": 1}
    before = len(world.events)
    for _ in range(3):
        world.watch.look()
        world.now += 29
    (told,) = world.events[before:]
    assert isinstance(told, Notice)
    assert "under way for 30 s, in Leaf, Root; a restart ends it" in told.text


def test_a_call_that_nobody_waits_for_and_does_not_end_is_told(world: World) -> None:
    """No request is under way at the entrypoint any more then, and older code is let go elsewhere."""
    world.save(HELPERS, "strip", "lower")
    world.worker("Leaf").in_flight = {"0": 1}
    before = len(world.events)
    for _ in range(3):
        world.watch.look()
        world.now += 29
    (told,) = world.events[before:]
    assert isinstance(told, Notice)
    assert "under way for 30 s, in Leaf; a restart ends it" in told.text
    assert world.worker("Root").oldest == 1


def test_a_module_that_is_imported_anew_and_is_no_python_is_told_with_its_place(world: World) -> None:
    """As a file that was there before is."""
    added = "/project/more.py"
    file = graph().chainlet("Root").files[0]
    more = tuple(
        replace(spec, files=(*spec.files, replace(file, source=added, path="more.py")))
        for spec in graph().chainlets
    )
    world.site.graph, world.site.files[added] = replace(graph(), chainlets=more), b"def\n"
    told = world.save(CHAIN, "import chainctl", "import more\nimport chainctl")
    assert isinstance(told, EditRefused)
    assert told.message.startswith(f"{added}:1: ")
    world.site.files[added] = b"X = '\0'\n"
    told = world.saved(CHAIN, added)
    assert isinstance(told, EditRefused)
    assert told.message.startswith(f"{added}")
    world.site.files[added] = b"X = 1\n"
    assert isinstance(world.saved(CHAIN, added), EditApplied)


def test_problems_of_the_chain_are_shown_before_anything_is_swapped(world: World) -> None:
    """A signature that callers still use: every place of it, and nothing else."""
    world.site.problem = Problem("CH0201", "`Root` calls `Leaf` with a text", CHAIN, 9)
    told = world.save(
        CHAIN, "text: str) -> str:\n        return clean", "text: int) -> str:\n        return clean"
    )
    assert isinstance(told, EditRefused)
    assert "CH0201" in "".join(told.details)
    assert world.controls.log == []


def test_a_refused_import_is_shown_at_the_users_own_file(world: World) -> None:
    """All replicas that were ready forget it."""
    world.worker("Root").refuses["reimport"] = {
        "ok": False, "next": None,
        "error": {"message": "ModuleNotFoundError: No module named 'nope'", "path": "chain.py", "line": 1},
    }  # fmt: skip
    told = world.save(CHAIN, "import chainctl", "import nope\nimport chainctl")
    assert told == EditRefused(f"{CHAIN}:1: ModuleNotFoundError: No module named 'nope'")
    assert all(not world.worker(name).ready for name in CALLS)
    assert world.watch.generation == 0


def test_a_worker_that_can_not_names_the_next_rung(world: World) -> None:
    """It is tried at once, and told with the worker's reason."""
    no = {"ok": False, "next": "reinit", "error": {"message": "the state holds a `Net`"}}
    world.worker("Leaf").refuses["swap"] = no
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditApplied)
    assert ("Leaf", "reinit", "the state holds a `Net`") in told.steps


def test_what_no_process_can_do_is_a_new_one(world: World) -> None:
    """For that chainlet only; others go on in place."""
    world.worker("Leaf").refuses["swap"] = {
        "ok": False,
        "next": "restart",
        "error": {"message": "a C extension"},
    }
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditApplied)
    assert told.steps[0] == ("Leaf", "restart", "a C extension")
    assert world.site.renewed == ["Leaf"]
    told = world.save(PROMPT, "say", "sing")
    assert isinstance(told, EditApplied)
    assert told.steps == (("Root", "restart", "prompt.txt changed"),)


def verbs(world: World) -> list[tuple[str, str]]:
    """Which chainlet was told what, in order."""
    names = {service.name: service.chainlet for service in world.site.release.services}
    return [(names[service], verb) for service, verb in world.controls.log]


def test_callers_turn_to_a_new_process_before_any_request_has_its_code(world: World) -> None:
    """Old ones take only calls of older generations from then on, and all calls when they are gone."""
    world.worker("Leaf").refuses["swap"] = {"ok": False, "next": "restart", "error": {"message": "no"}}
    world.worker("Root").in_flight = {"0": 1}

    def end(_seconds: float) -> None:
        assert world.worker("Leaf").serves == (0, 0)
        world.worker("Root").in_flight = {"1": 3}

    world.pause = end
    world.save(HELPERS, "strip", "lower")
    told = verbs(world)
    turning = told[told.index(("Leaf", "serve")) :]
    assert turning == [
        ("Leaf", "serve"), ("Root", "commit"), ("Root", "status"), ("Root", "status"), ("Leaf", "serve")
    ]  # fmt: skip
    assert world.worker("Leaf").serves == (0, None)
    assert (world.worker("Root").committed, world.watch.generation) == (1, 1)


def test_a_new_entrypoint_brings_its_generation_itself(world: World) -> None:
    """The old one is not told: its requests end with the code that they began with."""
    told = world.save(PROMPT, "say", "sing")
    assert isinstance(told, EditApplied)
    assert [step[:2] for step in told.steps] == [("Root", "restart")]
    assert [one for one in verbs(world) if one[1] != "status"] == [("Root", "serve")]
    assert (world.worker("Root").committed, world.worker("Root").serves) == (0, (0, None))
    assert world.watch.generation == 1


def test_callers_that_can_not_be_turned_go_on_as_before(world: World) -> None:
    """Whoever was turned already is turned back."""
    no = {"ok": False, "next": "restart", "error": {"message": "no"}}
    world.worker("Leaf").refuses |= {"swap": no, "serve": no}
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditRefused)
    assert "did not turn its callers away: no" in told.message
    assert (world.worker("Leaf").serves, world.worker("Root").committed) == ((0, None), 0)
    assert world.watch.generation == 0


def test_a_new_process_that_does_not_start_changes_nothing(world: World) -> None:
    """What was ready for it is forgotten; the next good save brings both."""
    world.site.fails = True
    told = world.save(PROMPT, "say", "sing")
    assert told == EditRefused("Leaf did not become ready")
    world.site.fails = False
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditApplied)
    assert [step[:2] for step in told.steps] == [("Leaf", "swap"), ("Root", "restart")]
    assert world.saved(PROMPT) is None, "it serves already"


def test_another_graph_is_pushed(world: World) -> None:
    """And begins a new count."""
    world.save(HELPERS, "strip", "lower")
    world.site.graph = replace(graph(), entrypoint="Leaf")
    told = world.save(CHAIN, "import chainctl", "import re\nimport chainctl")
    assert told == EditApplied(0, (("Leaf", "push", "Leaf is the entrypoint"),), 0.0)
    assert (world.site.pushes, world.watch.generation) == (1, 0)


def test_a_chain_file_that_is_gone_is_waited_for(world: World) -> None:
    """Editors that write by rename take it away for a moment."""
    text = world.site.files.pop(CHAIN)
    told = world.saved(CHAIN)
    assert isinstance(told, EditRefused)
    assert told.message.startswith("chain.py is not there")
    world.site.files[CHAIN] = text
    assert world.saved(CHAIN) == EditApplied(0, (), 0.0), "what is saved is what serves"
    assert world.saved(CHAIN) is None


def test_old_code_is_let_go_when_its_last_request_has_ended(world: World) -> None:
    """Not before: it would be answered by new code in its middle."""
    world.save(HELPERS, "strip", "lower")
    world.worker("Root").in_flight = {"0": 1, "1": 4}
    world.watch.look()
    assert world.worker("Leaf").oldest == 0
    world.worker("Root").in_flight = {"1": 4}
    world.watch.look()
    assert (world.worker("Leaf").oldest, world.worker("Root").oldest) == (1, 1)
    world.controls.log.clear()
    world.watch.look()
    assert {verb for _, verb in world.controls.log} == {"status"}


def test_a_process_that_started_anew_gets_all_its_edits_again(world: World) -> None:
    """At once, as one; it ran its image's code meanwhile."""
    world.save(HELPERS, "strip", "lower")
    world.save(CHAIN, "clean(text)", "clean(text) + '!'")
    leaf = world.worker("Leaf")
    leaf.start_anew()
    leaf.served.clear()
    world.watch.look()
    assert leaf.served == [
        (
            2,
            "reinit",
            {"helpers.py": world.site.files[HELPERS].decode(), "chain.py": world.site.files[CHAIN].decode()},
        )
    ]
    assert isinstance(world.events[-1], Notice)


def test_a_lost_process_is_told_and_tried_again(world: World) -> None:
    """The edit is not served then; the next save tries all of it."""
    world.worker("Leaf").is_lost = True
    told = world.save(HELPERS, "strip", "lower")
    assert told == EditRefused("the service does not answer")
    world.worker("Leaf").is_lost = False
    told = world.saved(HELPERS)
    assert isinstance(told, EditApplied)


def test_an_engine_that_is_away_ends_nothing(world: World) -> None:
    """What is saved meanwhile is not served, and the next save brings it when the engine is back."""
    world.save(HELPERS, "strip", "lower")
    away = EngineError("no engine listens", hint="start it")
    world.controls.away = away
    world.now += 60
    world.watch.look()
    assert world.save(HELPERS, "lower", "upper") == EditRefused("no engine listens")
    world.watch.look()
    world.controls.away = None
    told = world.saved(HELPERS)
    assert isinstance(told, EditApplied)
    assert world.watch.generation == 2


def test_a_refusal_is_said_once_whatever_else_is_written(world: World) -> None:
    """A log beside the chain file grows with each line; a save of the file itself is answered each time."""
    refused = world.save(HELPERS, "return", "retur")
    assert isinstance(refused, EditRefused)
    assert world.saved("/p/watch.log") is None
    assert world.saved(HELPERS) == refused
    assert isinstance(world.save(HELPERS, "retur ", "return "), EditApplied)


def test_a_chain_that_another_command_replaced_is_told(world: World) -> None:
    """With what to do; a push from here takes it over again."""
    world.site.observed = replace(world.site.observed, services=())
    told = world.save(HELPERS, "strip", "lower")
    assert isinstance(told, EditRefused)
    assert told.message.startswith("no service of Leaf, Root is there any more, as another command pushed")
    assert "the key `b`" in told.message
    world.watch.push()
    world.site.observed = World().site.observed
    assert isinstance(world.save(HELPERS, "lower", "upper"), EditApplied)


def test_a_service_that_does_not_run_is_told(world: World) -> None:
    """It is there, and ended."""
    first, *rest = world.site.observed.services
    world.site.observed = replace(
        world.site.observed, services=(replace(first, status=ServiceStatus.FAILED), *rest)
    )
    told = world.save(HELPERS, "strip", "lower")
    assert told == EditRefused("of Leaf no service runs; restart it (the key `r`)")


def test_a_replica_that_came_later_gets_the_edits(world: World) -> None:
    """The number of replicas may be changed while a chain is watched; that is seen after a while."""
    world.save(HELPERS, "strip", "lower")
    world.site.observed = World(leaves=2).site.observed
    world.now += 60
    world.watch.look()
    assert world.worker("Leaf", 2).committed == 1
    world.save(HELPERS, "lower", "upper")
    assert [world.worker("Leaf", n).committed for n in (1, 2)] == [2, 2]


def test_what_runs_is_looked_at_again_where_a_replica_is_gone() -> None:
    """An edit does not look each time; it tries again with what it finds then."""
    world = World(leaves=2)
    world.save(HELPERS, "strip", "lower")
    world.worker("Leaf", 2).is_lost = True
    world.site.observed = World().site.observed
    told = world.save(HELPERS, "lower", "upper")
    assert isinstance(told, EditApplied)
    assert (world.worker("Leaf").committed, world.worker("Leaf", 2).committed) == (2, 1)


def test_the_last_request_is_the_entrypoints(world: World) -> None:
    """As it came: its media type and its bytes; None where there was none."""
    assert world.watch.last_call() is None
    world.worker("Root").last = ("application/json", b"{}")
    assert world.watch.last_call() == ("application/json", b"{}")


def test_a_signature_that_a_caller_does_not_fit_is_not_served(world: World) -> None:
    """The place of the call is told; what served before goes on, until both are edited."""
    world.site.graph = replace(graph())
    told = world.save(
        CHAIN, "text: str) -> str:\n        return clean", "text: str, n: int) -> str:\n        return clean"
    )
    assert told == EditRefused(f"{CHAIN}:19: `Root` calls `Leaf.run_remote` without `n`")
    assert (world.controls.log, world.site.pushes) == ([], 0)
    told = world.save(CHAIN, "self.leaf.run_remote(text)", "self.leaf.run_remote(text, 1)")
    assert isinstance(told, EditApplied)

"""Plan files: what a push is held to, and what is said when it does not hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from chainctl.deploy.release import FrontDoor
from chainctl.deploy.settings import DeploySettings
from chainctl.errors import StalePlanError, UsageError
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.draft import Draft, DraftSettings
from chainctl.workflows.plan import PlannedJob, preview, preview_text
from chainctl.workflows.plan_file import PlanFile, parse_plan_file, plan_file, plan_file_text
from chainctl.workflows.push import Pushed, push
from chainctl.workflows.rollout import Rollout
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import silent
from tests.fakes.target import MemoryTarget
from tests.unit.workflows.test_push import ORIGIN, draft, graph


class Place:
    """A target in memory with its releases."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(root, "memory")
        self.target = MemoryTarget()
        self.backend = MemoryBackend()

    def planned(self, of: Draft) -> PlanFile:
        """The plan as it comes back from its file."""
        made = plan_file(of, "memory", self.target.observe(of.chain), self.ledger.latest(of.chain), {"a": 1})
        return parse_plan_file(plan_file_text(made).encode(), "p.json")

    def push(self, of: Draft, planned: PlanFile | None = None, keep_warm: int = 0) -> Pushed:
        return push(
            of,
            self.backend,
            self.target,
            self.ledger,
            ORIGIN,
            silent,
            lambda: 0.0,
            rollout=Rollout(keep_warm),
            planned=planned,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refused(place: Place, of: Draft, planned: PlanFile) -> str:
    """What is said, and that nothing was touched."""
    place.target.applied.clear()
    place.backend.started.clear()
    with pytest.raises(StalePlanError) as caught:
        place.push(of, planned)
    assert not place.target.applied
    assert not place.backend.started
    return caught.value.message


def test_a_plan_that_holds_is_done(place: Place) -> None:
    """The first time, and for a change of what runs."""
    assert place.push(draft(), place.planned(draft())).number == 1
    assert place.push(draft("Left"), place.planned(draft("Left"))).number == 2


def test_a_plan_is_done_once(place: Place) -> None:
    """What it led to is not what it was made from."""
    planned = place.planned(draft())
    place.push(draft(), planned)
    assert refused(place, draft(), planned) == (
        "The plan does not hold any more: the last release is 1 now, and was nothing when it was planned"
    )


def test_a_changed_file_is_named(place: Place) -> None:
    assert refused(place, draft("Left"), place.planned(draft())) == (
        "The plan does not hold any more: Left.py changed, in the image of Left"
    )


def test_changed_settings_are_named(place: Place) -> None:
    bound = DraftSettings(deploy=DeploySettings(front_door=FrontDoor(bind="0.0.0.0")))
    assert "the configuration of the front door is" in refused(
        place, draft(settings=bound), place.planned(draft())
    )
    prod = DraftSettings(deploy=DeploySettings(environment="prod"))
    assert "the configuration of Left is" in refused(place, draft(settings=prod), place.planned(draft()))


def test_another_chain_and_another_target_are_named(place: Place) -> None:
    named = draft(settings=DraftSettings(name="other"))
    assert "the chain is other now, and was shop" in refused(place, named, place.planned(draft()))
    elsewhere = replace(place.planned(draft()), target="local")
    assert "the target is memory now, and was local" in refused(place, draft(), elsewhere)


def test_what_runs_otherwise_is_named(place: Place) -> None:
    """A service that stopped in between would be started by no line of the plan."""
    place.push(draft())
    planned = place.planned(draft("Left"))
    place.target.reboot("shop")
    name = place.target.observe("shop").services[0].name
    assert refused(place, draft("Left"), planned).endswith(
        f"the service {name} that is there is stopped now, and was running when it was planned"
    )


def test_what_stays_warm_is_part_of_the_plan(place: Place) -> None:
    """A plan that removes services is not done by a push that keeps them; nor the other way round."""
    place.push(draft())
    cold = place.planned(draft("Left"))
    last = place.ledger.latest("shop")
    names = ", ".join(sorted(service.name for service in last.release.services)) if last else ""
    with pytest.raises(StalePlanError) as caught:
        place.push(draft("Left"), cold, keep_warm=1)
    assert caught.value.message == (
        f"The plan does not hold any more: what is kept warm is {names} now, and was nothing when it was planned"
    )
    old = replace(cold, wanted=cold.wanted[:-1])  # as it was written before warm services were in it
    assert place.push(draft("Left"), old).number == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is no JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"[]", "Input should be an object"),
        (b"{}", "`chain`: Field required"),
        (b'{"chain": 1}', "`chain`: Input should be a valid string"),
        (b"\xff", "it is no JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
    ],
)
def test_what_is_no_plan_file_is_said_to_be_none(text: bytes, said: str) -> None:
    """With the first thing that is wrong with it."""
    with pytest.raises(UsageError) as caught:
        parse_plan_file(text, "p.json")
    assert caught.value.message == f"p.json is no plan file: {said}"


def test_a_plan_of_a_newer_version_is_refused(place: Place) -> None:
    newer = plan_file_text(replace(place.planned(draft()), format_version=2)).encode()
    with pytest.raises(UsageError, match="newer chainctl"):
        parse_plan_file(newer, "p.json")


def test_releases_are_recorded_with_their_interfaces(place: Place) -> None:
    """And read back as they were; the next plan tells what breaks callers."""
    place.push(draft())
    last = place.ledger.latest("shop")
    assert last is not None
    assert last.interfaces.entrypoint == "Root"
    assert last.interfaces.edges == (("Root", "Left"), ("Root", "Right"))
    same = graph()
    closed = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    specs = tuple(replace(s, input_schema=closed) if s.name == "Left" else s for s in same.chainlets)
    changed = draft(of=replace(same, chainlets=specs))
    shown = preview(changed, place.backend, place.target, last)
    assert (
        "! breaking: Root → Left: the call takes object only, not anything"
        in preview_text(shown).splitlines()
    )
    assert not preview(draft(), place.backend, place.target, last).interfaces.changes


def test_old_records_without_interfaces_are_unknown(place: Place) -> None:
    """They are read, and nothing is guessed."""
    place.push(draft())
    last = place.ledger.latest("shop")
    assert last is not None
    kept = TypeAdapter(Record).dump_python(last, mode="json")
    kept.pop("interfaces")
    shown = preview(draft(), place.backend, place.target, TypeAdapter(Record).validate_json(json.dumps(kept)))
    assert not shown.interfaces.is_known
    assert "? interfaces: " in preview_text(shown)


def test_jobs_have_their_place(place: Place) -> None:
    """Between what is built and what is started; a job alone is something to do."""
    place.push(draft())
    quiet = preview(draft(), place.backend, place.target, place.ledger.latest("shop"))
    shown = replace(quiet, jobs=(PlannedJob("+ job Notify ops: new", {"job": "Notify"}),))
    assert not quiet.has_changes
    assert shown.has_changes
    lines = preview_text(shown).splitlines()
    assert lines[3] == "+ job Notify ops: new"

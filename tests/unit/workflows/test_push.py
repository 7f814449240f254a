"""Drafts, previews, pushes and downs, with everything outside in memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chainctl.build.settings import BuildSettings
from chainctl.deploy.operations import AwaitReady, Operation, Route, StopService
from chainctl.deploy.release import FrontDoor, SecretRef
from chainctl.deploy.settings import DeploySettings
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.errors import (
    BuildError,
    DeployError,
    EngineError,
    LockHeldError,
    MissingSecretError,
    RegistryError,
)
from chainctl.events import (
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    OperationFinished,
    OperationStarted,
    PhaseStarted,
)
from chainctl.graph.graph import ChainGraph
from chainctl.state.ledger import Ledger
from chainctl.workflows.down import down
from chainctl.workflows.draft import Draft, DraftSettings, chain_name, draft_release
from chainctl.workflows.plan import Preview, preview, preview_text
from chainctl.workflows.push import Origin, Pushed, push
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import chainlet, graph_of, snapshot_of
from tests.fakes.registry import MemoryRegistry
from tests.fakes.target import MemoryTarget
from tests.fakes.vault import MemoryVault

ORIGIN = Origin("/project/chain.py", user="me", revision="abc")
CALLS = {"Root": ["Left", "Right"], "Left": [], "Right": []}


def graph(secrets: dict[str, list[str]] | None = None, *, chain: str = "shop") -> ChainGraph:
    """Three chainlets, each with a file of its own."""
    keys = secrets or {}
    specs = [
        chainlet(n, files=["chain.py", f"{n}.py"], config={"assets": {"secret_keys": keys.get(n, [])}})
        for n in CALLS
    ]
    return graph_of(CALLS, specs=specs, chain=chain)


def draft(
    *edited: str,
    of: ChainGraph | None = None,
    settings: DraftSettings | None = None,
    vault: MemoryVault | None = None,
) -> Draft:
    """A draft; `edited` chainlets have other code."""
    files = {"chain.py": "", **{f"{n}.py": "edited" if n in edited else n for n in CALLS}}
    return draft_release(
        of or graph(),
        settings or DraftSettings(),
        lambda _graph, _settings: snapshot_of(files),
        vault or MemoryVault(),
    )


@dataclass
class World:
    """What a push acts on, and what it told."""

    ledger: Ledger
    backend: MemoryBackend = field(default_factory=MemoryBackend)
    target: MemoryTarget = field(default_factory=MemoryTarget)
    told: list[Event] = field(default_factory=list)

    def push(self, *edited: str) -> Pushed:
        return self.push_draft(draft(*edited))

    def push_draft(self, wanted: Draft, registry: MemoryRegistry | None = None) -> Pushed:
        clock = itertools.count(1).__next__
        return push(
            wanted, self.backend, self.target, self.ledger, ORIGIN, self.told.append,
            lambda: float(clock()), registry,
        )  # fmt: skip

    def preview(self, *edited: str) -> Preview:
        return preview(draft(*edited), self.backend, self.target, self.ledger.latest("shop"))

    def forget_what_was_told(self) -> None:
        self.told.clear()
        self.backend.started.clear()
        self.target.applied.clear()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty world."""
    return World(Ledger(tmp_path, "memory"))


# --- draft -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "given", "name"),
    [
        ("HelloAll", None, "helloall"),
        ("HelloAll", "Other Name", "other-name"),
        ("My_Chain", None, "my-chain"),
        ("x" * 60, None, "x" * 33 + "-332408"),
        ("x" * 39 + "-y", None, "x" * 33 + "-8a1fa8"),
        ('q"uo"te\n', None, "q-uo-te"),
    ],
)
def test_a_chain_is_called_as_given_or_as_its_own(own: str, given: str | None, name: str) -> None:
    """As a DNS label that leaves room for the rest of a service's name."""
    assert chain_name(graph(chain=own), given) == name


def test_a_draft_names_everything() -> None:
    """Images, services and door, and nothing else was touched."""
    made = draft(settings=DraftSettings(name="Night Shop"))
    assert made.chain == made.release.chain == "night-shop"
    assert [str(i.ref).split(":")[0] for i in made.images.images] == [
        "night-shop/left", "night-shop/right", "night-shop/root",
    ]  # fmt: skip
    assert {s.image for s in made.release.services} == {str(i.ref) for i in made.images.images}
    assert made.release.entrypoint == made.release.service_of("Root").name


def test_a_trial_has_the_images_of_what_it_tries() -> None:
    """Its services have names of their own."""
    made, tried = draft(), draft(settings=DraftSettings(name="trial", images="shop"))
    assert tried.images == draft(settings=DraftSettings(name="shop")).images
    assert tried.chain == "trial"
    assert {s.image for s in tried.release.services} == {str(i.ref) for i in tried.images.images}
    assert not {s.name for s in tried.release.services} & {s.name for s in made.release.services}


def test_settings_shape_a_draft() -> None:
    """Base images reach the images, limits and doors the release."""
    settings = DraftSettings(
        build=BuildSettings(base_images={"3.11": "mirror.example/python"}),
        deploy=DeploySettings(
            FrontDoor("0.0.0.0", 80, "door:1"), start_timeout_sec=9, pids=7, environment="prod"
        ),
        api_key="KEY",
        tls="PEM",
    )
    made = draft(settings=settings, vault=MemoryVault({"KEY": b"1", "PEM": b"2"}))
    assert {i.base_image for i in made.images.images} == {"mirror.example/python"}
    door = made.release.front_door
    assert (door.bind, door.port, door.image) == ("0.0.0.0", 80, "door:1")
    assert isinstance(door.api_key, SecretRef)
    assert isinstance(door.tls, SecretRef)
    assert (door.api_key.name, door.tls.name) == ("KEY", "PEM")
    assert {(s.start_timeout_sec, s.resources.pids) for s in made.release.services} == {(9, 7)}
    assert made.release.services[0].env == (("CHAINCTL_ENVIRONMENT", "prod"),)


def test_all_missing_secrets_are_named_before_a_file_is_read() -> None:
    """Those of chainlets and those of the front door."""

    def never(_graph: ChainGraph, _settings: BuildSettings) -> None:
        raise AssertionError("a file was read")

    wanted = graph({"Left": ["A"], "Root": ["A", "B"]})
    with pytest.raises(MissingSecretError) as raised:
        draft_release(wanted, DraftSettings(api_key="KEY"), never, MemoryVault())  # type: ignore[arg-type]  # never called
    assert raised.value.details == (
        "A: declared by Left, Root", "B: declared by Root", "KEY: declared by the front door",
    )  # fmt: skip


def test_secrets_of_builds_are_asked_for_where_images_are_built() -> None:
    """A missing one is told with who declares it, with the package index's; local processes need none."""
    config = {"build_commands": ["true"], "build_secret_keys": ["B"], "assets": {"secret_keys": ["A"]}}
    wanted = graph_of({"Root": []}, specs=[chainlet("Root", files=["chain.py"], config=config)], chain="shop")
    settings = DraftSettings(build=BuildSettings(index_credentials_secret="INDEX"))
    with pytest.raises(MissingSecretError) as raised:
        draft(of=wanted, settings=settings, vault=MemoryVault({"A": b"1"}))
    assert raised.value.details == (
        "B: declared by the build of Root", "INDEX: declared by the build of Root",
    )  # fmt: skip
    made = draft(of=wanted, settings=replace(settings, has_builds=False), vault=MemoryVault({"A": b"1"}))
    assert made.images.images[0].secrets == ("B", "INDEX")


def test_a_rotated_secret_of_a_build_changes_nothing() -> None:
    """Neither the image's name nor the release."""
    config = {"build_commands": ["true"], "build_secret_keys": ["B"]}
    wanted = graph_of({"Root": []}, specs=[chainlet("Root", files=["chain.py"], config=config)], chain="shop")
    before, after = (draft(of=wanted, vault=MemoryVault({"B": value})) for value in (b"1", b"2"))
    assert before.images == after.images
    assert before.release == after.release


def test_a_rotated_secret_restarts_its_readers_only(world: World) -> None:
    """Without a build, and not their callers."""
    vault, of = MemoryVault({"A": b"1"}), graph({"Left": ["A"]})
    before = world.push_draft(draft(of=of, vault=vault))
    vault.set("A", b"2")
    after = world.push_draft(draft(of=of, vault=vault))
    assert (len(before.built), after.built) == (3, ())
    assert {op.service.chainlet for op in after.plan.started} == {"Left"}
    assert after.number == 2


# --- preview ---------------------------------------------------------------------------------


def readable(text: str) -> str:
    """Number digests in order of appearance: they change with every template."""
    digests = list(dict.fromkeys(re.findall(r"[:-]([0-9a-f]{16}|[0-9a-f]{8})\b", text)))
    return re.sub(r"([:-])([0-9a-f]{16}|[0-9a-f]{8})\b", lambda m: f"{m[1]}#{digests.index(m[2]) + 1}", text)


def test_the_text_of_a_preview_is_golden(world: World, golden: Callable[[str, str], None]) -> None:
    """For a first push, for a repeat, and for an edit of which one image was built before."""
    first = world.preview()
    golden("preview/first.txt", readable(preview_text(first)) + "\n")
    world.push()
    repeat = world.preview()
    golden("preview/repeat.txt", readable(preview_text(repeat)) + "\n")
    world.backend.images.add(draft("Left").images.image_of("Left").ref)
    edit = world.preview("Left", "Right")
    golden("preview/edit.txt", readable(preview_text(edit)) + "\n")
    assert [first.has_changes, repeat.has_changes, edit.has_changes] == [True, False, True]


def test_a_missing_image_is_a_change(world: World) -> None:
    """Also when everything runs: somebody has pruned."""
    world.push()
    world.backend.images.clear()
    shown = world.preview()
    assert shown.deploy.is_empty
    assert shown.has_changes


def test_what_may_fail_is_told_by_a_preview_and_by_a_push(world: World) -> None:
    """It stops neither of them."""
    world.target.doubts = ("No node has the label disk=ssd: Left waits",)
    assert (
        preview_text(world.preview()).splitlines()[-1]
        == "may fail: No node has the label disk=ssd: Left waits"
    )
    world.push()
    assert [event.text for event in world.told if isinstance(event, Notice)] == list(world.target.doubts)


def test_a_preview_touches_nothing(world: World) -> None:
    """It only asks."""
    world.preview()
    assert (world.backend.started, world.target.applied) == ([], [])


# --- push ------------------------------------------------------------------------------------


def test_a_push_builds_starts_routes_and_records(world: World) -> None:
    """In that order, told in phases, recorded with its origin."""
    done = world.push()
    assert (done.chain, done.url, done.number) == ("shop", "http://127.0.0.1:8080", 1)
    assert done.built == ("Left", "Right", "Root")
    seen = world.target.observe("shop").front_door
    assert seen is not None
    assert seen.route == draft().release.entrypoint
    record = world.ledger.load("shop", 1)
    assert record.release == draft().release
    assert (record.source, record.user, record.revision) == ("/project/chain.py", "me", "abc")
    phases = [e.title for e in world.told if isinstance(e, PhaseStarted)]
    assert phases == ["Build", "Deploy"]
    last_build = max(n for n, e in enumerate(world.told) if isinstance(e, BuildFinished))
    first_step = min(n for n, e in enumerate(world.told) if isinstance(e, OperationStarted))
    assert last_build < world.told.index(PhaseStarted("Deploy")) < first_step
    assert {e.chainlet for e in world.told if isinstance(e, BuildStarted)} == set(CALLS)
    assert len([e for e in world.told if isinstance(e, OperationFinished)]) == len(done.plan.operations)


def test_a_repeat_does_nothing_and_says_so(world: World) -> None:
    """Nothing is built, applied or recorded; number and URL stay."""
    first = world.push()
    world.forget_what_was_told()
    again = world.push()
    assert (again.number, again.url, again.built) == (first.number, first.url, ())
    assert again.plan.is_empty
    assert world.told == [Notice("shop is up to date")]
    assert (world.backend.started, world.target.applied) == ([], [])
    assert world.ledger.next_number("shop") == 2


def test_what_is_up_to_date_needs_no_lock(world: World) -> None:
    """Looking on is open to everybody, also while another push is at work."""
    first = world.push()
    with world.ledger.lock("shop"):
        again = world.push()
    assert again == replace(first, built=(), plan=again.plan)
    assert again.plan.is_empty


def test_an_image_that_is_gone_is_built_again_though_all_runs(world: World) -> None:
    """Else the next start on another machine, or a restart, would find none."""
    world.push()
    (gone,) = (ref for ref in world.backend.images if ref.repository.endswith("/left"))
    world.backend.images.remove(gone)
    again = world.push()
    assert (again.number, again.built, again.plan.is_empty) == (1, ("Left",), True)


def test_the_revision_is_a_label_and_no_part_of_a_name(world: World) -> None:
    """Each image that is built has it; the same files in another revision are not built again."""
    world.push()
    assert {dict(image.labels)["org.opencontainers.image.revision"] for image in world.backend.built} == {
        "abc"
    }
    assert {image.ref for image in world.backend.built} == {image.ref for image in draft().images.images}


def test_a_builder_that_joins_nothing_gets_one_image_of_a_kind_first(tmp_path: Path) -> None:
    """The first makes the layers that the others share; a builder that joins steps gets all at once."""
    world = World(Ledger(tmp_path, "memory"), MemoryBackend(joins_equal_steps=False))
    assert world.push().built == ("Left", "Right", "Root")
    done, started = (
        next(n for n, e in enumerate(world.told) if isinstance(e, kind) and e.chainlet == name)
        for kind, name in ((BuildFinished, "Left"), (BuildStarted, "Right"))
    )
    assert done < started
    assert [e.title for e in world.told if isinstance(e, PhaseStarted)] == ["Build", "Deploy"]


def test_an_edit_is_a_new_release_and_a_way_back_another(world: World) -> None:
    """Numbers go up; images are reused when they are there."""
    world.push()
    world.forget_what_was_told()
    assert world.push("Left").built == ("Left",)
    back = world.push()
    assert (back.built, back.number) == ((), 3)


def test_what_ends_while_a_push_goes_on_is_started_again(world: World) -> None:
    """What the plan keeps may end under it: the push looks again, so that its word is true."""
    world.push()

    def reboot_once(operation: Operation) -> None:
        if isinstance(operation, StopService) and not rebooted:
            rebooted.append(operation)
            world.target.reboot("shop")

    rebooted: list[Operation] = []
    world.target.fails = reboot_once
    pushed = world.push("Left")
    assert rebooted
    assert {op.service.chainlet for op in pushed.plan.started} == {"Left", "Root"}
    services = world.target.observe("shop").services
    assert {s.chainlet: s.status for s in services} == dict.fromkeys(CALLS, ServiceStatus.RUNNING)
    assert Notice("What runs of shop has changed in the meantime") in world.told


def test_a_push_of_what_does_not_stay_says_so(world: World) -> None:
    """Where everything ends again and again, the push ends, too, and names what is missing."""
    world.push()

    def reboot(operation: Operation) -> None:
        if isinstance(operation, StopService) or (rebooted and isinstance(operation, AwaitReady)):
            rebooted.append(operation)
            world.target.reboot("shop")

    rebooted: list[Operation] = []
    world.target.fails = reboot
    with pytest.raises(DeployError, match="shop does not stay as it was released") as raised:
        world.push("Root")
    assert any("service shop-left" in line for line in raised.value.details)
    latest = world.ledger.latest("shop")
    assert latest is not None
    assert latest.number == 1


def test_what_was_healed_is_no_new_release(world: World) -> None:
    """A reboot starts everything again under the same number."""
    world.push()
    world.target.reboot("shop")
    healed = world.push()
    assert len(healed.plan.started) == 3
    assert healed.number == 1
    assert world.ledger.next_number("shop") == 2


def test_a_failed_build_changes_nothing(world: World) -> None:
    """What served still serves, nothing is recorded, and the error is the builder's own."""
    world.push()
    world.forget_what_was_told()
    error = BuildError("Left", "RUN x", ["no x"])
    world.backend.fails = {"Left": error}
    with pytest.raises(BuildError) as raised:
        world.push("Left")
    assert raised.value is error
    assert world.target.applied == []
    assert world.ledger.next_number("shop") == 2
    world.backend = MemoryBackend()
    assert world.push("Left").number == 2


def test_the_first_failure_ends_the_builds_under_way(tmp_path: Path) -> None:
    """The others are broken off, and their errors do not hide the first."""
    error = BuildError("Left", "RUN x", ["no x"])
    world = World(Ledger(tmp_path, "memory"), MemoryBackend(fails={"Left": error}, hangs=["Right", "Root"]))
    with pytest.raises(BuildError) as raised:
        world.push()
    assert raised.value is error
    assert world.backend.is_cancelled
    assert world.backend.images == set()
    assert not any(isinstance(e, BuildFinished) for e in world.told)
    assert world.target.observe("shop") == ObservedState("shop")


def test_a_failed_deploy_is_not_recorded_and_the_next_push_goes_on(world: World) -> None:
    """The old release serves meanwhile; images that were built are not built again."""
    world.push()
    world.forget_what_was_told()
    world.target.never_ready = {"Root"}
    with pytest.raises(DeployError, match="Root"):
        world.push("Left")
    seen = world.target.observe("shop").front_door
    assert seen is not None
    assert seen.route == draft().release.entrypoint
    assert world.ledger.next_number("shop") == 2
    world.target.never_ready = set()
    done = world.push("Left")
    assert (done.built, done.number) == ((), 2)
    assert {s.name for s in world.target.observe("shop").services} == {
        s.name for s in draft("Left").release.services
    }


def test_a_lost_engine_is_resumed_by_pushing_again(world: World) -> None:
    """From the operation where it was lost."""
    world.target.fails = lambda op: EngineError("gone") if isinstance(op, Route) else None
    with pytest.raises(EngineError):
        world.push()
    world.forget_what_was_told()
    world.target.fails = lambda _: None
    done = world.push()
    assert [type(op) for op in done.plan.operations] == [Route]
    assert done.number == 1


def test_a_release_that_flipped_but_did_not_clean_up_is_recorded_by_the_next_push(world: World) -> None:
    """Once, under one number."""
    world.push()
    world.target.fails = lambda op: EngineError("gone") if isinstance(op, StopService) else None
    with pytest.raises(EngineError):
        world.push("Left")
    world.target.fails = lambda _: None
    assert world.push("Left").number == 2
    assert world.push("Left").number == 2


def test_two_pushes_of_a_chain_do_not_meet(world: World) -> None:
    """The second is refused before anything is built; other chains go on."""
    with world.ledger.lock("shop"):
        with pytest.raises(LockHeldError):
            world.push()
        assert world.backend.started == []
        assert world.push_draft(draft(settings=DraftSettings(name="other"))).number == 1


# --- down ------------------------------------------------------------------------------------


def take_down(world: World) -> int:
    """Take the chain down and return how many operations that took."""
    return len(down("shop", world.target, world.ledger, world.told.append, lambda: 0.0).operations)


def test_down_leaves_nothing_but_the_images(world: World) -> None:
    """No service, no address, no history; pushing again begins with number 1."""
    world.push()
    assert take_down(world) == 5
    assert world.target.chains() == []
    assert world.ledger.chains() == []
    again = world.push()
    assert (again.built, again.number) == ((), 1)


def test_a_new_internal_token_starts_every_service_anew(world: World) -> None:
    """Without a build; the address stays."""

    class Renewed(MemoryVault):
        def token(self, chain: str) -> str:
            return f"another-token-of-{chain}"

    first = world.push()
    again = world.push_draft(draft(vault=Renewed()))
    assert {op.service.chainlet for op in again.plan.started} == set(CALLS)
    assert (again.built, again.url, again.number) == ((), first.url, 2)


def test_down_of_nothing_is_no_error(world: World) -> None:
    """There is just nothing to do."""
    assert take_down(world) == 0


def test_a_down_that_was_cut_off_keeps_the_history_and_goes_on(world: World) -> None:
    """What is known of a chain is forgotten last."""
    world.push()
    world.target.fails = lambda op: EngineError("gone") if isinstance(op, StopService) else None
    with pytest.raises(EngineError):
        take_down(world)
    assert world.ledger.chains() == ["shop"]
    world.target.fails = lambda _: None
    take_down(world)
    assert (world.target.chains(), world.ledger.chains()) == ([], [])


def test_down_waits_for_nobody(world: World) -> None:
    """While a push holds the lock it is refused."""
    world.push()
    with world.ledger.lock("shop"), pytest.raises(LockHeldError):
        take_down(world)
    assert world.ledger.chains() == ["shop"]


def test_a_release_names_its_images_by_digest(world: World) -> None:
    """Where a registry has them; services are called as before, so that nothing is started anew."""
    world.push()
    registry = MemoryRegistry()
    done = world.push_draft(draft(), registry)
    assert done.number == 2
    assert done.plan.is_empty
    record = world.ledger.latest("shop")
    assert record is not None
    for service in record.release.services:
        name, _, digest = service.published.partition("@sha256:")
        assert (name, digest) == (
            f"registry.test/models/{service.image.rpartition(':')[0]}",
            registry.images[service.image],
        )
    assert dict(done.images) == {s.chainlet: s.published for s in record.release.services}


def test_publishing_twice_is_one_release(world: World) -> None:
    """What is there already is not sent again."""
    registry = MemoryRegistry()
    assert world.push_draft(draft(), registry).number == 1
    world.forget_what_was_told()
    assert world.push_draft(draft(), registry).number == 1
    told = [event.text for event in world.told if isinstance(event, Notice)]
    assert sum("was there already" in text for text in told) == 3


def test_a_registry_that_refuses_touches_nothing(world: World) -> None:
    """Nothing is started, no release is recorded."""
    with pytest.raises(RegistryError):
        world.push_draft(draft(), MemoryRegistry(refuses=("left",)))
    assert world.target.applied == []
    assert world.ledger.latest("shop") is None

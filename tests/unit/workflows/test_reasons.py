"""Why images are built: in plans, in builds and in pushes, against what was pushed last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.build.differences import Circumstance, Difference, reason_text
from chainctl.build.input_table import InputTable
from chainctl.build.settings import BuildSettings
from chainctl.cli.image_json import images_json
from chainctl.errors import BuildError, MissingSecretError
from chainctl.events import BuildStarted, Event, PhaseStarted
from chainctl.graph.graph import ChainGraph
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.build import build
from chainctl.workflows.draft import Draft, DraftSettings, draft_images, draft_release
from chainctl.workflows.push import Origin, push
from chainctl.workflows.reasons import ExplainedImage, explain_images, explain_offline, image_lines
from tests.fakes.backend import MemoryBackend
from tests.fakes.chains import chainlet, graph_of, silent, snapshot_of, still_clock
from tests.fakes.target import MemoryTarget
from tests.fakes.vault import MemoryVault

CALLS = {"Root": ["Leaf"], "Leaf": []}


def graph(*names: str) -> ChainGraph:
    """Chainlets with a file of their own each; the root calls the leaf."""
    calls = {name: [n for n in CALLS.get(name, []) if n in names] for name in names or CALLS}
    specs = [chainlet(n, files=["chain.py", f"{n}.py"], config=_config(n)) for n in calls]
    return graph_of(calls, specs=specs)


def _config(name: str) -> dict[str, object]:
    return {"docker_image": {"pip_requirements": ["idna==3.0"]}} if name == "Leaf" else {}


def draft(*edited: str, of: ChainGraph | None = None) -> Draft:
    """A draft; `edited` chainlets have other code."""
    files = {"chain.py": "", **{f"{n}.py": "edited" if n in edited else n for n in (*CALLS, "More")}}
    return draft_release(of or graph(), DraftSettings(), lambda _g, _s: snapshot_of(files), MemoryVault())


def record(of: Draft, number: int = 3) -> Record:
    """What a push of a draft writes down."""
    return Record(number, of.release, 0.0, "/p/chain.py", inputs=table_of(of))


def table_of(of: Draft) -> InputTable:
    """The inputs of a draft's images."""
    return InputTable.of({image.chainlet: image.inputs for image in of.images.images})


def explained(now: Draft, last: Record | None, *existing: str) -> tuple[ExplainedImage, ...]:
    there = frozenset(now.images.image_of(name).ref for name in existing)
    return explain_images(now.images, there, last)


def readable(lines: list[str], now: Draft) -> list[str]:
    """Lines with names of chainlets for those of images."""
    names = {str(image.ref): image.chainlet for image in now.images.images}
    return [next((line.replace(ref, names[ref]) for ref in names if ref in line), line) for line in lines]


@pytest.mark.parametrize(
    ("last", "existing", "leaf", "lines"),
    [
        (None, [], Circumstance.FIRST, "+ image Leaf (Leaf): build, the first of this chain"),
        (record(draft()), [], Circumstance.GONE, "+ image Leaf (Leaf): build, the image is gone from the engine"),
        (
            record(draft(of=graph("Root"))), ["Root"],
            Circumstance.NEW, "+ image Leaf (Leaf): build, new chainlet",
        ),
        (
            replace(record(draft("Leaf")), inputs=InputTable()), ["Root"], Circumstance.UNRECORDED,
            "~ image Leaf (Leaf): build, it changed, but the last release has no record of its inputs",
        ),
    ],
)  # fmt: skip
def test_circumstances(last: Record | None, existing: list[str], leaf: Circumstance, lines: str) -> None:
    """Where there is nothing to compare with, that is the reason."""
    now = draft()
    found = explained(now, last, *existing)
    assert found[0].reasons == (leaf,)
    assert readable(image_lines(found, "build", is_full=False), now)[0] == lines


def test_what_exists_is_reused_without_a_reason() -> None:
    """Also where the last release had another one: somebody went back, or has built before."""
    for last in (None, record(draft("Leaf"))):
        found = explained(draft(), last, "Leaf", "Root")
        assert [one.is_reused for one in found] == [True, True]
        assert readable(image_lines(found, "build", is_full=True), draft()) == [
            "= image Leaf (Leaf): reuse",
            "= image Root (Root): reuse",
        ]


def test_the_first_reason_or_all() -> None:
    """A change is told with the first difference and a count; in full, one line each."""
    leaf = replace(graph().chainlet("Leaf"), config={})
    before = record(draft(of=replace(graph(), chainlets=(leaf, graph().chainlet("Root")))))
    now = draft("Leaf")
    found = explained(now, before, "Root")
    assert readable(image_lines(found, "build", is_full=False), now) == [
        "~ image Leaf (Leaf): build, idna 3.0 added (requirements), and 1 more",
        "= image Root (Root): reuse",
    ]
    assert readable(image_lines(found, "built", is_full=True), now) == [
        "~ image Leaf (Leaf): built",
        "    idna 3.0 added (requirements)",
        "    Leaf.py changed",
        "= image Root (Root): reuse",
    ]


def test_reasons_as_json() -> None:
    """All of them, with the parts of those that are differences."""
    now = draft("Leaf")
    changed, gone = images_json(explained(now, record(draft())), "build")
    assert changed == {
        "chainlet": "Leaf",
        "image": str(now.images.image_of("Leaf").ref),
        "action": "build",
        "reasons": [{"text": "Leaf.py changed", "input": "file", "name": "Leaf.py", "change": "changed"}],
    }
    assert gone["reasons"] == [{"text": "the image is gone from the engine"}]
    reused = images_json(explained(now, None, "Leaf", "Root"), "build")
    assert [(one["action"], one["reasons"]) for one in reused] == [("reuse", []), ("reuse", [])]


def test_without_an_engine_the_last_release_is_taken_to_be_there() -> None:
    """What differs from it would be built; nothing else is known."""
    assert [one.is_reused for one in explain_offline(draft().images, record(draft()))] == [True, True]
    leaf, root = explain_offline(draft("Leaf").images, record(draft()))
    assert ([reason_text(reason) for reason in leaf.reasons], root.reasons) == (["Leaf.py changed"], ())
    assert {one.reasons for one in explain_offline(draft().images, None)} == {(Circumstance.FIRST,)}


# --- build and push --------------------------------------------------------------------------


def test_a_build_builds_what_is_missing_and_says_why() -> None:
    """And a second one does nothing. No secret is asked for."""
    backend, told = MemoryBackend(), list[Event]()
    _, plan = draft_images(graph(), DraftSettings(), lambda _g, _s: snapshot_of({"chain.py": ""}))
    done = build(plan, backend, None, told.append, still_clock)
    assert [one.reasons for one in done] == [(Circumstance.FIRST,), (Circumstance.FIRST,)]
    assert sorted(backend.started) == ["Leaf", "Root"]
    assert told[0] == PhaseStarted("Build")
    assert {e.reason for e in told if isinstance(e, BuildStarted)} == {"the first of this chain"}
    told.clear()
    assert all(one.is_reused for one in build(plan, backend, None, told.append, still_clock))
    assert (told, len(backend.started)) == ([], 2)


def test_a_build_that_fails_says_so() -> None:
    """With the builder's own error."""
    backend = MemoryBackend(fails={"Leaf": BuildError("Leaf", "RUN x", ["no x"])})
    with pytest.raises(BuildError):
        build(draft().images, backend, None, silent, still_clock)


def test_a_push_remembers_inputs_and_tells_reasons(tmp_path: Path) -> None:
    """The next one compares with what it pushed, read back from the disk."""
    ledger, backend, target, told = Ledger(tmp_path, "memory"), MemoryBackend(), MemoryTarget(), list[Event]()

    def pushed(*edited: str) -> list[tuple[str, str]]:
        told.clear()
        push(draft(*edited), backend, target, ledger, Origin("/p/chain.py"), told.append, still_clock)
        return sorted((e.chainlet, e.reason) for e in told if isinstance(e, BuildStarted))

    assert pushed() == [("Leaf", "the first of this chain"), ("Root", "the first of this chain")]
    latest = ledger.latest("shop")
    assert latest is not None
    assert latest.inputs == table_of(draft())
    assert pushed("Leaf") == [("Leaf", "Leaf.py changed")]
    assert pushed("Leaf", "Root") == [("Root", "Root.py changed")]
    backend.images.clear()
    gone = "the image is gone from the engine"
    assert pushed("Leaf", "Root") == [("Leaf", gone), ("Root", gone)]


def test_images_are_drafted_as_a_push_does() -> None:
    """The same names."""
    files = {"chain.py": "", **{f"{n}.py": n for n in (*CALLS, "More")}}
    settings = DraftSettings(build=BuildSettings())
    assert draft_images(graph(), settings, lambda _g, _s: snapshot_of(files))[1] == draft().images


def test_a_difference_is_no_circumstance() -> None:
    """What can be compared is told by its parts."""
    (leaf, _) = explained(draft("Leaf"), record(draft()), "Root")
    assert [type(reason) for reason in leaf.reasons] == [Difference]
    assert leaf.replaces


def test_secrets_of_builds_are_required_before_the_first_of_them() -> None:
    """Of the images that are missing, and no others: those that exist need none."""
    plan = draft().images
    leaf, root = plan.images
    plan = replace(
        plan, images=(replace(leaf, secrets=("TOKEN",)), replace(root, secrets=("TOKEN", "OTHER")))
    )
    backend, asked = MemoryBackend(), list[object]()

    def refuse(wanted: Mapping[str, Sequence[str]]) -> None:
        asked.append(wanted)
        raise MissingSecretError("none")

    with pytest.raises(MissingSecretError):
        build(plan, backend, None, silent, still_clock, refuse)
    assert backend.existing(image.ref for image in plan.images) == set()
    backend.build(plan.images[0], silent)
    build(plan, backend, None, silent, still_clock, asked.append)
    build(plan, backend, None, silent, still_clock, asked.append)
    both = ["the build of Leaf", "the build of Root"]
    one = ["the build of Root"]
    assert asked == [{"TOKEN": both, "OTHER": one}, {"TOKEN": one, "OTHER": one}, {}]

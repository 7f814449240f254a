"""An image is built again exactly when one of its inputs changed: 1,000 random edits against a naive model."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from chainctl.adapters.files import take_snapshot
from chainctl.build.differences import Difference, differences, reason_text
from chainctl.build.plan import BuildPlan, plan_build
from chainctl.build.settings import BuildSettings
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.describe import source_files
from chainctl.graph.graph import ChainGraph
from chainctl.graph.imports import closure_of
from chainctl.graph.load import load
from tests.fakes.chains import chainlet, graph_of, snapshot_file
from tests.unit.build.edited_project import CALLEES, CHAINLETS, EDIT_NAMES, Project, expected_differences

RUNS, EDITS = 5, 200
LOADED_EVERY = 50
_MENTION = re.compile(r"(imported by|named in|package of) (.+):(\d+)")


def graph_now(project: Project) -> ChainGraph:
    """The graph that loading the project gives, put together here: a child a step would take too long."""
    specs = [
        replace(
            chainlet(name, config=project.config(name)),
            module=CHAINLETS[name].removesuffix(".py").replace("/", "."),
            is_async=project.is_async(name),
            files=source_files(
                closure_of(project.root / CHAINLETS[name], _roots(project, name)), project.root
            ),
        )
        for name in CHAINLETS
    ]
    graph = graph_of({"Entry": CALLEES, **dict.fromkeys(CALLEES, ())}, specs=specs)
    return replace(graph, root=str(project.root), path=str(project.root / "chain.py"))


def _roots(project: Project, name: str) -> list[Path]:
    return [project.root, *([project.root / "ext"] if project.wishes[name].has_packages else [])]


def planned(project: Project, graph: ChainGraph) -> BuildPlan:
    """The images of a project as it is on disk, with a runtime that can be edited, too."""
    certificates = tuple(str(project.root / f"ca/{n}.pem") for n in range(len(project.certificates)))
    settings = BuildSettings(project.mirrors, certificates)
    runtime = {"version.py": snapshot_file("/runtime/version.py", str(project.runtime))}
    return plan_build(graph, "shop", replace(take_snapshot(graph, settings), runtime=runtime), settings)


def refs(plan: BuildPlan) -> dict[str, str]:
    return {image.chainlet: str(image.ref) for image in plan.images}


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_rebuild_is_missed_and_none_is_false(seed: int, tmp_path: Path) -> None:
    """After each edit exactly the predicted images have another name, and exactly what was edited is told."""
    project = Project(tmp_path.resolve(), random.Random(seed))
    made_of = {name: project.made_of(name) for name in CHAINLETS}
    plan = planned(project, graph_now(project))
    pushed, pushed_made_of = plan, made_of
    for step in range(EDITS):
        edit = project.edit()
        before, made_before = plan, made_of
        plan = planned(project, graph_now(project))
        made_of = {name: project.made_of(name) for name in CHAINLETS}
        changed = {name for name, ref in refs(plan).items() if ref != refs(before)[name]}
        assert changed == {n for n in CHAINLETS if made_of[n] != made_before[n]}, (step, edit)
        for name in CHAINLETS:
            found = differences(pushed.image_of(name).inputs, plan.image_of(name).inputs)
            told = {(difference.kind.value, difference.name) for difference in found}
            assert told == expected_differences(pushed_made_of[name], made_of[name]), (step, edit, name)
            assert len(told) == len(found)
            assert all(is_true(project, difference) for difference in found), (step, edit, found)
        if project.rng.random() < 0.4:
            pushed, pushed_made_of = plan, made_of
        if step % LOADED_EVERY == 0:
            assert_loads_as(project, plan)


def is_true(project: Project, difference: Difference) -> bool:
    """Whether the place that a difference names is one that asks for the file."""
    if difference.change.value == "removed" or not (found := _MENTION.fullmatch(difference.why)):
        return bool(reason_text(difference))
    line = project.line(found[2], int(found[3]))
    path = PurePosixPath(difference.name)
    return any(part.removesuffix(".py") in line for part in path.parts) or path.parts[0] == "ext"


def assert_loads_as(project: Project, plan: BuildPlan) -> None:
    """The graph that was put together gives the same images as the one that a child interpreter loads."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = load(ChainFile.parse(str(project.root / "chain.py")), environ=environ)
    assert refs(planned(project, loaded)) == refs(plan)
    for image in planned(project, loaded).images:
        assert set(image.inputs) ^ set(plan.image_of(image.chainlet).inputs) == set()


def test_all_edits_are_made() -> None:
    """As many edits are made as there should be, and the choice leaves none out."""
    assert RUNS * EDITS >= 1_000
    assert len(EDIT_NAMES) > 20

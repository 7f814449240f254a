"""Applying stores what changed and runs what is left, on every database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainctl.components.node import Node, NodeKey
from chainctl.errors import CleanupError, ComponentError, ExitCode, InUseError, NotFoundError, StateError
from chainctl.sdk.component import Component
from chainctl.state.artifacts import DirectoryArtifacts
from chainctl.state.database import Database
from chainctl.state.db import Db
from chainctl.state.values import Action, JobStatus
from tests.state.nodes import Recorder, key, node

DIAMOND = (
    node("base"),
    node("left", children=["base"]),
    node("right", children=["base"]),
    node("top", children=["left", "right"]),
)


@pytest.fixture
def db(url: str, tmp_path: Path) -> Iterator[Db]:
    """An empty state."""
    with Db(Database.open(url), DirectoryArtifacts(tmp_path / "artifacts")) as made:
        yield made


def statuses(db: Db) -> dict[str, str]:
    return {f"{job.key.identifier}.{job.method}": str(job.status) for job in db.jobs()}


def test_what_is_new_is_stored_created_and_run(db: Db) -> None:
    """Children first; the result of a trigger is kept."""
    runner = Recorder()
    done = db.apply_nodes(DIAMOND, runner)
    assert runner.ran == [
        f"{n}.{m}" for n in ("base", "left", "right", "top") for m in ("on_create", "start")
    ]
    assert done.is_ok
    assert {change.action for change in done.changes} == {Action.CREATE}
    (job,) = db.jobs("Thing", "top")
    assert (job.result, job.attempt, job.error) == ({"did": "start"}, 1, "")
    assert job.started_at is not None
    assert job.ended_at is not None
    assert {revision.status for revision in db.show()} == {"ready"}


def test_what_did_not_change_is_left_alone(db: Db) -> None:
    db.apply_nodes(DIAMOND, Recorder())
    runner = Recorder()
    done = db.apply_nodes(DIAMOND, runner)
    assert runner.ran == []
    assert {change.action for change in done.changes} == {Action.KEEP}
    assert [r.rev for r in db.history("Thing", "top")] == [1]


def test_a_change_runs_all_triggers_again_and_no_others(db: Db) -> None:
    """A version and `on_create` are for breaking changes alone; every change is a revision."""
    db.apply_nodes(DIAMOND, Recorder())
    runner = Recorder()
    db.apply_nodes((*DIAMOND[:3], node("top", "2", children=["left", "right"])), runner)
    assert runner.ran == ["top.start"]
    runner = Recorder()
    db.apply_nodes((*DIAMOND[:3], node("top", "2", breaking="c", children=["left", "right"])), runner)
    assert runner.ran == ["top.on_create", "top.start"]
    assert [(r.rev, r.version) for r in db.history("Thing", "top")] == [(3, 2), (2, 1), (1, 1)]


def test_a_change_names_its_fields(db: Db) -> None:
    db.apply_nodes([node("a")], Recorder())
    (change,) = db.plan_nodes([node("a", "2")])
    assert (change.action, change.reason, change.jobs) == (Action.UPDATE, "value changed", ("start",))


def test_a_failing_trigger_blocks_what_waits_for_it(db: Db) -> None:
    """Independent triggers still run; the next time only what is left does."""
    steps = {"one": (), "two": ("one",), "three": ("two",), "apart": ()}
    nodes = (node("a", triggers=steps), node("parent", children=["a"]), node("other"))
    runner = Recorder(fails=["a.two"])
    done = db.apply_nodes(nodes, runner)
    assert not done.is_ok
    assert statuses(db) == {
        "a.one": "success", "a.two": "failed", "a.three": "blocked", "a.apart": "success",
        "parent.start": "blocked", "other.start": "success",
    }  # fmt: skip
    (failed,) = done.failed
    assert "ValueError: a.two can not" in failed.error
    again = Recorder()
    assert db.apply_nodes(nodes, again).is_ok
    assert again.ran == ["a.two", "a.three", "parent.on_create", "parent.start"]
    assert {job.attempt for job in db.jobs("Thing", "a") if job.method == "two"} == {2}


def test_on_create_is_tried_again_and_jobs_wait_for_it(db: Db) -> None:
    done = db.apply_nodes([node("a")], Recorder(fails=["a.on_create"]))
    assert not done.is_ok
    assert db.show()[0].status == "create-failed"
    again = Recorder()
    assert db.apply_nodes([node("a")], again).is_ok
    assert again.ran == ["a.on_create", "a.start"]
    assert db.show()[0].status == "ready"


def test_a_trigger_that_is_not_wanted_counts_as_done(db: Db) -> None:
    """What depends on it runs."""
    steps = {"start": (), "go": ("start",)}
    runner = Recorder()
    assert db.apply_nodes([node("a", triggers=steps, unwanted=["start"])], runner).is_ok
    assert runner.ran == ["a.on_create", "a.go"]
    assert statuses(db) == {"a.start": "skipped", "a.go": "success"}
    assert db.apply_nodes([node("a", triggers=steps, unwanted=["start"])], Recorder(), rerun=True).is_ok
    assert statuses(db)["a.start"] == "skipped"


def test_no_jobs_are_skipped_and_never_pending(db: Db) -> None:
    runner = Recorder()
    assert db.apply_nodes([node("a")], runner, jobs=False).is_ok
    assert runner.ran == ["a.on_create"]
    assert statuses(db) == {"a.start": "skipped"}


def test_asked_to_all_run_again(db: Db) -> None:
    db.apply_nodes(DIAMOND, Recorder())
    runner = Recorder()
    assert db.apply_nodes(DIAMOND, runner, rerun=True).is_ok
    assert runner.ran == [f"{n}.start" for n in ("base", "left", "right", "top")]


def test_a_plan_writes_nothing(db: Db, tmp_path: Path) -> None:
    """Neither rows nor files."""
    nodes = [node("a", blobs=[b"weights"])]
    (change,) = db.plan_nodes(nodes)
    assert (change.action, change.jobs) == (Action.CREATE, ("start",))
    assert db.show() == ()
    assert not (tmp_path / "artifacts").exists()


def test_an_interrupt_is_on_the_job_and_goes_on(db: Db) -> None:
    def interrupt(what: str) -> None:
        if what == "a.two":
            raise KeyboardInterrupt

    steps = {"one": (), "two": ("one",)}
    with pytest.raises(KeyboardInterrupt):
        db.apply_nodes([node("a", triggers=steps)], Recorder(before=interrupt))
    assert statuses(db) == {"a.one": "success", "a.two": "interrupted"}
    runner = Recorder()
    assert db.apply_nodes([node("a", triggers=steps)], runner).is_ok
    assert runner.ran == ["a.two"]


def test_removing_cleans_up_first_and_asks_who_refers_to_it(db: Db) -> None:
    db.apply_nodes(DIAMOND, Recorder())
    runner = Recorder()
    with pytest.raises(InUseError, match="Thing:base is in use by Thing:left, Thing:right"):
        db.remove_keys([key("base")], runner)
    assert runner.ran == []
    assert db.remove_keys([key("base")], runner, recursive=True) == tuple(
        key(name) for name in ("top", "left", "right", "base")
    )
    assert runner.ran == [f"{name}.cleanup" for name in ("top", "left", "right", "base")]
    assert db.show() == ()
    assert db.jobs() == ()
    with pytest.raises(NotFoundError, match="Thing:base is not in the state"):
        db.remove_keys([key("base")], runner)


def test_a_cleanup_that_raises_keeps_the_component(db: Db) -> None:
    """Until it does not, or is forced."""
    db.apply_nodes([node("a"), node("b")], Recorder())
    with pytest.raises(ComponentError, match="`cleanup` of Thing:a raised ValueError"):
        db.remove_keys([key("a")], Recorder(fails=["a.cleanup"]))
    assert {r.key.identifier: r.status for r in db.show()} == {"a": "remove-failed", "b": "ready"}
    db.remove_keys([key("a")], Recorder())
    db.remove_keys([key("b")], Recorder(fails=["b.cleanup"]), force=True)
    assert db.show() == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"component": "Other", "identifier": "a"}, "Other:a is not in the state"),
        ({"component": "Thing", "identifier": "a", "revision": 9}, "Thing:a has no revision 9"),
        (
            {"component": "Thing", "identifier": "a", "version": 2, "revision": 1},
            "Thing:a has no version 2 with revision 1",
        ),
        ({"huuid": "Thing:a:123"}, "Thing:a has no version with the uuid '123'"),
        ({"huuid": "Thing"}, "'Thing' is no huuid"),
        ({"component": "Thing"}, "say which component to load"),
    ],
)
def test_what_can_not_be_loaded_is_named(db: Db, asked: dict[str, Any], said: str) -> None:
    """A component that is there is not told to be missing when only one of its revisions is."""
    db.apply_nodes([node("a")], Recorder())
    with pytest.raises(ComponentError, match=said):
        db.load(**asked)


@pytest.mark.parametrize(
    ("given", "said"),
    [(Component, "Component is a class, no component"), ("a", "no component, but of the type str")],
)
def test_what_is_no_component_is_not_applied(db: Db, given: Any, said: str) -> None:
    """And it is said what it is."""
    for call in (db.apply, db.plan):
        with pytest.raises(ComponentError, match=said):
            call(given)


def test_what_a_child_says_of_a_cleanup_is_said_once(db: Db) -> None:
    """With the user's frames, and the exit code of a job that failed."""

    class Child(Recorder):
        def cleanup(self, one: Node) -> None:
            raise ComponentError(f"`cleanup` of {one.key} raised ValueError: no", details=["line 3"])

    db.apply_nodes([node("a")], Recorder())
    with pytest.raises(CleanupError) as caught:
        db.remove_keys([key("a")], Child())
    assert caught.value.message == "`cleanup` of Thing:a raised ValueError: no"
    assert (caught.value.details, caught.value.exit_code) == (("line 3",), ExitCode.FAILURE)


def test_what_nothing_refers_to_is_collected(db: Db, tmp_path: Path) -> None:
    """A blob that two share stays until the last is gone; one that was put just now stays as well."""
    db.apply_nodes([node("a", blobs=[b"shared", b"own"]), node("b", blobs=[b"shared"])], Recorder())
    assert db.gc(young_sec=-1) == ()
    db.remove_keys([key("a")], Recorder())
    assert len(db.gc(young_sec=-1)) == 1
    db.remove_keys([key("b")], Recorder())
    assert db.gc() == ()
    assert len(db.gc(young_sec=-1)) == 1
    assert list((tmp_path / "artifacts").glob("*/*")) == []


def test_an_artifact_that_was_changed_is_refused(db: Db, tmp_path: Path) -> None:
    """Before any of it runs."""
    db.apply_nodes([node("a", blobs=[b"code"])], Recorder())
    (path,) = (tmp_path / "artifacts").glob("*/*")
    path.write_bytes(b"evil")
    runner = Recorder()
    with pytest.raises(ComponentError, match="it was changed or damaged"):
        db.remove_keys([key("a")], runner)
    assert runner.ran == []


def test_namespaces_and_owners_are_apart(db: Db) -> None:
    other = Db(db.metadata, db.artifact_store, "docker")
    db.apply_nodes([node("a")], Recorder(), owner="shop")
    other.apply_nodes([node("a", "2")], Recorder())
    assert [r.rev for r in db.history("Thing", "a")] == [1]
    assert db.owned_by("shop") == (NodeKey("Thing", "a"),)
    assert other.owned_by("shop") == ()


def test_the_unstorable_changes_nothing(db: Db, tmp_path: Path) -> None:
    """A disk that takes no blob: no row is written."""
    (tmp_path / "artifacts").write_text("no directory")
    with pytest.raises(StateError, match="can not be kept"):
        db.apply_nodes([node("a", blobs=[b"x"])], Recorder())
    assert db.show() == ()


def test_statuses_of_jobs_are_told(db: Db) -> None:
    heard: list[tuple[str, JobStatus]] = []
    db.apply_nodes([node("a")], Recorder(), told=lambda _key, method, status: heard.append((method, status)))
    assert heard == [("start", JobStatus.RUNNING), ("start", JobStatus.SUCCESS)]


def test_what_no_database_takes_is_written_in_another_way(db: Db) -> None:
    """A lone surrogate and a NUL in what a trigger raises."""

    def raise_it(what: str) -> None:
        if what == "a.start":
            raise ValueError("half \ud800 and \0")

    assert not db.apply_nodes([node("a")], Recorder(before=raise_it)).is_ok
    (job,) = db.jobs("Thing", "a")
    assert "half \\ud800 and \\0" in job.error


def test_an_artifact_that_is_put_again_is_young_again(db: Db, tmp_path: Path) -> None:
    """So that collecting spares what somebody is about to refer to."""
    db.apply_nodes([node("a", blobs=[b"x"])], Recorder())
    db.remove_keys([key("a")], Recorder())
    (path,) = (tmp_path / "artifacts").glob("*/*")
    os.utime(path, (0, 0))
    db.artifact_store.put(b"x")
    assert db.gc() == ()


def test_all_directories_are_private(url: str, tmp_path: Path) -> None:
    place = tmp_path / "one" / "two"
    DirectoryArtifacts(place).put(b"x")
    made = [tmp_path / "one", place, *(path.parent for path in place.glob("*/*"))]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in place.glob("*/*")} == {0o600}

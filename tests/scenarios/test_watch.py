"""A chain that is watched while it is asked all the time: what is saved is served, what is wrong is told."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.watch_chain import CHAIN, WEIGHTS, WORDS, Edition, Fault, sources
from tests.bench.watched import Door, Watched, environ_of, save, save_all, watching
from tests.conftest import ROOT, Chainctl, await_condition
from tests.scenarios.pushed_chain import TARGETS

TOLD_SEC = 60
START_SEC = 0.2


@dataclass
class Load:
    """One caller that asks as fast as it is answered. Every distinct answer is noted, and every failure."""

    door: Door
    seen: list[tuple[str, ...]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.is_set():
            try:
                answer = tuple(self.door.ask())
            except (AssertionError, OSError) as error:
                self.failures.append(str(error))
                return
            if not self.seen or self.seen[-1] != answer:
                self.seen.append(answer)
            self.pause.wait(0.005)


@dataclass
class Project:
    """A chain's directory, and the command that watches it. `edition` is what was saved last."""

    directory: Path
    target: str
    name: str
    watched: Watched
    door: Door
    chainctl: Chainctl
    edition: Edition = field(default_factory=Edition)

    @property
    def chain(self) -> Path:
        return self.directory / CHAIN

    def save(self, edition: Edition, says: str, *, by_rename: bool = True) -> None:
        """Save an edition, and wait until the command says something of it."""
        save_all(self.directory, sources(edition, START_SEC), by_rename=by_rename)
        if edition.fault is None:
            self.edition = edition
        self.told(says)

    def told(self, says: str) -> None:
        self.watched.await_line(lambda text: says in text, TOLD_SEC)

    def serves(self, edition: Edition) -> bool:
        return bool(self.door.ask() == list(edition.marks))

    @contextmanager
    def asked(self) -> Iterator[Load]:
        """Ask all the time; no request may fail."""
        with closing(Door(self.door.url)) as door:
            load = Load(door)
            callers = [threading.Thread(target=load.run)]
            for caller in callers:
                caller.start()
            try:
                yield load
            finally:
                load.over.set()
                for caller in callers:
                    caller.join()
            assert load.failures == []

    def ps(self) -> Any:
        shown = self.chainctl("ps", self.name, "--target", self.target, "--json")
        return json.loads(shown.stdout)["chains"][0]["services"]


@pytest.fixture(params=TARGETS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A chain that is pushed and watched on each target; it is taken down afterwards."""
    target: str = request.param
    directory, name, port = tmp_path / "chain", f"tw-{uuid.uuid4().hex[:6]}", free_port()
    environ = {**environ_of(tmp_path, port), "CHAINCTL_DRAIN_SEC": "5"}
    chainctl = Chainctl(environ, ROOT)
    save_all(directory, sources(Edition(), START_SEC))
    try:
        with watching(directory / CHAIN, name, target, environ) as watched:
            door = Door(f"http://127.0.0.1:{port}")
            with closing(door):
                yield Project(directory, target, name, watched, door, chainctl)
    finally:
        chainctl("down", name, "--target", target)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_each_save_is_served_and_no_answer_is_of_two(project: Project) -> None:
    """Bodies, a constant, an `__init__`; by each the action is told, and no request fails or mixes two edits."""
    first = project.edition
    editions = [
        replace(first, top=2, model=2),
        replace(first, top=2, model=2, words=3),
        replace(first, top=2, model=2, words=3, constant=4),
        replace(first, top=2, model=2, words=3, constant=4, start=5),
        replace(first, top=2, model=6, words=3, constant=4, start=5),
    ]
    actions = ["swap", "swap", "reimport", "reinit", "swap"]
    with project.asked() as load:
        for index, (edition, action) in enumerate(zip(editions, actions, strict=True)):
            project.save(edition, f": {action} Model: ", by_rename=index % 2 == 0)
            assert project.serves(edition)
    order = [one.marks for one in (first, *editions)]
    assert [mark for mark in order if mark in load.seen] == load.seen


def test_what_can_not_serve_is_told_with_its_place(project: Project) -> None:
    """What served goes on, and the next good save is served."""
    chain, words = str(project.directory / CHAIN), str(project.directory / WORDS)
    places = {
        Fault.SYNTAX: f"not served: {chain}:20: ",
        Fault.IMPORT: f"{words}:1: error[CH0601]: `Model` imports `nobody_has_this`",
        Fault.RAISES: f"{words}:1: error[CH0103]: ",
        Fault.INIT: f"not served: {chain}:15: RuntimeError: weights are missing",
        Fault.CHECK: f"{chain}:19: error[CH04",
    }
    with project.asked() as load:
        served = [project.edition.marks]
        for number, fault in enumerate(Fault, 2):
            project.save(project.edition.broken(number, fault), places[fault])
            assert project.serves(project.edition)
            project.save(replace(project.edition, top=number), f"edit {number - 1},")
            assert project.serves(project.edition)
            served.append(project.edition.marks)
    assert [marks for marks in served if marks in load.seen] == load.seen


def test_many_files_at_once_are_one_edit(project: Project) -> None:
    """Five hundred files that nobody imports and one that somebody does: it is served once."""
    for number in range(500):
        (project.directory / f"other_{number}.py").write_text(f"NUMBER = {number}\n")
    project.save(replace(project.edition, words=2), "edit 1,")
    project.save(replace(project.edition, words=3), "edit 2,")


def test_a_chain_file_that_is_away_does_no_harm(project: Project) -> None:
    """Deleted or renamed: a line says so, the chain goes on; what is saved there later is served."""
    away = project.chain.with_name("elsewhere.py")
    project.chain.rename(away)
    project.told("chain.py is not there")
    assert project.serves(project.edition)
    project.save(replace(project.edition, top=2, model=2), "edit 1,")
    assert project.serves(project.edition)


def test_what_no_process_can_take_is_served_by_a_new_one(project: Project) -> None:
    """Data, and requirements; the service starts anew under its name, and edits go on, also of who calls it."""
    names = {one["name"] for one in project.ps()}
    order = [project.edition]
    with project.asked() as load:
        for edition, says in (
            (replace(project.edition, weights=2), f": restart Model: {WEIGHTS} changed"),
            (replace(project.edition, weights=2, top=3, model=3), ": swap Model: "),
            (replace(project.edition, weights=2, top=4, model=4, requirement="idna"), ": rebuild Model: "),
        ):
            project.save(edition, says)
            assert project.serves(edition)
            order.append(edition)
        project.watched.process.send_signal(2)
    assert set(load.seen) <= {edition.marks for edition in order}, "no answer is of two"
    assert {one["name"] for one in project.ps()} == names


def test_what_is_edited_says_so_and_the_next_push_replaces_it(project: Project) -> None:
    """Also when the text is the old one again: then the code in memory is another one still."""
    before = project.edition
    assert not any(one["edited"] for one in project.ps())
    project.save(replace(before, top=2, model=2), "edit 1,")
    assert [one["edited"] for one in project.ps()] == [True, True]
    shown = project.chainctl("ps", project.name, "--target", project.target).stdout
    assert "running, edited" in shown
    project.watched.process.send_signal(2)
    project.watched.process.wait(60)
    assert project.serves(replace(before, top=2, model=2))
    save(project.chain, sources(before, START_SEC)[CHAIN])
    project.chainctl("push", str(project.chain), "--name", project.name, "--target", project.target)
    assert project.serves(before)
    assert not any(one["edited"] for one in project.ps())


def test_a_signature_and_its_callers_are_edited_together(project: Project) -> None:
    """While a caller does not fit, its place is told; then it is a push, and no answer is of both."""
    text = sources(project.edition, START_SEC)[CHAIN]
    old, new = ("run_remote(self)", '["M1"'), ("run_remote(self, mark: str)", "[mark")
    for before, after in zip(old, new, strict=True):
        text = text.replace(before, after, 1)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "self._model.run_remote()" in one)
    with project.asked() as load:
        save(project.chain, text)
        project.told(f"not served: {project.chain}:{line}: `Top` calls `Model.run_remote` without `mark`")
        assert project.serves(project.edition)
        save(project.chain, text.replace("self._model.run_remote()", 'self._model.run_remote(mark="M7")'))
        project.told(": push ")
        wanted = replace(project.edition, model=7)
        await_condition(lambda: project.serves(wanted), seconds=20)
    assert set(load.seen) <= {wanted.marks, project.edition.marks}


def test_what_does_not_end_is_left_for_the_next_save(project: Project) -> None:
    """An `__init__` that loops: it is not waited for until the time for a start is over."""
    before = project.edition
    loops = sources(replace(before, start=2), START_SEC)[CHAIN].replace("pass", "while True: pass", 1)
    assert "while True" in loops
    with project.asked() as load:
        save(project.chain, loops)
        project.told("making edit 1 ready: Model by reinit, as")
        wanted = replace(before, start=3)
        project.save(wanted, ": reinit Model: ")
        assert project.serves(wanted)
    assert set(load.seen) <= {before.marks, wanted.marks}


def test_a_chainlet_that_is_held_up_by_a_call_starts_anew(project: Project) -> None:
    """Its event loop does nothing else any more; the next edit of it ends that, and no other chainlet starts anew."""
    before = project.edition
    text = sources(replace(before, model=2), START_SEC)[CHAIN]
    loops = text.replace('["M2"', '[threading.Event().wait(1000) or "M2"', 1)
    assert loops != text
    save(project.chain, loops)
    project.told("edit 1,")
    with closing(http.client.HTTPConnection(project.door.url.partition("//")[2], timeout=1)) as lost:
        lost.request("POST", "/run_remote", b"{}", {"content-type": "application/json"})
        with pytest.raises(TimeoutError):
            lost.getresponse()
    wanted = replace(before, model=3)
    project.save(wanted, ": restart Model: a call keeps the event loop of Model busy and does not end")
    assert project.serves(wanted)

"""Steps of an edit and the services of a chain in; new code prepared on all of them, then served at once, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chainctl.deploy.target import Control, Controls
from chainctl.errors import DeployError
from chainctl.watch.ladder import Rung, Step, escalated

_MARGIN_SEC = 5.0
_ANSWER_SEC = 10.0
Replica = tuple[str, int]
"""A service's name and the number of one of its replicas."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An edit that is the user's to correct: what is wrong, where, and the traceback."""

    message: str
    path: str = ""
    line: int = 0
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """What changed of one chainlet's files, by paths as they are in its image."""

    texts: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def then(self, later: Files) -> Files:
        """Return both edits as one."""
        texts = {p: t for p, t in {**self.texts, **later.texts}.items() if p not in later.removed}
        removed = {*self.removed, *later.removed} - later.texts.keys()
        return Files(texts, tuple(sorted(removed)))


@dataclass(slots=True)
class ServiceControls:
    """Connections to the replicas of a chain's services, opened when they are first used."""

    target: Controls
    chain: str
    _open: dict[Replica, Control] = field(default_factory=dict)
    _asked: set[Replica] = field(default_factory=set)

    def ask(
        self, replica: Replica, message: Mapping[str, Any], within_sec: float = _ANSWER_SEC
    ) -> Mapping[str, Any]:
        """Ask one replica; after a failure the connection is opened anew the next time. Raises DeployError."""
        if replica not in self._open:
            self._open[replica] = self.target.control(self.chain, *replica)
        self._asked.add(replica)
        try:
            return self._open[replica].ask(message, within_sec)
        except DeployError:
            self.forget(replica)
            raise
        finally:
            self._asked.discard(replica)

    def ask_all(
        self, messages: Mapping[Replica, Mapping[str, Any]], within_sec: float = _ANSWER_SEC
    ) -> dict[Replica, Mapping[str, Any]]:
        """Ask replicas side by side. Raises the first DeployError, after all have answered or failed."""
        if not messages:
            return {}
        with ThreadPoolExecutor(len(messages), "control") as pool:
            asked = {one: pool.submit(self.ask, one, said, within_sec) for one, said in messages.items()}
        return {replica: future.result() for replica, future in asked.items()}

    def cut(self) -> None:
        """Wait no longer for any answer: whoever asks gets a DeployError. Any thread may say so."""
        for replica in self._asked.copy():
            control = self._open.get(replica)
            if control is not None:
                control.cut()

    def forget(self, replica: Replica) -> None:
        """Close the connection to a replica, if there is one."""
        control = self._open.pop(replica, None)
        if control is not None:
            control.close()

    def close(self) -> None:
        for replica in list(self._open):
            self.forget(replica)


@dataclass(frozen=True, slots=True)
class Prepared:
    """How preparing ended: with what was done for each chainlet, or with a refusal.

    `beyond` are steps that no running process can do.
    """

    steps: tuple[Step, ...] = ()
    beyond: tuple[Step, ...] = ()
    refusal: Refusal | None = None


def prepare(
    controls: ServiceControls,
    generation: int,
    steps: Iterable[Step],
    files: Mapping[str, Files],
    replicas: Mapping[str, tuple[Replica, ...]],
    within_sec: float,
) -> Prepared:
    """Have every replica of each step's chainlet make a generation ready; nothing is served by it yet.

    A worker that can not do what a step says names the rung that would: then that is tried. When one refuses,
    all forget the generation again. Raises DeployError when a replica is lost.
    """
    waiting, done, beyond = list(steps), list[Step](), list[Step]()
    asked: set[Replica] = set()
    try:
        while waiting:
            step = waiting.pop(0)
            messages = {
                replica: _message(generation, step, files.get(step.chainlet, Files()), within_sec)
                for replica in replicas[step.chainlet]
            }
            asked |= messages.keys()
            answers = controls.ask_all(messages, within_sec + _MARGIN_SEC)
            failed = [answer for answer in answers.values() if not answer.get("ok")]
            if not failed:
                done.append(step)
                continue
            higher = _higher(step, failed)
            if higher is None:
                abort(controls, generation, asked)
                return Prepared(refusal=_refusal(failed[0]))
            abort(controls, generation, messages)
            asked -= messages.keys()
            (beyond if higher.rung >= Rung.RESTART else waiting).append(higher)
    except BaseException:
        abort(controls, generation, asked)
        raise
    return Prepared(tuple(done), tuple(beyond))


def commit(controls: ServiceControls, generation: int, ordered: Iterable[Replica]) -> None:
    """Serve a generation that is ready, in the order given: who is called before who calls."""
    for replica in ordered:
        controls.ask(replica, {"verb": "commit", "generation": generation})


def divide(controls: ServiceControls, generation: int, older: Iterable[Replica]) -> None:
    """Leave calls from a generation on to those who have its code; `older` replicas take the ones before it.

    Raises DeployError where one of them can not be told; all take every call again then.
    """
    replicas = list(older)
    try:
        _serve(controls, replicas, 0, generation - 1)
    except DeployError:
        with suppress(DeployError):  # one that is lost takes none at all
            unite(controls, replicas)
        raise


def unite(controls: ServiceControls, replicas: Iterable[Replica]) -> None:
    """Let replicas take calls of every generation. Raises DeployError."""
    _serve(controls, list(replicas), 0, None)


def is_under_way(controls: ServiceControls, generation: int, replicas: Iterable[Replica]) -> bool:
    """Say whether a replica has calls of older generations than this one. Raises DeployError."""
    answers = controls.ask_all({replica: {"verb": "status"} for replica in replicas})
    counts = [count for answer in answers.values() for count in (answer.get("in_flight") or {}).items()]
    return any(int(number) < generation and count for number, count in counts)


def _serve(controls: ServiceControls, replicas: list[Replica], first: int, last: int | None) -> None:
    said = {"verb": "serve", "first": first, "last": last}
    for replica, answer in controls.ask_all(dict.fromkeys(replicas, said)).items():
        if not answer.get("ok"):
            raise DeployError(f"{replica[0]} did not turn its callers away: {_refusal(answer).message}")


def abort(controls: ServiceControls, generation: int, replicas: Iterable[Replica]) -> None:
    """Forget a generation that is not served, wherever that can still be said."""
    for replica in replicas:
        try:
            controls.ask(replica, {"verb": "abort", "generation": generation})
        except DeployError:
            continue  # one that is gone has forgotten it


def _message(generation: int, step: Step, files: Files, within_sec: float) -> dict[str, Any]:
    return {
        "verb": "prepare",
        "generation": generation,
        "action": str(step.rung),
        "files": dict(files.texts),
        "removed": list(files.removed),
        "seconds": within_sec,
    }


def _higher(step: Step, failed: Iterable[Mapping[str, Any]]) -> Step | None:
    """The lowest rung that all who failed can take; None where one of them says that none helps."""
    highest = step
    for answer in failed:
        name = answer.get("next")
        if not name:
            return None
        rung = Rung[str(name).upper()]
        highest = (
            escalated(highest, rung, str(_error(answer).get("message", "")))
            if rung > highest.rung
            else highest
        )
    return highest if highest.rung > step.rung else None


def _refusal(answer: Mapping[str, Any]) -> Refusal:
    error = _error(answer)
    lines = error.get("traceback") or ()
    return Refusal(
        str(error.get("message", "the service did not say why")),
        str(error.get("path") or ""),
        int(error.get("line") or 0),
        tuple(map(str, lines)),
    )


def _error(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    error = answer.get("error")
    return error if isinstance(error, Mapping) else {}

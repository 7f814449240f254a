"""A chain that serves and the paths that were saved in; what runs made to be what they say, out.

What was saved is compared with what is served, not with what was saved before: an edit that was refused is
looked at again together with the next one.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from chainctl.deploy.execute import Turn
from chainctl.deploy.operations import TurnCallers
from chainctl.deploy.release import Release
from chainctl.deploy.state import ObservedState
from chainctl.errors import ChainctlError, ChainDefinitionError, DeployError
from chainctl.events import EditApplied, EditRefused, Emit, Notice
from chainctl.graph.graph import ChainGraph
from chainctl.watch.callers import unfit_calls
from chainctl.watch.ladder import Edit, Rung, Step, inputs_of, is_below, steps_of
from chainctl.workflows.canary import rest
from chainctl.workflows.watch_controls import (
    Files,
    Prepared,
    Refusal,
    ServiceControls,
    abort,
    divide,
    is_under_way,
    prepare,
    unite,
)
from chainctl.workflows.watch_replicas import Replicas, WatchedReplicas
from chainctl.workflows.watch_texts import Served, came, changes_of, texts_of, trees_of

_QUICK_SEC = 10.0
_DRAIN_SEC = 30.0
_DRAIN_PAUSE_SEC = 0.05


class Site(Protocol):
    """All that watching needs of the world."""

    def load(self) -> ChainGraph:
        """Load the chain file as it is now. Raises ChainDefinitionError with all problems."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return what is in a file now, None where there is none."""
        ...

    def push(self) -> Release:
        """Push the chain as it is now; return what serves."""
        ...

    def renew(self, chainlets: Iterable[str], generation: int, turn: Turn) -> None:
        """Build images of chainlets as they are now, and start their services anew under their names.

        Their code is that of a generation. `turn` turns callers to it, once it is ready beside the old one.
        """
        ...

    def observe(self) -> ObservedState: ...

    def mark(self, services: Iterable[str]) -> None:
        """Remember that services run other code than their images have."""
        ...


class Watch:
    """One chain that is watched. `controls` reach the processes that run it."""

    def __init__(
        self,
        site: Site,
        controls: ServiceControls,
        emit: Emit,
        clock: Callable[[], float],
        pause: Callable[[float], None] = rest,
    ) -> None:
        self._site = site
        self._controls = controls
        self._emit = emit
        self._clock = clock
        self._pause = pause
        self._served: Served | None = None
        self._code: WatchedReplicas | None = None
        self._is_refused = False
        self._told: EditApplied | EditRefused | None = None
        self._is_own = True
        self._unserved: set[str] = set()
        self._giving_up = threading.Lock()
        self._is_given_up = self._is_preparing = False

    @property
    def generation(self) -> int:
        """The number of the last edit that is served; 0 since the last push."""
        return self._replicas().generation

    @property
    def graph(self) -> ChainGraph:
        """The chain that is served."""
        return self._now().graph

    @property
    def paths(self) -> set[str]:
        """All files that the chain is made from."""
        served = self._now()
        return {*served.texts, served.graph.path}

    def begin(self, release: Release, graph: ChainGraph, texts: Mapping[str, bytes]) -> None:
        """Take over a chain that serves, made from these texts."""
        self._served = Served(release, graph, dict(texts))
        self._code = WatchedReplicas(release, self._site.observe, self._controls, self._emit, self._clock)
        self._unserved.clear()
        self._controls.close()

    def saved(self, paths: Iterable[str]) -> None:
        """Serve what was saved, or say why it is not served. Raises nothing for what users can correct.

        What was refused before belongs to it.
        """
        served = self._now()
        self._is_given_up = False
        named = {*paths}
        saved = self._unserved | named
        self._is_own = not {served.graph.path, *served.texts, *self._unserved}.isdisjoint(named)
        if self._site.read(served.graph.path) is None:
            name = Path(served.graph.path).name
            self._tell(EditRefused(f"{name} is not there; what was pushed goes on serving until it is again"))
            return
        began = self._clock()
        found = {path: self._site.read(path) for path in sorted(saved & {*served.texts, served.graph.path})}
        found = {path: text for path, text in found.items() if text != served.texts.get(path)}
        inputs = {place for spec in served.graph.chainlets for place in inputs_of(spec)}
        others = sorted(
            path for path in saved - served.texts.keys() for place in inputs if is_below(path, place)
        )
        found |= {path: self._site.read(path) for path in others}
        if not found:
            self._unserved.clear()
            if self._is_refused:  # it was taken back
                self._tell(EditApplied(self.generation, (), 0.0))
            return
        try:
            self._serve(found, began)
        except ChainctlError as error:
            self._tell(EditRefused(error.message, tuple(error.details)))
        if self._is_refused:
            self._unserved |= found.keys()
        else:
            self._unserved.clear()

    def give_up(self) -> None:
        """Let the edit be that is being made ready: nothing of it is served then. Any thread may say so."""
        with self._giving_up:
            self._is_given_up = True
            if self._is_preparing:
                self._controls.cut()

    def look(self) -> None:
        """Let go of code that nobody runs any more, and give edits to processes that started anew or are new."""
        self._replicas().look()

    def restart(self) -> None:
        """Start all services that are edited, or all where none is, anew from images of what is there now."""
        names = sorted(self._replicas().edits) or [spec.name for spec in self._now().graph.chainlets]
        began = self._clock()
        self._renew([Step(name, Rung.RESTART, "asked for") for name in names], began)

    def last_call(self) -> tuple[str, bytes] | None:
        """The media type and the body of the last request to the entrypoint, None where there was none.

        Services keep it only once they were asked for it. Raises DeployError when none answers.
        """
        for replica in self._replicas().all()[self._now().graph.entrypoint]:
            call = self._controls.ask(replica, {"verb": "last_call"}).get("call")
            if isinstance(call, Mapping):
                return str(call.get("media") or "application/json"), base64.b64decode(str(call["body"]))
        return None

    def push(self, reason: str = "asked for") -> None:
        """Push the chain as it is now, and go on from there. Raises what a push raises."""
        began = self._clock()
        graph = self._site.load()
        release = self._site.push()
        self.begin(release, graph, texts_of(graph, self._site.read))
        self._tell(EditApplied(0, ((graph.entrypoint, str(Rung.REPLAN), reason),), self._clock() - began))

    def _tell(self, event: EditApplied | EditRefused) -> None:
        """Say what came of a save; what only says again what was said is kept from those who write beside the chain."""
        is_again = not self._is_own and event == self._told
        self._is_refused, self._told = isinstance(event, EditRefused), event
        if not is_again:
            self._emit(event)

    def _now(self) -> Served:
        assert self._served is not None, "nothing serves yet"
        return self._served

    def _replicas(self) -> WatchedReplicas:
        assert self._code is not None, "nothing serves yet"
        return self._code

    def _serve(self, found: Mapping[str, bytes | None], began: float) -> None:
        served = self._now()
        changes = changes_of(served.texts, found)
        if isinstance(changes, EditRefused):
            self._tell(changes)
            return
        others = frozenset(path for path in found if path not in changes)
        after, texts = served.graph, {**served.texts, **{p: t for p, t in found.items() if t is not None}}
        if not Edit(changes, others, {}).keeps_graph:
            try:
                after = self._site.load()
            except ChainDefinitionError as error:
                self._tell(EditRefused(error.message, tuple(error.details)))
                return
            new = came(after, texts, self._site.read)
            added = changes_of(dict.fromkeys(new, b""), new)
            if isinstance(added, EditRefused):
                self._tell(added)
                return
            changes |= added
            others |= frozenset(path for path in new if not path.endswith(".py"))
            texts |= new
        texts = {path: text for path, text in texts.items() if found.get(path, b"") is not None}
        edit = Edit(changes, others, trees_of(texts))
        if after is not served.graph:
            known = {call.text for call in unfit_calls(served.graph, trees_of(served.texts))}
            unfit = [call for call in unfit_calls(after, edit.trees) if call.text not in known]
            if unfit:
                first, *rest = (f"{call.path}:{call.line}: {call.text}" for call in unfit)
                self._tell(EditRefused(first, tuple(rest)))
                return
        steps = steps_of(edit, served.graph, after)
        if any(step.rung is Rung.REPLAN for step in steps):
            self.push(steps[0].reason)
            return
        self._apply(steps, after, texts, found, began)

    def _apply(
        self,
        steps: Sequence[Step],
        after: ChainGraph,
        texts: dict[str, bytes],
        found: Mapping[str, bytes | None],
        began: float,
    ) -> None:
        served = self._now()
        generation = self.generation + 1
        files = {step.chainlet: served.files(after.chainlet(step.chainlet), texts, found) for step in steps}
        light = [step for step in steps if step.rung < Rung.RESTART]
        heavy = [step for step in steps if step.rung >= Rung.RESTART]
        prepared, replicas = self._made_ready(generation, light, files)
        if prepared.refusal is not None:
            self._tell(_refused(prepared.refusal, after))
            return
        heavy += prepared.beyond
        edited = {step.chainlet: files[step.chainlet] for step in prepared.steps}
        try:
            if heavy:
                self._start_anew(generation, heavy, edited, replicas)
            elif edited:
                self._serve_edited(generation, edited, replicas)
        except ChainctlError:
            abort(self._controls, generation, [one for name in edited for one in replicas[name]])
            raise
        served.graph, served.texts = after, texts
        done = sorted([*prepared.steps, *heavy], key=lambda step: step.chainlet)
        told = tuple((step.chainlet, str(step.rung), step.reason) for step in done)
        self._tell(EditApplied(self.generation, told, self._clock() - began))

    def _made_ready(
        self, generation: int, steps: Sequence[Step], files: Mapping[str, Files]
    ) -> tuple[Prepared, Replicas]:
        """Prepare steps on all replicas that there are. Raises DeployError, also when the edit is given up."""
        was_known = self._replicas().is_known
        replicas = self._replicas().all()
        with self._giving_up:
            self._is_preparing = True
        try:
            self._go_on()
            prepared = self._prepare(generation, steps, files, replicas)
            if prepared.refusal is not None:
                self._go_on()
        except DeployError:
            self._go_on()
            if not was_known:
                raise
            self._replicas().look_again()
            return self._made_ready(generation, steps, files)
        finally:
            with self._giving_up:
                self._is_preparing = False
        return prepared, replicas

    def _go_on(self) -> None:
        if self._is_given_up:
            raise DeployError("it was left before it was ready, for what came next")

    def _prepare(
        self,
        generation: int,
        steps: Sequence[Step],
        files: Mapping[str, Files],
        replicas: Replicas,
    ) -> Prepared:
        """The entrypoint gets each generation, if only its number: requests have theirs from there."""
        entrypoint = self._now().graph.entrypoint
        if not steps:
            return Prepared()
        slow = [
            f"{step.chainlet} by {step.rung}, as {step.reason}" for step in steps if step.rung > Rung.REIMPORT
        ]
        if slow:
            self._emit(Notice(f"making edit {generation} ready: {'; '.join(slow)}"))
        own = [step for step in steps if step.chainlet == entrypoint]
        added = [] if own else [Step(entrypoint, Rung.SWAP, "")]
        done = prepare(self._controls, generation, [*steps, *added], files, replicas, self._patience(steps))
        kept = tuple(step for step in done.steps if step.reason or own or step.chainlet != entrypoint)
        return Prepared(kept, done.beyond, done.refusal)

    def _patience(self, steps: Iterable[Step]) -> float:
        """How long preparing may take: as long as a start, where `__init__` runs."""
        release = self._now().release
        starts = [
            release.service_of(step.chainlet).start_timeout_sec for step in steps if step.rung >= Rung.REINIT
        ]
        return max([_QUICK_SEC, *starts])

    def _serve_edited(
        self,
        generation: int,
        edited: Mapping[str, Files],
        replicas: Replicas,
        renewed: Collection[str] = (),
    ) -> None:
        """Commit what is prepared, and remember it.

        Who is called comes before who calls; the entrypoint, with which requests begin to have the number, is
        last. Where it is renewed itself, they have it from its new process.
        """
        served = self._now()
        entrypoint = served.graph.entrypoint
        own = edited.keys() - {entrypoint} if entrypoint in renewed else edited.keys()
        last = () if entrypoint in renewed else (entrypoint,)
        self._replicas().serve(generation, {name: edited[name] for name in own}, replicas, last)
        self._site.mark(served.release.service_of(name).name for name in own)

    def _renew(self, steps: Sequence[Step], began: float) -> None:
        served = self._now()
        self._start_anew(self.generation + 1, steps, {}, self._replicas().all())
        told = tuple((step.chainlet, str(step.rung), step.reason) for step in steps)
        served.texts = texts_of(served.graph, self._site.read)
        self._tell(EditApplied(self.generation, told, self._clock() - began))

    def _start_anew(
        self,
        generation: int,
        steps: Sequence[Step],
        edited: Mapping[str, Files],
        replicas: Replicas,
    ) -> None:
        """Start services anew beside themselves; what else is edited is served with the first call to them.

        No request meets both: it takes the older code of all that it calls, or the newer.
        """
        renewed = {step.chainlet for step in steps}
        self._replicas().look_again()
        self._site.renew(
            sorted(renewed), generation, lambda turn: self._turn(turn, edited, replicas, renewed)
        )
        self._replicas().started_anew(renewed, replicas)

    def _turn(
        self,
        turn: TurnCallers,
        edited: Mapping[str, Files],
        replicas: Replicas,
        renewed: Collection[str],
    ) -> None:
        """Turn callers to what stands in, and see the requests end that began with the older code.

        Those of an entrypoint that is renewed itself end with its old process, which is the first to go.
        """
        served = self._now()
        entrypoint = served.graph.entrypoint
        names = [name for name in renewed if served.release.service_of(name).name in turn.services]
        divide(self._controls, turn.generation, [r for n in names if n != entrypoint for r in replicas[n]])
        try:
            self._serve_edited(turn.generation, edited, replicas, renewed)
        except DeployError:
            unite(self._controls, [replica for name in names for replica in replicas[name]])
            raise
        if entrypoint in renewed:
            return
        self._emit(
            Notice(f"edit {turn.generation} serves; what is under way ends with the code it began with")
        )
        until = self._clock() + _DRAIN_SEC
        while is_under_way(self._controls, turn.generation, replicas[entrypoint]) and self._clock() < until:
            self._pause(_DRAIN_PAUSE_SEC)


def _refused(refusal: Refusal, graph: ChainGraph) -> EditRefused:
    """Name the user's own file where the container's one is told."""
    known = {file.path: file.source for spec in graph.chainlets for file in spec.files}
    path = known.get(refusal.path, refusal.path)
    where = f"{path}:{refusal.line}: " if path else ""
    return EditRefused(f"{where}{refusal.message}", refusal.traceback)

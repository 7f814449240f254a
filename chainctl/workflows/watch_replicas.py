"""The services of a watched chain in; their replicas, with the code of the chain's edits on each, out.

A process that starts anew has its image's code: it is given its edits again. Code that no request runs any
more is let go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping

from chainctl.deploy.release import Release
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, DeployError
from chainctl.events import Emit, Notice
from chainctl.watch.ladder import Rung, Step
from chainctl.workflows.watch_controls import (
    Files,
    Replica,
    ServiceControls,
    commit,
    is_under_way,
    prepare,
    unite,
)

Replicas = Mapping[str, tuple[Replica, ...]]
"""The running replicas of each chainlet's service."""
_OBSERVE_SEC = 5.0
_ENDLESS_SEC = 30.0


class WatchedReplicas:
    """What runs of one release. `generation` is the number of the last edit that it serves, 0 for none.

    `edits` has what was edited of each chainlet since its image was made.
    """

    def __init__(
        self,
        release: Release,
        observe: Callable[[], ObservedState],
        controls: ServiceControls,
        emit: Emit,
        clock: Callable[[], float],
    ) -> None:
        self.generation = 0
        self.edits: dict[str, Files] = {}
        self._release = release
        self._observe = observe
        self._controls = controls
        self._emit = emit
        self._clock = clock
        self._running: Replicas = {}
        self._observed = -math.inf
        self._prepared: dict[Replica, int] = {}
        self._is_to_retire = False
        self._committed_at = math.inf

    @property
    def is_known(self) -> bool:
        """Say whether it is known what runs, which may have changed since."""
        return bool(self._running)

    def all(self) -> Replicas:
        """Return what runs as it was seen last: a look takes its time. Raises DeployError where a service is away."""
        if not self._running:
            self._running = self._seen()
        return self._running

    def look_again(self) -> None:
        """Do not trust what was seen: the next who asks has to look."""
        self._running = {}

    def serve(
        self, generation: int, edited: Mapping[str, Files], replicas: Replicas, last: Collection[str]
    ) -> None:
        """Commit a generation that is prepared on what is edited, callees first, then on what is `last`."""
        order = [s.chainlet for s in self._release.services if s.chainlet in edited.keys() - last]
        ordered = [replica for name in [*order, *last] for replica in replicas[name]]
        commit(self._controls, generation, ordered)
        self.generation, self._is_to_retire, self._committed_at = generation, True, self._clock()
        self._prepared |= dict.fromkeys(ordered, generation)
        for name, files in edited.items():
            self.edits[name] = self.edits.get(name, Files()).then(files)

    def started_anew(self, chainlets: Iterable[str], before: Replicas) -> None:
        """Forget the processes of chainlets that others have taken the place of, and their edits."""
        names = sorted(chainlets)
        self._running = {}
        for name in names:
            self.edits.pop(name, None)
            service = self._release.service_of(name).name
            for replica in [one for one in self._prepared if one[0] == service]:
                del self._prepared[replica]
            for replica in before[name]:
                self._controls.forget(replica)
        try:
            unite(self._controls, [one for name in names for one in self.all()[name]])
        except (
            ChainctlError
        ):  # it only spares calls without a number a wait; what is wrong shows with the next edit
            self._running = {}

    def look(self) -> None:
        """Let go of code that nobody runs any more, and give edits to processes that started anew or are new."""
        if self._clock() - self._observed >= _OBSERVE_SEC:
            self._look_anew()
        for replica in self._lost():
            self._recover(replica)
        if self._is_to_retire:
            self._retire()
        if self._clock() - self._committed_at >= _ENDLESS_SEC:
            self._tell_of_endless()

    def _look_anew(self) -> None:
        """See which replicas there are, as their number may have been changed; new ones get the edits, too."""
        try:
            self._running = self._seen()
        except ChainctlError:
            self._running = {}  # the next edit looks, and says what is wrong
        for chainlet in self.edits:
            for replica in self._running.get(chainlet, ()):
                if replica not in self._prepared:
                    self._recover(replica)

    def _seen(self) -> Replicas:
        self._observed = self._clock()
        names = {service.name: service.chainlet for service in self._release.services}
        found: dict[str, tuple[Replica, ...]] = dict.fromkeys(names.values(), ())
        observed = self._observe().services
        for one in observed:
            if one.name in names and one.status is ServiceStatus.RUNNING and not one.intercepted_by:
                found[names[one.name]] = (*found[names[one.name]], (one.name, one.replica))
        there = {names.get(one.name) for one in observed}
        gone = sorted(found.keys() - there)
        asleep = {s.chainlet for s in self._release.services if s.scaling and s.scaling.least == 0}
        if gone and asleep.issuperset(gone):
            sleep = "sleeps" if len(gone) == 1 else "sleep"
            raise DeployError(f"{', '.join(gone)} {sleep}; call the chain, which wakes it, then save again")
        if gone:
            raise DeployError(
                f"no service of {', '.join(gone)} is there any more, as another command pushed the chain or took it"
                " down; push what is saved (the key `b`), or begin `chainctl watch` anew"
            )
        away = sorted(name for name, replicas in found.items() if not replicas)
        if away:
            raise DeployError(f"of {', '.join(away)} no service runs; restart it (the key `r`)")
        return found

    def _lost(self) -> list[Replica]:
        """Replicas that do not have their last generation any more, as their process started anew."""
        lost = []
        for replica, generation in self._prepared.items():
            try:
                said = self._controls.ask(replica, {"verb": "status"})
            except ChainctlError:
                continue  # it may be starting, or the engine is away; the next look tells
            if int(said.get("generation", 0)) < generation:
                lost.append(replica)
        return lost

    def _recover(self, replica: Replica) -> None:
        service = next(s for s in self._release.services if s.name == replica[0])
        name, files = service.chainlet, self.edits.get(service.chainlet, Files())
        rung = Rung.REINIT if files != Files() else Rung.SWAP
        step = Step(name, rung, "its process started anew")
        try:
            done = prepare(
                self._controls, self.generation, [step], {name: files}, {name: (replica,)},
                service.start_timeout_sec,
            )  # fmt: skip
            if done.steps:
                commit(self._controls, self.generation, [replica])
                self._prepared[replica] = self.generation
                self._emit(Notice(f"{name} is another process; it has its edits again"))
                return
        except ChainctlError:
            return  # the next look tries again
        self._prepared.pop(replica, None)
        self._emit(Notice(f"{name} is another process, without its edits: restart it"))

    def _retire(self) -> None:
        """Let go of older generations once no request that began with one of them is under way."""
        entrances = [one for one in self._prepared if one[0] == self._release.entrypoint]
        try:
            if is_under_way(self._controls, self.generation, entrances):
                return
            said = {"verb": "retire", "before": self.generation}
            self._controls.ask_all(dict.fromkeys(self._prepared, said))
        except ChainctlError:
            return  # the next look tries again
        self._is_to_retire = False

    def _tell_of_endless(self) -> None:
        """Say once for each edit where a call with older code does not end, also one that nobody waits for."""
        names = {service.name: service.chainlet for service in self._release.services}
        try:
            held = {
                names[one[0]]
                for one in self._prepared
                if is_under_way(self._controls, self.generation, [one])
            }
        except ChainctlError:
            return  # the next look tries again
        self._committed_at = math.inf
        if held:
            text = f"a call with older code is under way for {_ENDLESS_SEC:g} s, in {', '.join(sorted(held))}"
            self._emit(Notice(f"{text}; a restart ends it (the key `r`, or `chainctl restart`)"))

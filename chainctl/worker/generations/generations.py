"""Edits, in two phases, in; a live chainlet that serves each call with the code of its generation out."""

from __future__ import annotations

import gc
import hashlib
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Optional

from chainctl.worker.generations.importing import SourceFinder, Views
from chainctl.worker.generations.refusal import Refused, refusal_of
from chainctl.worker.generations.renewal import Renewal
from chainctl.worker.generations.sources import Sources, Texts, checked_path
from chainctl.worker.generations.stub_versions import StubVersions
from chainctl.worker.generations.swap import Swap, Swapper
from chainctl.worker.generations.timed import GivenUp, TimedWork
from chainctl.worker.origin import Origin
from chainctl.worker.servings import Servings

Action = Literal["swap", "reimport", "reinit"]
DEFAULT_SECONDS = 600.0


@dataclass
class _Prepared:
    number: int
    texts: Texts
    sources: Sources
    work: Any  # a Swap or a Renewal


class Generations:
    """The generations of one chainlet in this process.

    Its methods may be called from any thread but that of the event loop; one works at a time.
    """

    def __init__(self, servings: Servings[Any], origin: Origin) -> None:
        self._servings = servings
        self._origin = origin
        self._sources = Sources(origin.root)
        self._lock = threading.RLock()
        self._prepared: Optional[_Prepared] = None
        self._swapper = Swapper(lambda: servings.committed)
        self._stubs: dict[int, StubVersions] = {}
        self._views = Views()
        self._finder = SourceFinder(lambda: self._sources)
        self._under_way: Optional[TimedWork[None]] = None
        self._retired = 0
        self._has_renewed = False

    @property
    def committed(self) -> int:
        return self._servings.committed

    def status(self) -> dict[str, Any]:
        """Say what is served, and what is under way."""
        prepared = self._prepared
        return {
            "generation": self._servings.committed,
            "prepared": prepared.number if prepared is not None else None,
            "in_flight": {str(number): count for number, count in self._servings.in_flight().items()},
            "edited": {path: _digest(text) for path, text in sorted(self._sources.edited.items())},
        }

    def prepare(
        self,
        number: int,
        action: Action,
        texts: Mapping[str, Optional[str]],
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        """Make a generation ready; nothing is served by it yet but calls that ask for it.

        One that was prepared before and not committed is given up. Raises Refused; all is as before then.
        """
        with self._lock:
            self._refuse(number, texts)
            if self._prepared is not None:
                self.abort(self._prepared.number)
            sources = self._sources.edited_by(texts)
            try:
                if action == "swap":
                    work: Any = self._swap(number, texts)
                else:
                    work = self._renew(number, action, texts, sources, seconds)
            except BaseException as error:  # noqa: BLE001  # user code runs here
                shown = {path: text for path, text in sources.edited.items() if text is not None}
                raise refusal_of(error, {**sources.files(), **self._files(texts)}, shown) from None
            self._prepared = _Prepared(number, texts, sources, work)

    def commit(self, number: int) -> None:
        """Serve calls that come from now on with a generation. One that changes nothing here is only counted."""
        with self._lock:
            prepared = self._prepared
            if prepared is not None and prepared.number == number:
                self._sources = prepared.sources
                if isinstance(prepared.work, Renewal):
                    prepared.work.commit()
                else:
                    self._swapper.committed(prepared.work)
                self._sources.show(prepared.texts)
                self._prepared = None
            elif prepared is not None and prepared.number < number:
                raise Refused(f"generation {prepared.number} is prepared, not {number}", None)
            self._servings.committed = max(number, self._servings.committed)

    def abort(self, number: int) -> None:
        """Forget a generation that was prepared, or is just being prepared elsewhere."""
        with self._lock:
            prepared = self._prepared
            if prepared is None or prepared.number != number:
                return
            self._prepared = None
            if isinstance(prepared.work, Swap):
                self._swapper.abort(number, prepared.work)
                return
            prepared.work.abort()
            self._servings.replace(tuple(s for s in self._servings.all if s.number != number))
            self._forget_settled_stubs()

    def give_up(self) -> None:
        """Stop what is being prepared. Needs no turn: whoever has it is waiting for user code."""
        under_way = self._under_way
        if under_way is not None:
            under_way.give_up()

    def retire(self, before: int) -> dict[int, int]:
        """Let go of all generations before one. Returns what is under way with them; they go when that ended."""
        with self._lock:
            self._retired = max(self._retired, min(before, self.committed))
            left = self._left()
            if left:
                self._servings.on_leave = self._leave
                if not self._left():  # the last ended just now, unheard
                    self._leave()
            else:
                self._sweep()
            return left

    def close(self) -> None:
        """Take out what was put into the interpreter."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        self._views.retire(sys.maxsize)

    # --- inside ---

    def _refuse(self, number: int, texts: Texts) -> None:
        if number <= self.committed:
            raise Refused(f"generation {number} is not newer than {self.committed}, which is served", None)
        for path in texts:
            checked_path(path)
        under_way = self._under_way
        if under_way is not None and under_way.is_at_work:
            raise Refused("code of an edit that was given up is still running", "restart")
        if self._finder not in sys.meta_path:
            sys.meta_path.insert(0, self._finder)

    def _swap(self, number: int, texts: Texts) -> Swap:
        inits = {id(i): f"{c.__name__}.__init__" for c, i in _inits(type(self._live().instance))}
        return self._swapper.prepare(number, self._loaded(texts), self._sources, inits)

    def _renew(self, number: int, action: Action, texts: Texts, sources: Sources, seconds: float) -> Renewal:
        if self._origin.resolver is None:
            raise Refused(f"`{self._origin.qualname}` is made only when its process starts", "restart")
        for path, text in texts.items():
            if text is not None:
                compile(text, sources.filename(path), "exec", dont_inherit=True)
        renewal = Renewal(number, texts, sources, self._origin, self._live(), self._finder, self._views)
        try:
            if action == "reimport":
                self._timed(lambda: renewal.reimport(self._stub_versions), seconds, action)
            else:
                self._timed(renewal.reinit, seconds, action)
        except BaseException:
            renewal.abort()
            self._forget_settled_stubs()
            raise
        if renewal.serving is not None:
            self._servings.replace((*self._servings.all, renewal.serving))
        return renewal

    def _timed(self, work: Any, seconds: float, action: str) -> None:
        self._under_way = under_way = TimedWork[None](work)
        began = time.monotonic()
        try:
            under_way.result(seconds)
        except GivenUp:
            is_late = time.monotonic() - began >= seconds
            why = f"it did not end within {seconds:g} s" if is_late else "nobody waits for it any more"
            raise Refused(f"the {action} was given up: {why}", None) from None
        finally:
            if not under_way.is_at_work:
                self._under_way = None

    def _live(self) -> Any:
        return self._servings.at(self.committed)

    def _loaded(self, texts: Texts) -> dict[str, Optional[str]]:
        """The edits of modules that are loaded: others have no functions yet."""
        loaded = {self._sources.path_of_module(m) for m in list(sys.modules.values())}
        return {path: text for path, text in texts.items() if path in loaded}

    def _stub_versions(self, stub: Any) -> StubVersions:
        known = self._stubs.get(id(stub))
        if known is None:
            known = self._stubs[id(stub)] = StubVersions(stub, lambda: self._servings.committed)
        return known

    def _forget_settled_stubs(self) -> None:
        self._stubs = {key: v for key, v in self._stubs.items() if not v.is_settled}

    def _files(self, texts: Texts) -> dict[str, str]:
        return {self._sources.filename(path): path for path in texts}

    def _left(self) -> dict[int, int]:
        return {n: count for n, count in self._servings.in_flight().items() if n < self._retired}

    def _leave(self) -> None:
        """Called on the event loop whenever a call ended: let go when it was the last old one."""
        if not self._left():
            self._servings.on_leave = None
            threading.Thread(target=self._sweep, name="chainctl-retire", daemon=True).start()

    def _sweep(self) -> None:
        with self._lock:
            before = self._retired
            if self._left():
                return
            self._servings.on_leave = None
            self._swapper.retire(before)
            for stub in self._stubs.values():
                stub.drop_before(before)
            self._forget_settled_stubs()
            self._views.retire(before)
            base = self._servings.at(before).number
            kept = tuple(s for s in self._servings.all if s.number >= base)
            was_renewed = kept != self._servings.all
            self._servings.replace(kept)
            self._servings.forget(before)
        if was_renewed:
            _collect()


def _collect() -> None:
    """Free what an old chainlet held, in cycles and frozen as it may be."""
    was_frozen = gc.get_freeze_count() > 0
    if was_frozen:
        gc.unfreeze()
    gc.collect()
    if was_frozen:
        gc.freeze()


def _digest(text: Optional[str]) -> Optional[str]:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _inits(cls: type) -> list[tuple[type, Any]]:
    return [(c, c.__dict__["__init__"]) for c in cls.__mro__ if "__init__" in c.__dict__ and c is not object]

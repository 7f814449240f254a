"""A chain file in; what it says served after each save, until that is ended, out."""

from __future__ import annotations

import math
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chainctl.cli.calling import answer_text
from chainctl.cli.console import Console, is_live
from chainctl.cli.saves import saves
from chainctl.cli.watch_console import WatchConsole
from chainctl.cli.watch_screen import WatchScreen, read_again
from chainctl.cli.watch_site import ChainSite
from chainctl.cli.watch_view import WatchView
from chainctl.deploy.release import Release
from chainctl.deploy.target import LogLine
from chainctl.errors import BuildError, ChainctlError, ChainDefinitionError, DeployError, LockError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph
from chainctl.watch.ladder import inputs_of
from chainctl.wire.log_line import readable
from chainctl.workflows.top import Load, loads
from chainctl.workflows.watch import Watch
from chainctl.workflows.watch_controls import ServiceControls
from chainctl.workflows.watch_texts import texts_of

LOOK_SEC = 0.5
_TICK_MS = 100
_RATE_SEC = 2.0
_LEAST_SEC = 1.0
_CORRECTABLE = (ChainDefinitionError, BuildError, DeployError, LockError)
_Happening = set[str] | str | BaseException | None
"""Paths that were saved, a key, a failure of watching, or None: everything may have been saved."""


def watch_file(
    file: str, console: Console, *, target: str | None, name: str | None, secrets: Path | None
) -> None:
    """Push a chain, then serve every save of its files, until that is ended; what runs goes on then.

    On a terminal there is a screen with keys, elsewhere there are lines. Raises UsageError and EngineError;
    what users can correct is shown, and the next save tried.
    """
    if not (is_live(sys.stdout) and sys.stdin.isatty()):
        site = ChainSite(file, console, target=target, name=name, secrets=secrets)
        _Watching(site, console, ChainFile.parse(file)).run()
        return
    from chainctl.cli.keys import pressed

    screen = WatchScreen(WatchView(Path(file).name, target or ""))
    shown = WatchConsole(screen)
    site = ChainSite(file, shown, target=target, name=name, secrets=secrets)
    watching = _Watching(site, shown, ChainFile.parse(file), screen)
    with screen.drawn(watching.loads, watching.logs), pressed(sys.stdin.fileno(), watching.happened):
        watching.run()
    if site.pushed is not None:
        console.line(f"{site.chain} goes on at {site.pushed.url}")


class _Watching:
    """One chain that is watched, and what happens meanwhile, in order."""

    def __init__(
        self, site: ChainSite, console: Console, file: ChainFile, screen: WatchScreen | None = None
    ) -> None:
        self._site = site
        self._console = console
        self._file = file
        self._screen = screen
        self._watch: Watch | None = None
        self._happenings: queue.SimpleQueue[_Happening] = queue.SimpleQueue()
        self._looked = 0.0
        self._over = threading.Event()

    def happened(self, what: _Happening) -> None:
        """Take what happened; any thread may say so."""
        self._happenings.put(what)

    def run(self) -> None:
        """Push, then serve saves until q or Ctrl-C."""
        threading.Thread(target=self._tell_saves, name="saves", daemon=True).start()
        try:
            first = self._first()
        except _QuitError:
            return
        controls = ServiceControls(self._site.world.target, self._site.chain)
        watch = Watch(self._site, controls, self._console.emit, time.monotonic)
        watch.begin(*first, texts_of(first[1], self._site.read))
        self._watch = watch  # the other threads may look at it from now on
        self._tell_serving()
        try:
            while self._serve(watch):
                pass
        finally:
            self._over.set()
            controls.close()

    def loads(self) -> Iterator[Load]:
        """What the chain does, again and again; nothing before it serves."""
        pause = threading.Event()
        if self._watch is not None:
            yield from loads(
                self._site.world.target, self._site.chain, time.monotonic, lambda: pause.wait(_RATE_SEC)
            )

    def logs(self) -> Iterator[LogLine]:
        """What its chainlets write from now on; nothing before it serves."""
        if self._watch is not None:
            yield from self._site.world.logs.logs(self._site.chain, tail=0, follow=True)

    def _first(self) -> tuple[Release, ChainGraph]:
        """Push; what is wrong with the chain is shown, and each save is a new attempt."""
        while True:
            try:
                graph = self._site.load()
                return self._site.push(), graph
            except _CORRECTABLE as error:
                self._console.failure(error)
                self._console.line("Waiting for the next save.")
            while not any(isinstance(what, set) and what for what in self._next()):
                pass

    def _serve(self, watch: Watch) -> bool:
        """Act on what happened next; False when that is to quit."""
        try:
            happenings = self._next()
        except _QuitError:
            return False
        keys = [what for what in happenings if isinstance(what, str)]
        saved = {path for what in happenings if isinstance(what, set) for path in what}
        if any(what is None for what in happenings):
            saved |= watch.paths
        generation, graph = watch.generation, watch.graph
        if saved:
            with self._interruptible(watch):
                watch.saved(saved)
        for key in keys:
            self._act(watch, key)
        if time.monotonic() - self._looked >= LOOK_SEC:
            watch.look()
            self._looked = time.monotonic()
        if watch.graph is not graph or watch.generation < generation:
            self._tell_serving()
        return True

    @contextmanager
    def _interruptible(self, watch: Watch) -> Iterator[None]:
        """While an edit is made ready: a newer save ends that, after a moment, and `q` does at once.

        All that happens meanwhile comes after.
        """
        over, taken = object(), list[_Happening]()

        def listen() -> None:
            due, earliest = math.inf, time.monotonic() + _LEAST_SEC
            while True:
                left = None if due == math.inf else max(0.0, due - time.monotonic())
                try:
                    what = self._happenings.get(timeout=left)
                except queue.Empty:
                    watch.give_up()
                    due = math.inf
                    continue
                if what is over:
                    return
                if what == "q":
                    due = 0.0
                elif isinstance(what, set) and what:
                    due = min(due, max(earliest, time.monotonic()))
                if what != set():
                    taken.append(what)

        listener = threading.Thread(target=listen, name="meanwhile", daemon=True)
        listener.start()
        try:
            yield
        finally:
            self._happenings.put(over)  # type: ignore[arg-type]  # it only comes to the listener
            listener.join()
            for what in taken:
                self._happenings.put(what)

    def _next(self) -> list[_Happening]:
        """Wait for what happens, and take all that did at once. Raises _QuitError."""
        found = [self._happenings.get()]
        with suppress(queue.Empty):
            while True:
                found.append(self._happenings.get_nowait())
        for what in found:
            if isinstance(what, BaseException):
                raise what
        if "q" in found:
            raise _QuitError
        return found

    def _act(self, watch: Watch, key: str) -> None:
        try:
            match key:
                case "r":
                    watch.restart()
                case "b":
                    watch.push()
                case "c":
                    self._call_again(watch)
        except ChainctlError as error:
            self._console.failure(error)

    def _call_again(self, watch: Watch) -> None:
        """Send the last request once more, beside; its answer is a line below."""
        last = watch.last_call()
        if last is None:
            self._console.line("No request has come to the chain since it is watched.")
            return

        def call() -> None:
            began = time.monotonic()
            try:
                text = answer_text(self._site.call(*last), as_json=False)
                self._console.line(f"called again, {time.monotonic() - began:.3f} s: {text}")
            except ChainctlError as error:
                self._console.line("\n".join([f"called again: {error.message}", *error.details]))

        threading.Thread(target=call, name="call", daemon=True).start()

    def _tell_serving(self) -> None:
        """Say where the chain serves, and begin to keep its last request for `c`."""
        assert self._site.pushed is not None
        assert self._watch is not None
        if self._screen is not None:
            names = [spec.name for spec in self._watch.graph.chainlets]
            self._screen.serving(self._site.chain, self._site.world.name, names, self._site.pushed.url)
            with suppress(ChainctlError):
                self._watch.last_call()
        elif not self._looked:
            sys.stdout.write(self._site.pushed.url + "\n")
            sys.stdout.flush()
            self._console.line("Watching. Ctrl-C ends that; what runs goes on.")
            threading.Thread(target=self._print_logs, name="logs", daemon=True).start()

    def _print_logs(self) -> None:
        def show(line: LogLine) -> None:
            for text in readable([line.text]):
                self._console.line(f"  {line.chainlet} | {text}")

        read_again(self.logs, show, self._over)

    def _places(self) -> list[str]:
        return watched_places(self._watch.graph) if self._watch is not None else [str(self._file.root)]

    def _tell_saves(self) -> None:
        try:
            for paths in saves(self._places, _TICK_MS):
                self.happened(paths)
        except BaseException as error:  # noqa: BLE001  # whatever ends this thread ends the command
            self.happened(error)


class _QuitError(Exception):
    """The key for it was pressed."""


def watched_places(graph: ChainGraph) -> list[str]:
    """The directories that a chain is made from, none within another."""
    wanted = {graph.root, str(Path(graph.path).parent)}
    for spec in graph.chainlets:
        wanted |= {str(Path(file.source).parent) for file in spec.files}
        wanted |= {place if Path(place).is_dir() else str(Path(place).parent) for place in inputs_of(spec)}
    places = sorted(place for place in wanted if Path(place).is_dir())
    return [p for p in places if not any(p != q and Path(p).is_relative_to(q) for q in places)]

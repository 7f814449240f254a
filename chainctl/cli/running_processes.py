"""A chain to run in processes of its own in; an answer, or a chain that serves until interrupted, out."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from chainctl.adapters.edits import Edits
from chainctl.adapters.files import take_snapshot
from chainctl.adapters.local.debugger import HOST, debugger_path, debugger_ports, launcher
from chainctl.adapters.local.staging import Staging
from chainctl.build.lock import Lock
from chainctl.build.snapshot import SourceSnapshot
from chainctl.cli.console import Console, now
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.run_environments import Isolation
from chainctl.cli.run_wish import RELOADED, UNCHANGED, LoadedRun, RunWish, edited_line, load_run
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import origin_of, settings_for
from chainctl.cli.worlds import local_world
from chainctl.deploy.release import Release
from chainctl.deploy.target import LogLine
from chainctl.errors import CallFailedError, ChainctlError, ChainDefinitionError, DeployError
from chainctl.graph.graph import ChainGraph
from chainctl.wire.log_line import readable
from chainctl.workflows.call import call
from chainctl.workflows.down import down
from chainctl.workflows.draft import Draft, chain_name, draft_release
from chainctl.workflows.missing_module import missing_module
from chainctl.workflows.push import push
from chainctl.workflows.unbounded import patient, unbounded_calls


def run_in_processes(wish: RunWish, loaded: LoadedRun) -> bytes | None:
    """Bring the chain up as local processes for the time of this command; show what they write."""
    console = Console(is_quiet=wish.body is not None)
    with tempfile.TemporaryDirectory(prefix="chainctl-run-") as directory:
        run = ProcessRun(wish, loaded, Path(directory), console)
        try:
            watched = Edits(loaded.graph) if wish.reloads else None
            url = run.bring_up(loaded)
            if wish.body is None:
                _serve_until_interrupted(run, url, watched)
                return None
            return run.answer(url, wish.body)
        finally:
            if wish.body is not None:
                _show(run.logs())
            run.take_down()


class ProcessRun:
    """One chain that runs as long as the command does; `bring_up` again makes it what it is now."""

    def __init__(self, wish: RunWish, loaded: LoadedRun, directory: Path, console: Console) -> None:
        path = Path(loaded.graph.path)
        self.wish = wish
        self.console = console
        self._settings = _door_of(wish, settings_for(path, target="local", secrets_file=wish.secrets))
        self._decided = draft_settings(self._settings, None, has_builds=False)
        self._staging = Staging()
        self._world = local_world(self._settings, directory, lambda: self._staging, wish.given)
        self._chain = chain_name(loaded.graph, None)
        self._ports = dict(zip(wish.debugged, debugger_ports(len(wish.debugged)), strict=True))
        self._graph = loaded.graph
        self._release: Release | None = None
        self._world.ledger.open()

    def bring_up(self, loaded: LoadedRun) -> str:
        """Run what was loaded, and return its URL. What did not change goes on running.

        Raises what a push does; IsolationError; ChainDefinitionError for what an environment lacks.
        """
        staging = self._replaced(Staging())
        draft, staging = self._drafted(loaded, staging)
        self._staging = self._debugged(staging, loaded)
        draft = replace(draft, release=patient(draft.release, self._held(loaded.graph)))
        self._graph, self._release = loaded.graph, draft.release
        world, origin = self._world, origin_of(Path(loaded.graph.path))
        self._say_where_to_attach()
        try:
            return push(draft, world.backend, world.target, world.ledger, origin, self.console.emit, now).url
        except DeployError as error:
            raise self._lacking([error.message, *error.details]) or _gone(error) from error

    def answer(self, url: str, body: bytes) -> bytes:
        """Call the chain; an error is the chain's own here, and it is gone when the user reads of it."""
        try:
            return call(url, body, timeout_sec=_PATIENCE_SEC if self.wish.debugged else 600.0).read()
        except CallFailedError as error:
            lines = [error.message, *error.details]
            raise self._lacking(lines) or ChainctlError(error.message, details=error.details) from error

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        return self._world.logs.logs(self._chain, follow=follow)

    def take_down(self) -> None:
        down(self._chain, self._world.target, self._world.ledger, Console(is_quiet=True).emit, now)

    def _drafted(self, loaded: LoadedRun, staging: Staging) -> tuple[Draft, Staging]:
        graph, vault = loaded.graph, self._world.vault
        if self.wish.fidelity != "isolated":
            require_installed(graph, otherwise=", or have an environment made of them: `--fidelity isolated`")
            return draft_release(graph, self._decided, take_snapshot, vault), staging
        isolation = Isolation.of(self._settings, self._decided.build, self.console)
        lock = isolation.lock(loaded)
        pythons: dict[str, str] = {}

        def locked(_graph: ChainGraph, snapshot: SourceSnapshot) -> Lock:
            pythons.update(isolation.pythons(loaded, lock, snapshot))
            return lock

        draft = draft_release(graph, self._decided, take_snapshot, vault, locked)
        return draft, replace(staging, pythons=pythons)

    def _replaced(self, staging: Staging) -> Staging:
        """Tell every chainlet which others run elsewhere; those that do not call them do not look."""
        urls = self.wish.replacements.urls
        if not urls:
            return staging
        outside = {"CHAINCTL_OUTSIDE": json.dumps(dict(sorted(urls.items())))}
        return replace(staging, everywhere=outside)

    def _debugged(self, staging: Staging, loaded: LoadedRun) -> Staging:
        """Put the debugger before some programs, which are run from the files that the user has open."""
        if not self._ports:
            return staging
        debugger = debugger_path()
        environ: dict[str, Mapping[str, str]] = {
            name: {"CHAINCTL_UNBOUNDED": json.dumps(callees), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
            for name, callees in unbounded_calls(loaded.graph, self._ports).items()
        }
        return replace(
            staging,
            launchers={n: launcher(debugger, port, waits=self.wish.waits) for n, port in self._ports.items()},
            environ=environ,
            code=dict.fromkeys(self._ports, self._places(loaded.graph)),
        )

    def _places(self, graph: ChainGraph) -> tuple[str, ...]:
        fakes = (str(fake.file.root) for fake in self.wish.replacements.fakes)
        return tuple(dict.fromkeys([graph.root, str(Path(graph.path).parent), *fakes]))

    def _held(self, graph: ChainGraph) -> frozenset[str]:
        return frozenset(unbounded_calls(graph, self._ports))

    def _say_where_to_attach(self) -> None:
        for name, port in self._ports.items():
            then = f"; {name} starts when somebody has" if self.wish.waits else ""
            self.console.line(f"Attach a debugger to {name} at {HOST}:{port}{then}.")

    def _lacking(self, lines: list[str]) -> ChainctlError | None:
        """What an environment lacks, where that is why the chain failed."""
        if self.wish.fidelity != "isolated" or self._release is None:
            return None
        problem = missing_module(lines, self._graph, self._release)
        return None if problem is None else ChainDefinitionError([problem])


def _door_of(wish: RunWish, settings: Settings) -> Settings:
    """What runs for one call has a door on any free port for this command alone, and so without key and certificate."""
    if wish.body is None:
        return settings.model_copy(update={"port": wish.port})
    alone = {"port": None, "bind": "127.0.0.1", "api_key_secret": None, "tls_secret": None}
    return settings.model_copy(update=alone)


_PATIENCE_SEC = 10 * 365 * 86400.0


def _gone(error: DeployError) -> DeployError:
    """The error without its hint: there is no chain left whose log could be read."""
    return DeployError(error.message, details=error.details)


def _serve_until_interrupted(run: ProcessRun, url: str, watched: Edits | None) -> None:
    run.console.stop()
    run.console.line("Serving until Ctrl-C.")
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    if watched is None:
        _show(run.logs(follow=True))
        return
    threading.Thread(target=lambda: _show(run.logs(follow=True)), name="logs", daemon=True).start()
    while True:
        _reload(run, watched)


def _reload(run: ProcessRun, watched: Edits) -> None:
    """Wait for an edit and bring up what it makes of the chain; what cannot run leaves what runs."""
    edited = watched.wait()
    run.console.line(edited_line(edited))
    try:
        loaded = load_run(run.wish)
        watched.follow(loaded.graph)
        run.bring_up(loaded)
    except ChainctlError as error:
        run.console.failure(error)
        run.console.line(UNCHANGED)
    else:
        run.console.stop()
        run.console.line(RELOADED)


def _show(lines: Iterator[LogLine]) -> None:
    for line in lines:
        sys.stderr.writelines(f"{line.chainlet} | {text}\n" for text in readable([line.text]))
        sys.stderr.flush()

"""Settings and a chain in; its lock, read, settled and written beside it, out: what several verbs share."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from chainctl.build.lock import Environment, Lock
from chainctl.build.resolve import BaseImages, Resolver
from chainctl.build.settings import BuildSettings
from chainctl.build.settle import Task, Upgrade
from chainctl.build.snapshot import SourceSnapshot
from chainctl.cli.console import Console
from chainctl.cli.settings import Settings
from chainctl.errors import EngineError, MissingSecretError, UsageError
from chainctl.events import Emit, Notice
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.lock import Settled, settle


@dataclass(frozen=True, slots=True)
class Locker:
    """Locks what is missing. `is_locked` None means: as the environment says (`CI=true` forbids changes).

    Without `pins_bases` only packages are locked: no image is going to be built.
    """

    settings: Settings
    build: BuildSettings
    console: Console
    _: KW_ONLY
    is_locked: bool | None = None
    upgrade: Upgrade | None = None
    pins_bases: bool = True

    def __call__(self, graph: ChainGraph, snapshot: SourceSnapshot) -> Lock:
        """Return the lock of a chain, and write it where it changed. Raises LockError."""
        return self.settled(graph, snapshot).lock

    def settled(self, graph: ChainGraph, snapshot: SourceSnapshot) -> Settled:
        """As a call, and say what was done."""
        from chainctl.adapters.lock_file import LockFile

        file = LockFile.beside(Path(graph.path), graph.entrypoint)
        before = file.read()
        _require_known(before, self.upgrade)
        done = settle(
            graph, snapshot, self.build, before, self._resolver(file.path.parent), self._bases,
            upgrade=self.upgrade,
            is_locked=is_ci(os.environ) if self.is_locked is None else self.is_locked,
            pins_bases=self.pins_bases,
            path=str(file.path),
        )  # fmt: skip
        if done.has_changed and file.write(done.lock):
            names = ", ".join((*done.resolved, *done.pinned))
            self.console.emit(
                Notice(f"Locked {names} in {file.path.name}" if names else f"Wrote {file.path.name}")
            )
        return done

    def unwritten(self, graph: ChainGraph, snapshot: SourceSnapshot, before: Lock) -> Lock:
        """Return the lock of a graph that is run once: what another lock has already is taken from it."""
        return settle(
            graph, snapshot, self.build, before, self._resolver(Path(graph.path).parent), lambda: None,
            pins_bases=False,
        ).lock  # fmt: skip

    def _resolver(self, root: Path) -> Resolver:
        def made() -> Resolver:
            from chainctl.adapters.uv.compile import UvResolver

            return UvResolver(
                root,
                os.environ,
                credentials=lambda: credentials(self.settings, self.build),
                certificates=self.build.certificates,
            )

        return _LateResolver(made, self.console.emit)

    def _bases(self) -> BaseImages | None:
        """The engine's images; None, said once, where no engine answers."""
        from chainctl.adapters.docker.base_images import DockerBaseImages
        from chainctl.adapters.docker.engine import Engine
        from chainctl.cli.surroundings import engine_address

        try:
            engine = Engine.connect(engine_address(self.settings))
        except EngineError as error:
            self.console.line(f"Base images are not pinned: {error.message}.")
            return None
        return DockerBaseImages(lambda: engine, self.console.emit)


class _LateResolver:
    """Makes the real resolver when something must be resolved: mostly nothing must."""

    def __init__(self, make: Callable[[], Resolver], emit: Emit) -> None:
        self._make = make
        self._emit = emit
        self._lock = threading.Lock()
        self._made: Resolver | None = None

    def resolve(self, task: Task, upgrade: Upgrade) -> Environment:
        names = task.wanted.chainlets
        self._emit(Notice(f"Resolving what {', '.join(names)} {'asks' if len(names) == 1 else 'ask'} for"))
        return self._real().resolve(task, upgrade)

    def cancel(self) -> None:
        self._real().cancel()

    def _real(self) -> Resolver:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def _require_known(lock: Lock, upgrade: Upgrade | None) -> None:
    """Refuse to upgrade what is in no environment: the name is wrong."""
    for name in upgrade.packages if upgrade else ():
        one = Upgrade(packages=(name,))
        if not any(one.covers(environment) for environment in lock.environments.values()):
            raise UsageError(
                f"the lock has no package called {name}", hint="`chainctl lock --json` lists all packages."
            )


def credentials(settings: Settings, build: BuildSettings) -> str:
    """The netrc text for the indexes, "" when none is named. Raises MissingSecretError, UsageError."""
    from chainctl.cli.surroundings import secret_sources

    name = build.index_credentials_secret
    if name is None:
        return ""
    value = secret_sources(settings).find(name)
    if value is None:
        raise MissingSecretError(
            f"the secret `{name}` with the credentials of the package indexes has no value",
            hint=f"set `CHAINCTL_SECRET_{name}`, or give `--secrets FILE`; its text is"
            " `machine HOST login USER password TOKEN`.",
        )
    text = value.decode(errors="replace")
    if not re.search(r"(^|\s)(machine\s+\S+|default)\s", text):
        raise UsageError(
            f"the secret `{name}` with the credentials of the package indexes is no netrc text",
            hint="write `machine HOST login USER password TOKEN` into it.",
        )
    return text


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether a CI system runs the command: then nobody would commit a changed lock."""
    return environ.get("CI", "").lower() in ("true", "1")

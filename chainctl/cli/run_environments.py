"""A chain to run in isolation in; the interpreter of each chainlet, from the lock, out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from chainctl.adapters.files import take_lock_snapshot
from chainctl.adapters.uv.environments import UvEnvironments
from chainctl.build.lock import Environment, Lock
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.cli.console import Console
from chainctl.cli.locking import Locker, credentials
from chainctl.cli.run_wish import LoadedRun
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import state_dir, this_platform
from chainctl.errors import IsolationError, Problem, UsageError
from chainctl.events import Notice

_PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Isolation:
    """Locks a chain as a push does, and makes environments of the lock; both are kept for the next time."""

    settings: Settings
    build: BuildSettings
    console: Console
    _: KW_ONLY
    locker: Locker

    @classmethod
    def of(cls, settings: Settings, build: BuildSettings, console: Console) -> Isolation:
        """Raises UsageError where the chain's images are for another platform than this machine's."""
        if build.platform != this_platform():
            raise UsageError(
                f"the lock is for {build.platform}, and environments here are for {this_platform()}",
                hint=f"give `CHAINCTL_PLATFORM={this_platform()}`, or run it in this Python, without isolation.",
            )
        return cls(settings, build, console, locker=Locker(settings, build, console, pins_bases=False))

    def lock(self, run: LoadedRun) -> Lock:
        """Return the lock of what is run. What fakes ask for is resolved, and not written down.

        Raises LockError.
        """
        written = self.locker(run.written, take_lock_snapshot(run.written))
        if not run.fakes:
            return written
        return self.locker.unwritten(run.graph, take_lock_snapshot(run.graph), written)

    def pythons(self, run: LoadedRun, lock: Lock, snapshot: SourceSnapshot) -> Mapping[str, str]:
        """Return the interpreter of each chainlet; environments that are not there yet are made.

        Raises IsolationError with the problems of all.
        """
        users: dict[str, list[str]] = {}
        for spec in run.graph.chainlets:
            users.setdefault(lock.chainlets[spec.name], []).append(spec.name)
        maker = self._maker(Path(run.graph.path).parent)
        missing = [name for name in users if maker.missing(lock.environments[name], snapshot)]
        if missing:
            names = ", ".join(chainlet for name in missing for chainlet in users[name])
            self.console.emit(Notice(f"Making the environment of {names}"))
        wanted = {name: lock.environments[name] for name in sorted(users)}
        made = _made(maker, wanted, users, snapshot)
        return {chainlet: str(made[name]) for name, chainlets in users.items() for chainlet in chainlets}

    def _maker(self, root: Path) -> UvEnvironments:
        return UvEnvironments(
            state_dir(self.settings) / "environments",
            root,
            os.environ,
            credentials=lambda: credentials(self.settings, self.build),
            certificates=self.build.certificates,
        )


def _made(
    maker: UvEnvironments,
    wanted: Mapping[str, Environment],
    users: Mapping[str, list[str]],
    snapshot: SourceSnapshot,
) -> dict[str, Path]:
    problems: list[Problem] = []
    made: dict[str, Path] = {}
    with ThreadPoolExecutor(_PARALLEL, "environment") as pool:
        running = {
            name: pool.submit(maker.python_of, environment, snapshot, users[name])
            for name, environment in wanted.items()
        }
        try:
            for name, future in running.items():
                try:
                    made[name] = future.result()
                except IsolationError as error:
                    problems += error.problems
        except BaseException:  # an interrupt, mostly
            pool.shutdown(wait=False, cancel_futures=True)
            maker.cancel()
            raise
    if problems:
        raise IsolationError(problems)
    return made

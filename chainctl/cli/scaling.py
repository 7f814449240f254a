"""Names of chains and settings in; their replicas following the load until the command is told to end, out."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from chainctl.cli.console import Console
from chainctl.cli.output import FORMAT_VERSION
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import ledger_of
from chainctl.cli.wiring import open_worlds, world_of
from chainctl.cli.worlds import World
from chainctl.deploy.release import Release
from chainctl.errors import ChainctlError, UsageError
from chainctl.workflows.autoscale import Change, Scaler, Told, follow, look_once

FIND_SEC = 5.0
"""So often it is looked for chains that were pushed meanwhile."""
_ONCE_SEC = 3600.0


def scale_chains(
    chains: Sequence[str], settings: Settings, console: Console, interval: float, *, as_json: bool
) -> None:
    """Scale chains side by side until SIGTERM or SIGINT. Raises UsageError for one that can not be scaled."""
    over = threading.Event()
    told = _told(console, as_json=as_json)
    followed: dict[str, threading.Thread] = {}

    def begin(chain: str, world: World) -> None:
        scaler = _scaler(chain, world, settings, told)
        thread = threading.Thread(target=follow, args=(scaler, over, interval), daemon=True, name=chain)
        followed[chain] = thread
        thread.start()

    with _ended_by_signals(over):
        for chain in chains:
            begin(chain, _world_with(chain, settings, console))
        if not chains:
            console.line("All chains with `max_replicas` follow their load.")
        find = _Finding(settings, console)
        while not over.is_set() and all(thread.is_alive() for thread in followed.values()):
            for chain, world in [] if chains else find.found():
                if chain not in followed:
                    begin(chain, world)
            over.wait(FIND_SEC)
        ended = sorted(chain for chain, thread in followed.items() if not thread.is_alive())
        was_told = over.is_set()
        over.set()
        for thread in followed.values():
            thread.join()
    if ended and not was_told:
        raise ChainctlError(
            f"what scales {', '.join(ended)} ended by itself",
            hint="start it again; its last words are above.",
        )


def scale_once(chains: Sequence[str], settings: Settings, console: Console, *, as_json: bool) -> None:
    """Look once at each chain, and see what that begins to its end."""
    told = _told(console, as_json=as_json)
    named = [(chain, _world_with(chain, settings, console)) for chain in chains]
    for chain, world in named or _found(settings):
        look_once(_scaler(chain, world, settings, told), _ONCE_SEC)


def follows_load(release: Release) -> list[str]:
    """Return the chainlets of a release whose replicas follow their load."""
    return sorted(service.chainlet for service in release.services if service.scaling)


def change_text(change: Change) -> str:
    """Render a change as one line."""
    numbers = f"{change.before} → {change.after}"
    again = f"{change.after} again" if change.before == change.after else numbers
    return f"{change.chain}: {change.chainlet} {again}: {change.cause} ({change.seconds:.1f} s)"


def _scaler(chain: str, world: World, settings: Settings, told: Told) -> Scaler:
    """Each chain has a ledger of its own: they are changed by threads of their own."""
    return Scaler(chain, world.target, ledger_of(settings, world.name), told, time.monotonic)


def _world_with(chain: str, settings: Settings, console: Console) -> World:
    world = world_of(chain, settings, console.line)
    if world.kind == "kubernetes":
        raise UsageError(
            f"{chain} runs on Kubernetes, whose own autoscaler follows the load",
            hint=f"see it with `kubectl get hpa -l chainctl.dev/chain={chain}`.",
        )
    record = world.ledger.latest(chain)
    if record is None:
        raise UsageError(
            f"no release of {chain} is recorded here", hint="push it from here once: `chainctl push FILE`."
        )
    if not follows_load(record.release):
        raise UsageError(
            f"no chainlet of {chain} says how many replicas it may have",
            hint="give one `Compute(max_replicas=N)` and push it.",
        )
    return world


def _found(settings: Settings) -> list[tuple[str, World]]:
    """Return all chains of the targets that may be scaled, with their worlds. Raises what opening them raises."""
    found = []
    for world in open_worlds(settings):
        for chain in world.ledger.chains() if world.kind != "kubernetes" else ():
            record = world.ledger.latest(chain)
            if record is not None and follows_load(record.release):
                found.append((chain, world))
    return found


@dataclass(slots=True)
class _Finding:
    """Looks for chains again and again; says once why it can not."""

    settings: Settings
    console: Console
    message: str = ""

    def found(self) -> list[tuple[str, World]]:
        try:
            found = _found(self.settings)
        except ChainctlError as error:
            if error.message != self.message:
                self.console.line(f"{error.message}; trying again")
            self.message = error.message
            return []
        self.message = ""
        return found


def _told(console: Console, *, as_json: bool) -> Told:
    lock = threading.Lock()

    def changed(change: Change) -> None:
        text = json.dumps({"format_version": FORMAT_VERSION, **asdict(change)})
        with lock:
            sys.stdout.write((text if as_json else change_text(change)) + "\n")
            sys.stdout.flush()

    return Told(changed, console.line)


@contextlib.contextmanager
def _ended_by_signals(over: threading.Event) -> Iterator[None]:
    """Set `over` at the first SIGTERM or SIGINT; a second one ends the process as it would without this."""
    before: dict[signal.Signals, object] = {}

    def end(_number: int, _frame: object) -> None:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it was given to us

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it was given to us

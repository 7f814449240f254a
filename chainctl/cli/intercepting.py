"""A chainlet of a running chain and a chain file in; its calls answered by a process of this machine, out."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chainctl.adapters.guarded_directory import guarded_directory
from chainctl.adapters.intercept_place import Place, launch, prepare
from chainctl.adapters.intercepting import intercept
from chainctl.adapters.local.debugger import HOST, debugger_path, debugger_ports, launcher
from chainctl.cli.console import Console
from chainctl.cli.draft_settings import draft_settings
from chainctl.cli.loading import load_graph
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import downloads, settings_for, state_dir, this_user
from chainctl.cli.wiring import world_of
from chainctl.cli.worlds import World, stand_ins_of
from chainctl.errors import UsageError
from chainctl.wire.log_line import readable
from chainctl.workflows.intercept import Interception, plan_intercept
from chainctl.workflows.unbounded import unbounded_calls

_EXAMPLE = "write `chainctl intercept CHAIN/CHAINLET`, as in `shop/Pay`."


def chain_and_chainlet(text: str) -> tuple[str, str]:
    """Read `shop/Pay`. Raises UsageError."""
    chain, _, chainlet = text.partition("/")
    if not chain or not chainlet or "/" in chainlet:
        raise UsageError(f"{text!r} does not say which chainlet of which chain", hint=_EXAMPLE)
    return chain, chainlet


def intercept_chainlet(
    which: str,
    file: str | None,
    console: Console,
    *,
    target: str | None,
    secrets: Path | None,
    is_debugged: bool,
    is_isolated: bool,
) -> None:
    """Answer a chainlet's calls here until interrupted. Raises every ChainctlError that this can end with."""
    chain, chainlet = chain_and_chainlet(which)
    settings = settings_for(
        Path(file.partition(":")[0]) if file else None, target=target, secrets_file=secrets
    )
    world = world_of(chain, settings, console.line)
    settings = world.settings
    stand_ins = stand_ins_of(world)
    wanted = plan_intercept(chain, chainlet, file, world.target, world.ledger, load_graph)
    python = _python(wanted, settings, console, is_isolated=is_isolated)
    port = debugger_ports(1)[0] if is_debugged else None
    with guarded_directory("ci-", _short_directory()) as directory:
        place = Place(directory, os.environ, python, caches=state_dir(settings) / "caches")
        if port is not None:
            place = _debugged(place, wanted, port)
        source = downloads(state_dir(settings), world.vault)
        files = prepare(place, wanted.service, wanted.spec, wanted.graph, world.vault, source)
        who = f"{this_user()}@{platform.node() or 'localhost'}"
        with world.ledger.lock(chain):
            standing = stand_ins.start(wanted.service, who, is_entrypoint=wanted.is_entrypoint)
        _tell_begin(wanted, world, port, console)
        token = world.vault.token(chain)
        how = launch(
            place, wanted.service, wanted.spec, wanted.graph, standing, token, files, settings.drain_sec
        )
        why = intercept(standing, how, console.line, _shown())
    back = f"The service of {chain}/{chainlet} has its calls again"
    console.line(f"{back}: {why}." if why else f"{back}.")


def _tell_begin(wanted: Interception, world: World, port: int | None, console: Console) -> None:
    console.line(
        f"{wanted.service.chain}/{wanted.spec.name} of release {wanted.release} ({world.name}) "
        f"starts here from {wanted.spec.path}:{wanted.spec.line}."
    )
    if port is not None:
        console.line(f"A debugger can attach at {HOST}:{port}.")


def _python(wanted: Interception, settings: Settings, console: Console, *, is_isolated: bool) -> str:
    """Return what runs the chainlet: this Python, or one with what the lock says and nothing else.

    Raises UsageError for what this one lacks, LockError, IsolationError.
    """
    alone = replace(wanted.graph, chainlets=(wanted.spec,))
    if not is_isolated:
        require_installed(alone, otherwise=", or have an environment made: `--isolated`")
        return sys.executable
    from chainctl.adapters.files import take_snapshot
    from chainctl.cli.run_environments import Isolation
    from chainctl.cli.run_wish import LoadedRun

    decided = draft_settings(settings, None, has_builds=False).build
    isolation = Isolation.of(settings, decided, console)
    lock = isolation.lock(LoadedRun(wanted.graph, wanted.graph))
    made = isolation.pythons(LoadedRun(wanted.graph, alone), lock, take_snapshot(alone, decided))
    return made[wanted.spec.name]


def _debugged(place: Place, wanted: Interception, port: int) -> Place:
    """Put the debugger before the program. Raises UsageError where it is not installed."""
    name = wanted.spec.name
    unbounded = unbounded_calls(wanted.graph, [name])[name]
    before = launcher(debugger_path(), port, waits=False)
    return replace(place, launcher=before, unbounded=unbounded)


def _shown() -> Callable[[bytes], None]:
    """Return what prints the process's output line by line, as people read it."""
    rest = bytearray()

    def show(data: bytes) -> None:
        rest.extend(data)
        *lines, last = bytes(rest).split(b"\n")
        rest[:] = last
        texts = (line.decode(errors="replace") for line in lines)
        sys.stderr.writelines(f"{text}\n" for text in readable(texts))
        sys.stderr.flush()

    return show


def _short_directory() -> str | None:
    """Return where the sockets can be: a Unix socket's path is limited."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return runtime if runtime and os.access(runtime, os.W_OK) else None

"""A chainlet of a running chain and a chain file in; its calls answered by a process of this machine, out."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chainctl.adapters.intercept_place import Place, launch, prepare
from chainctl.adapters.intercepting import intercept
from chainctl.cli.console import Console
from chainctl.cli.loading import load_graph
from chainctl.cli.local_requirements import require_installed
from chainctl.cli.wiring import World, downloads, settings_for, stand_ins_of, state_dir, this_user, world_of
from chainctl.errors import UsageError
from chainctl.wire.log_line import readable
from chainctl.workflows.intercept import Interception, plan_intercept

_DEBUG_PORT = 5678
_EXAMPLE = "write `chainctl intercept CHAIN/CHAINLET`, as in `shop/Pay`."


def chain_and_chainlet(text: str) -> tuple[str, str]:
    """Read `shop/Pay`. Raises UsageError."""
    chain, _, chainlet = text.partition("/")
    if not chain or not chainlet or "/" in chainlet:
        raise UsageError(f"{text!r} does not say which chainlet of which chain", hint=_EXAMPLE)
    return chain, chainlet


def intercept_chainlet(
    which: str, file: str | None, console: Console, *, target: str | None, secrets: Path | None, debug: bool
) -> None:
    """Answer a chainlet's calls here until interrupted. Raises every ChainctlError that this can end with."""
    chain, chainlet = chain_and_chainlet(which)
    settings = settings_for(
        Path(file.partition(":")[0]) if file else None, target=target, secrets_file=secrets
    )
    world = world_of(chain, settings, console.line)
    stand_ins = stand_ins_of(world)
    wanted = plan_intercept(chain, chainlet, file, world.target, world.ledger, load_graph)
    require_installed(replace(wanted.graph, chainlets=(wanted.spec,)), otherwise="")
    port = _debug_port() if debug else None
    with tempfile.TemporaryDirectory(prefix="ci-", dir=_short_directory()) as directory:
        place = Place(Path(directory), os.environ, port)
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
        f"starts here from {wanted.graph.path}:{wanted.spec.line}."
    )
    if port is not None:
        console.line(f"A debugger can attach at 127.0.0.1:{port}.")


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


def _debug_port() -> int:
    """Return the port on which debuggers look first, or one that is free. Raises UsageError."""
    if importlib.util.find_spec("debugpy") is None:
        raise UsageError("debugpy is not installed here", hint="install it: `pip install debugpy`.")
    for port in (_DEBUG_PORT, 0):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise UsageError("no port of 127.0.0.1 is free for a debugger")

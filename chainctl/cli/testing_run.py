"""A chain file and arguments of pytest in; its tests run against its images, and their exit code, out."""

from __future__ import annotations

import os
import secrets as random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from chainctl.cli.applying import remove_components
from chainctl.cli.console import Console, now
from chainctl.cli.loading import load_graph
from chainctl.cli.pushing import push_file
from chainctl.cli.wiring import settings_for, world_of
from chainctl.errors import ChainctlError, ExitCode, UsageError
from chainctl.workflows.down import down
from chainctl.workflows.draft import chain_name

_NO_TESTS = 5
_INTERRUPTED = 2
_FAILED = 1


def run_tests(
    file: str,
    arguments: list[str],
    console: Console,
    *,
    target: str | None,
    secrets: Path | None,
    is_locked: bool | None,
) -> int:
    """Push under a throw-away name, run pytest with the URL, take the chain down, whatever happens.

    Returns 0, or 1 where a test failed. Raises what a push raises; UsageError where there are no tests, or
    no pytest; ChainctlError where pytest itself failed.
    """
    if find_spec("pytest") is None:
        raise UsageError("there is no pytest in this environment", hint="`pip install pytest`.")
    graph = load_graph(file)
    name = f"{chain_name(graph, None)[:40]}-test-{random.token_hex(3)}"
    settings = settings_for(Path(graph.path), target=target, secrets_file=secrets)
    try:
        pushed = push_file(file, console, target=target, name=name, secrets=secrets, is_locked=is_locked)
        console.stop()
        code = _pytest(arguments, Path(graph.path).parent, pushed.url, pushed.chain)
    finally:
        console.stop()
        _take_down(name, settings.target, console)
    return _judged(code)


def _pytest(arguments: list[str], directory: Path, url: str, chain: str) -> int:
    """Run the tests beside the chain file, unless the arguments name others."""
    told = {"CHAINCTL_TEST_URL": url, "CHAINCTL_TEST_CHAIN": chain}
    places = [] if any(Path(one.partition("::")[0]).exists() for one in arguments) else [str(directory)]
    command = [sys.executable, "-m", "pytest", *arguments, *places]
    process = subprocess.Popen(command, env={**os.environ, **told})  # the user's own tests
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()  # it was interrupted as well, and says what it has done
        raise


def _take_down(name: str, target: str, console: Console) -> None:
    """Remove what was pushed, its components and its history; a push that was refused has left nothing."""
    try:
        settings = settings_for(target=target)
        world = world_of(name, settings, console.line)
    except UsageError:
        return

    def clean_up() -> None:
        remove_components(name, world, settings, console, force=True)

    down(name, world.target, world.ledger, Console(is_quiet=True).emit, now, clean_up)


def _judged(code: int) -> int:
    if code in (0, _FAILED):
        return code
    if code == _NO_TESTS:
        raise UsageError(
            "no test was found", hint="write one that uses the fixture `chain`: see docs/testing.md."
        )
    if code == _INTERRUPTED:
        return ExitCode.INTERRUPTED
    raise ChainctlError(f"pytest ended with exit code {code}", hint="see what it says above.")

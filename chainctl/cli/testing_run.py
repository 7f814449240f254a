"""A chain file and arguments of pytest in; its tests run against its images, and their exit code, out."""

from __future__ import annotations

import os
import secrets as random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from chainctl.cli.applying import remove_components
from chainctl.cli.calling import api_key
from chainctl.cli.console import Console, now
from chainctl.cli.loading import load_graph
from chainctl.cli.pushing import push_file
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import secret_sources, settings_for
from chainctl.cli.wiring import world_of
from chainctl.errors import ChainctlError, UsageError
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.down import down
from chainctl.workflows.draft import chain_name


def run_tests(
    file: str,
    arguments: list[str],
    console: Console,
    *,
    target: str | None,
    secrets: Path | None,
    is_locked: bool | None,
) -> int:
    """Push a trial under a throw-away name, run pytest with its URL, take it down, whatever happens.

    Its images are those of a push of the file, which builds none of them again. Returns 0, or 1 where a test
    failed. Raises what a push raises; what `judged` raises; UsageError where there is no pytest.
    """
    if find_spec("pytest") is None:
        raise UsageError("there is no pytest in this environment", hint="`pip install pytest`.")
    graph = load_graph(file)
    name = f"{chain_name(graph, None)[:28].strip('-')}-test-{random.token_hex(3)}"
    settings = settings_for(Path(graph.path), target=target, secrets_file=secrets)
    try:
        pushed = push_file(file, console, target=target, trial=name, secrets=secrets, is_locked=is_locked)
        console.stop()
        told = {"CHAINCTL_TEST_URL": pushed.url, "CHAINCTL_TEST_CHAIN": name, **_told(graph, settings)}
        code = _pytest(arguments, Path(graph.path).parent, told)
    finally:
        console.stop()
        _take_down(name, settings, console)
    return judged(code)


def judged(code: int) -> int:
    """Return the exit code of a run of pytest: 0, or 1 where a test failed.

    Raises UsageError where no test ran or pytest was called wrongly, KeyboardInterrupt where it was interrupted,
    ChainctlError for all else.
    """
    match code:  # the numbers of pytest.ExitCode
        case 0 | 1:
            return code
        case 2:
            raise ChainctlError(
                "pytest broke off before it had run all tests",
                hint="see above: a test file can not be imported, or something ended the run.",
            )
        case 3:
            raise ChainctlError("pytest itself failed, or a plugin of it", hint="see what it says above.")
        case 4:
            raise UsageError(
                "pytest can not run with these arguments", hint="correct what stands after `--`."
            )
        case 5:
            raise UsageError(
                "no test ran against the chain",
                hint="write one that uses the fixture `chain`; `-- -rs` tells why tests are skipped.",
            )
        case _ if code == -signal.SIGINT:
            raise KeyboardInterrupt
        case _ if code < 0:
            raise ChainctlError(f"pytest was ended by the signal {-code}", hint="see what it says above.")
        case _:
            raise ChainctlError(f"pytest ended with the exit code {code}", hint="see what it says above.")


def _told(graph: ChainGraph, settings: Settings) -> Mapping[str, str]:
    """What tests need to know of the chain besides where it is: its entrypoint, and the key to call it with."""
    entrypoint = graph.chainlet(graph.entrypoint)
    key = api_key(secret_sources(settings).find(settings.api_key_secret or ""))
    keyed = {"CHAINCTL_API_KEY": key} if key and settings.api_key_secret else {}
    return {"CHAINCTL_TEST_ENTRYPOINT": f"{Path(entrypoint.path).resolve()}:{entrypoint.qualname}", **keyed}


def _pytest(arguments: list[str], directory: Path, told: Mapping[str, str]) -> int:
    """Run the tests beside the chain file, unless the arguments name others."""
    places = [] if any(Path(one.partition("::")[0]).exists() for one in arguments) else [str(directory)]
    command = [sys.executable, "-m", "pytest", *arguments, *places]
    with _interruptible() as passed_on:
        process = subprocess.Popen(command, env={**os.environ, **told})  # the user's own tests
        passed_on.append(process)
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted as well, and says what it has done
            raise


@contextmanager
def _interruptible() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Interrupt tests when this process is terminated. Ctrl-C reaches them by itself, as all of the terminal's job.

    A shell that starts a job in the background lets it ignore interrupts; the tests must not inherit that.
    """
    tests: list[subprocess.Popen[bytes]] = []

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for process in tests:
            process.send_signal(signal.SIGINT)
        raise KeyboardInterrupt

    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: pass_on}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield tests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _take_down(name: str, settings: Settings, console: Console) -> None:
    """Remove what was pushed, its components and its history; a push that was refused has left nothing."""
    try:
        world = world_of(name, settings, console.line)
    except UsageError:
        return

    def clean_up() -> None:
        remove_components(name, world, settings, console, force=True)

    down(name, world.target, world.ledger, Console(is_quiet=True).emit, now, clean_up)

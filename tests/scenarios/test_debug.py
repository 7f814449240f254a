"""`run-local --debug`: a chainlet stands still, and no deadline of a call through it passes."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import Chainctl, await_condition
from tests.scenarios.debug_client import DebugClient
from tests.scenarios.local_run import local_run

CHAIN = """\
import chainctl as chains


class Leaf(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        return text + "!"


class Middle(chains.ChainletBase):
    def __init__(self, leaf: Leaf = chains.depends(Leaf, timeout_sec=0.5)) -> None:
        self._leaf = leaf

    async def run_remote(self, text: str) -> str:
        return (await self._leaf.run_remote(text)).upper()


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, middle: Middle = chains.depends(Middle, timeout_sec=0.5)) -> None:
        self._middle = middle

    async def run_remote(self, text: str) -> str:
        return await self._middle.run_remote(text)
"""
LINE = next(n for n, line in enumerate(CHAIN.splitlines(), 1) if ".upper()" in line)
FAR = 1.5
"""Seconds, three times what either call may take."""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain of three, whose calls must be quick."""
    file = tmp_path / "chain.py"
    file.write_text(CHAIN)
    return file


def test_a_breakpoint_holds_a_call_for_longer_than_its_deadline(chainctl: Chainctl, chain: Path) -> None:
    """The chainlet waits for a debugger, stops in the user's own file, and the call ends well afterwards."""
    arguments = (str(chain), "--debug", "Middle", "--input", '{"text": "a"}')
    with local_run(chainctl, *arguments) as run:
        run.await_said("Attach a debugger to Middle at ")
        place = re.search(r"at ([\d.]+):(\d+); Middle starts when somebody has", run.said)
        assert place
        assert place[1] == "127.0.0.1"
        client = _attached(place[1], int(place[2]), chain)
        thread = client.event("stopped")["threadId"]
        assert client.place(thread) == (str(chain), LINE)
        late = time.monotonic() + FAR
        await_condition(lambda: time.monotonic() > late, seconds=60)
        client.go_on(thread)
        assert run.result() == "A!\n"
        client.close()


def test_without_waiting_the_chain_answers_at_once(chainctl: Chainctl, chain: Path) -> None:
    """`--no-wait`: nobody attaches, and nothing stands still."""
    done = chainctl("run-local", str(chain), "--debug", "Leaf", "--no-wait", "--input", '{"text": "b"}')
    assert done.stdout == "B!\n"
    assert "Attach a debugger to Leaf at 127.0.0.1:" in done.stderr


def test_an_interrupted_wait_leaves_nothing(chainctl: Chainctl, chain: Path) -> None:
    """The process that waits for a debugger ends with the command."""
    with local_run(chainctl, str(chain), "--debug", "Front") as run:
        run.await_said("Front starts when somebody has")
    place = re.search(r"at ([\d.]+):(\d+);", run.said)
    assert place
    await_condition(lambda: _is_refused(place[1], int(place[2])), seconds=30)
    assert run.process.returncode == 130


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--debug", "Nobody"], "no chainlet called Nobody"),
        (["--debug", "Leaf", "--fidelity", "codec"], "there is one for all"),
        (["--debug", "Leaf", "--reload"], "do not go together"),
    ],
)
def test_what_cannot_be_debugged_is_refused(
    chainctl: Chainctl, chain: Path, options: list[str], said: str
) -> None:
    """Before anything is started, with exit code 2."""
    done = chainctl("run-local", str(chain), *options, expect=2)
    assert said in done.stderr


def _attached(host: str, port: int, chain: Path) -> DebugClient:
    """Attach as soon as somebody listens; what connects and goes away again counts as a debugger, too."""
    found: list[DebugClient] = []

    def connects() -> bool:
        try:
            found.append(DebugClient(host, port))
        except ConnectionRefusedError:
            return False
        return True

    await_condition(connects, seconds=60)
    found[0].attach({chain: [LINE]})
    return found[0]


def _is_refused(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0

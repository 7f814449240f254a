"""Intercepts on a machine that has no time left, on every target: no request is lost at any change of hands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.scenarios.intercepted_chain import (
    ENTRY,
    MIDDLE,
    PLACE_OF,
    intercepting,
    interceptors,
    loaded,
    pushed,
)
from tests.scenarios.pushed_chain import TARGETS, PushedChain

pytestmark = pytest.mark.load

_ROUNDS = 3
_SPIN = "import time\nend = time.monotonic() + 900\nwhile time.monotonic() < end: pass"


@pytest.fixture(params=TARGETS, scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """A chain that serves, while two processes take all time that they get."""
    with pushed(tmp_path_factory.mktemp("intercept"), request.param) as chain:
        spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(2)]
        try:
            yield chain
        finally:
            for process in spinning:
                process.kill()
                process.wait()


@pytest.mark.parametrize("chainlet", [MIDDLE, ENTRY])
@pytest.mark.parametrize("end", ["interrupt", "kill the process", "kill the command"])
def test_no_request_is_lost_however_it_ends(chain: PushedChain, chainlet: str, end: str) -> None:
    """Again and again."""
    with loaded(chain) as load:
        for _ in range(_ROUNDS):
            load.await_place(chainlet, "there")
            with intercepting(chain, chainlet) as process:
                answer = load.await_place(chainlet, "here")
                if end == "interrupt":
                    process.send_signal(signal.SIGINT)
                elif end == "kill the process":
                    os.kill(int(answer[PLACE_OF[chainlet] + 1]), signal.SIGKILL)
                else:
                    process.kill()
                process.communicate(timeout=120)
        load.await_place(chainlet, "there")
    assert load.failures == []


def test_no_request_is_lost_when_the_command_falls_silent(chain: PushedChain) -> None:
    """As it does when its machine sleeps, or the network between is cut without a word."""
    with loaded(chain) as load, intercepting(chain, MIDDLE) as process:
        load.await_place(MIDDLE, "here")
        process.send_signal(signal.SIGSTOP)
        load.await_place(MIDDLE, "there")
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 6
        assert "The connection to the chain was lost" in said
    assert load.failures == []
    assert interceptors(chain) == []


def test_a_push_ends_an_intercept(chain: PushedChain) -> None:
    """Before it changes anything; the command says so, and no request fails."""
    with loaded(chain) as load, intercepting(chain, MIDDLE) as process:
        load.await_place(MIDDLE, "here")
        chain.push("--secrets", str(chain.file.with_name("secrets.env")))
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "the chain has no place for it any more" in said
        load.await_place(MIDDLE, "there")
    assert load.failures == []
    assert interceptors(chain) == []

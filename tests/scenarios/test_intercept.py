"""A chainlet that answers on the developer's machine, on every target: begun and ended in every way."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainctl.adapters.local.orphans import kill_processes_of
from chainctl.deploy.release import INTERCEPT_REPLICA
from tests.conftest import await_condition
from tests.scenarios.intercepted_chain import (
    ENTRY,
    MIDDLE,
    PLACE_OF,
    intercepting,
    interceptors,
    loaded,
    pushed,
    services,
)
from tests.scenarios.pushed_chain import TARGETS, PushedChain

_MANY = 1_000_000


@pytest.fixture(params=TARGETS, scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """A chain that serves, one for all tests of a target."""
    with pushed(tmp_path_factory.mktemp("intercept"), request.param) as chain:
        yield chain


def test_the_entrypoint_answers_here_until_interrupted(chain: PushedChain) -> None:
    """`ps` tells; a second one is refused; no request fails, there or back."""
    with loaded(chain) as load, intercepting(chain, ENTRY) as process:
        load.await_place(ENTRY, "here")
        assert interceptors(chain) == [ENTRY]
        with intercepting(chain, ENTRY) as second:
            said, _ = second.communicate(timeout=60)
            assert second.returncode == 5
            assert f"{chain.name}/{ENTRY} is intercepted by" in said
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        load.await_place(ENTRY, "there")
    assert load.failures == []
    assert interceptors(chain) == []


def test_all_goes_back_when_the_command_is_killed(chain: PushedChain) -> None:
    """The process has what the service has, secrets in files only; they go with it, and no request fails."""
    with loaded(chain) as load, intercepting(chain, MIDDLE) as process:
        answer = load.await_place(MIDDLE, "here")
        assert answer[4:] == ["2", "7", "data", "given"]
        running = Path(f"/proc/{answer[PLACE_OF[MIDDLE] + 1]}")
        place = Path((running / "cmdline").read_text().split("\0")[1]).parent.parent
        assert "hunter2" not in (running / "environ").read_text()
        assert (place / "secrets" / "files" / "t_intercept").read_text() == "hunter2"
        process.kill()
        said, _ = process.communicate(timeout=60)
        assert "hunter2" not in said
        await_condition(lambda: not (running / "cwd").exists(), seconds=20)
        await_condition(lambda: not place.exists(), seconds=20)
        load.await_place(MIDDLE, "there")
        await_condition(lambda: interceptors(chain) == [], seconds=60)
    assert load.failures == []


def test_the_chain_serves_on_when_the_stand_in_is_killed(chain: PushedChain) -> None:
    """By its own service, without a command; what was under way there is lost, and all else is answered."""
    with loaded(chain) as load, intercepting(chain, MIDDLE) as process:
        answer = load.await_place(MIDDLE, "here")
        _kill_stand_in(chain, int(answer[PLACE_OF[MIDDLE] + 1]))
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 6
        assert "its own service has the calls again" in said
        load.await_place(MIDDLE, "there")
        lost = len(load.failures)
        load.await_place(MIDDLE, "there")
        assert len(load.failures) == lost
    assert interceptors(chain) == []


def _kill_stand_in(chain: PushedChain, process: int) -> None:
    """Kill the container; or the process that listens beside the services which the chainlet calls."""
    if chain.target == "docker":
        name = next(one["name"] for one in services(chain) if one["intercepted_by"])
        subprocess.run(["docker", "kill", f"{name}.{INTERCEPT_REPLICA}"], check=True, capture_output=True)
        return
    environ = Path(f"/proc/{process}/environ").read_text().split("\0")
    (told,) = (entry for entry in environ if entry.startswith("CHAINCTL_SERVICES="))
    callee = Path(json.loads(told.partition("=")[2])["Leaf"].removeprefix("unix:"))
    (place,) = callee.parent.glob(f"*.{INTERCEPT_REPLICA}")
    kill_processes_of(place)


def test_large_values_and_streams_go_to_and_fro(chain: PushedChain) -> None:
    """Also where services share memory that this machine does not see; a stream ends where it began."""

    def asked(number: int) -> list[str]:
        with chain.asked({"number": number}) as answer:
            body = answer.read()
            assert answer.status == 200, body
            found: list[str] = json.loads(body)
            return found

    def are_weighed(place: str) -> bool:
        seen = [asked(-3_000_000) for _ in range(5)]
        assert {one[1] for one in seen} == {"3000000"}
        return {one[0] for one in seen} == {place}

    assert are_weighed("there")
    with intercepting(chain, "Weigh") as process:
        await_condition(lambda: are_weighed("here"), seconds=30)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    await_condition(lambda: are_weighed("there"), seconds=30)
    with intercepting(chain, "Count") as process:
        assert process.stdout is not None
        assert any("until Ctrl-C" in line for line in process.stdout)
        assert asked(_MANY + 2) == ["here 0", "here 1"]
        with chain.begun({"number": _MANY + 5}) as begun:
            assert any("counting" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            assert _answered(begun) == [f"here {n}" for n in range(5)]
        process.communicate(timeout=60)


def test_what_a_killed_process_had_begun_is_made_again(chain: PushedChain) -> None:
    """By the service, and all that follows; the command says why it ends."""
    with intercepting(chain, MIDDLE) as process, loaded(chain) as load:
        assert process.stdout is not None
        assert any("until Ctrl-C" in line for line in process.stdout)
        answer = load.await_place(MIDDLE, "here")
        with chain.begun({"number": 1500}) as begun:
            assert any("begun" in line for line in process.stdout)
            os.kill(int(answer[PLACE_OF[MIDDLE] + 1]), signal.SIGKILL)
            answered = _answered(begun)
        assert (answered[PLACE_OF[MIDDLE]], answered[4]) == ("there", "1501")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 1, said
        assert "The process ended with signal 9; the service has its calls again" in said
        load.await_place(MIDDLE, "there")
    assert load.failures == []
    assert interceptors(chain) == []


def test_a_chainlet_that_does_not_start_takes_no_calls(chain: PushedChain) -> None:
    """Its traceback is shown, and the service never notices."""
    with loaded(chain) as load, intercepting(chain, MIDDLE, place='x" + str(1 / 0) + "') as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "ZeroDivisionError" in said
        load.await_place(MIDDLE, "there")
    assert set(load.places(MIDDLE)) == {"there"}
    assert load.failures == [], said


def _answered(begun: socket.socket) -> list[str]:
    """Read the answer of a request that was begun."""
    answer = http.client.HTTPResponse(begun)
    answer.begin()
    said: list[str] = json.loads(answer.read())
    assert answer.status == 200, said
    return said

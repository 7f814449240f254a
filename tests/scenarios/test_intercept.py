"""A chainlet that answers on the developer's machine, on every target, under load: begun and ended in every way."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import await_condition
from tests.scenarios.pushed_chain import JSON, TARGETS, PushedChain, pushing

pytestmark = pytest.mark.load

CHAIN = """
import os
import time

import chainctl as chains

SLOW = 1000
SMALL = chains.Compute(cpu_count=1, memory="256Mi")
PLACE = "there"


class Leaf(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def run_remote(self, number: int) -> int:
        return number + 1


class Weigh(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def run_remote(self, data: bytes) -> bytes:
        return PLACE.encode() + b" " + str(len(data)).encode() + bytes(100_000)


class Middle(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=SMALL,
        assets=chains.Assets(secret_keys=["t_intercept"]),
        docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here("data")),
        options=chains.ChainletOptions(env_variables={"T_INTERCEPT": "given"}),
    )

    def __init__(self, leaf: Leaf = chains.depends(Leaf), context=chains.depends_context()) -> None:
        self._leaf = leaf
        secret, text = context.secrets["t_intercept"], (context.data_dir / "text.txt").read_text()
        self._seen = [str(len(secret)), text, os.environ["T_INTERCEPT"]]

    def run_remote(self, number: int) -> list[str]:
        if number >= SLOW:
            print("begun")
            time.sleep(number / 1000)
        return [PLACE, str(os.getpid()), str(self._leaf.run_remote(number)), *self._seen]


@chains.mark_entrypoint("t-intercept")
class Entry(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def __init__(self, middle: Middle = chains.depends(Middle), weigh: Weigh = chains.depends(Weigh)) -> None:
        self._middle, self._weigh = middle, weigh

    def run_remote(self, number: int) -> list[str]:
        if number < 0:
            return self._weigh.run_remote(bytes(-number)).rstrip(bytes(1)).decode().split()
        return [PLACE, str(os.getpid()), *self._middle.run_remote(number)]
"""
MIDDLE, ENTRY = "Middle", "Entry"
_PLACE_OF = {ENTRY: 0, MIDDLE: 2}
_CALLERS = 3


@pytest.fixture(params=TARGETS, scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """A chain that serves, one for all tests of a target."""
    directory = tmp_path_factory.mktemp("intercept")
    (directory / "data").mkdir()
    (directory / "data" / "text.txt").write_text("data")
    with pushing(directory, request.param) as push:
        secrets = directory / "secrets.env"
        secrets.write_text("t_intercept=hunter2\n")
        yield push(CHAIN, f"t-intercept-{request.param}", "--secrets", str(secrets))


@dataclass
class Load:
    """What callers saw: failures, and the answers."""

    failures: list[str] = field(default_factory=list)
    answers: list[list[str]] = field(default_factory=list)

    def places(self, chainlet: str) -> list[str]:
        return [answer[_PLACE_OF[chainlet]] for answer in list(self.answers)]

    def await_place(self, chainlet: str, place: str) -> list[str]:
        """Wait until the next answers all come from a place; returns the last one."""
        await_condition(lambda: self._has_settled(chainlet, place), seconds=30)
        return self.answers[-1]

    def _has_settled(self, chainlet: str, place: str) -> bool:
        return len(self.answers) > 10 and set(self.places(chainlet)[-10:]) == {place}


@contextmanager
def loaded(chain: PushedChain) -> Iterator[Load]:
    """Call a chain all the time, from several connections that stay open and from fresh ones."""
    load, is_over = Load(), threading.Event()
    threads = [threading.Thread(target=_call, args=(chain, load, is_over, n)) for n in range(_CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _call(chain: PushedChain, load: Load, is_over: threading.Event, number: int) -> None:
    connection = http.client.HTTPConnection(*chain.place, timeout=60)
    while not is_over.wait(0.01):
        try:
            connection.request("POST", "/run_remote", json.dumps({"number": 1}), JSON)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            load.failures.append(repr(error))
            connection.close()
            continue
        if answer.status == 200:
            load.answers.append(json.loads(body))
        else:
            load.failures.append(f"{answer.status} {body.decode()[:300]}")
        if number == 0:
            connection.close()
    connection.close()


@contextmanager
def intercepting(
    chain: PushedChain, chainlet: str, *arguments: str, place: str = "here"
) -> Iterator[subprocess.Popen[str]]:
    """Intercept a chainlet with the same file but for the place that it names."""
    file = chain.file.with_name("edited.py")
    file.write_text(CHAIN.replace('PLACE = "there"', f'PLACE = "{place}"'))
    secrets = chain.file.with_name("secrets.env")
    command = [*chain.chainctl.COMMAND, "intercept", f"{chain.name}/{chainlet}", str(file), *arguments]
    process = subprocess.Popen(
        [*command, "--target", chain.target, "--secrets", str(secrets)],
        env=dict(chain.chainctl.environ),
        cwd=chain.chainctl.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def services(chain: PushedChain) -> list[dict[str, Any]]:
    done = chain.chainctl("ps", chain.name, "--target", chain.target, "--json")
    (shown,) = json.loads(done.stdout)["chains"]
    found: list[dict[str, Any]] = shown["services"]
    return found


def interceptors(chain: PushedChain) -> list[str]:
    return [one["chainlet"] for one in services(chain) if one["intercepted_by"]]


@pytest.mark.parametrize("chainlet", [MIDDLE, ENTRY])
def test_a_chainlet_answers_here_until_interrupted(chain: PushedChain, chainlet: str) -> None:
    """With its secrets, data, variables and callees; `ps` tells; a second one is refused; no request fails."""
    with loaded(chain) as load:
        load.await_place(chainlet, "there")
        with intercepting(chain, chainlet) as process:
            answer = load.await_place(chainlet, "here")
            assert answer[4:] == ["2", "7", "data", "given"]
            assert interceptors(chain) == [chainlet]
            with intercepting(chain, chainlet) as second:
                said, _ = second.communicate(timeout=60)
                assert second.returncode == 5
                assert f"{chain.name}/{chainlet} is intercepted by" in said
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0, said
        load.await_place(chainlet, "there")
    assert load.failures == []
    assert interceptors(chain) == []


@pytest.mark.parametrize("chainlet", [MIDDLE, ENTRY])
def test_no_request_fails_when_the_process_is_killed(chain: PushedChain, chainlet: str) -> None:
    """The service has its calls again, what the process had begun included, and the command says why it ends."""
    with loaded(chain) as load:
        with intercepting(chain, chainlet) as process:
            answer = load.await_place(chainlet, "here")
            os.kill(int(answer[_PLACE_OF[chainlet] + 1]), signal.SIGKILL)
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "The process ended with signal 9; the service has its calls again" in said
        load.await_place(chainlet, "there")
    assert load.failures == []
    assert interceptors(chain) == []


@pytest.mark.parametrize("chainlet", [MIDDLE, ENTRY])
def test_no_request_fails_when_the_command_is_killed(chain: PushedChain, chainlet: str) -> None:
    """The process goes with it, the traffic goes back, nothing is left, and the next intercept begins at once."""
    with loaded(chain) as load:
        with intercepting(chain, chainlet) as process:
            answer = load.await_place(chainlet, "here")
            process.kill()
            process.wait()
        await_condition(lambda: not Path(f"/proc/{answer[_PLACE_OF[chainlet] + 1]}/cwd").exists(), seconds=20)
        with intercepting(chain, chainlet, place="again") as process:
            load.await_place(chainlet, "again")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        load.await_place(chainlet, "there")
    assert load.failures == []
    assert interceptors(chain) == []


def test_large_values_go_to_and_fro(chain: PushedChain) -> None:
    """Also where the services of a chain share memory that this machine does not see."""

    def weighed() -> list[str]:
        with chain.asked({"number": -3_000_000}) as answer:
            body = answer.read()
            assert answer.status == 200, body
            found: list[str] = json.loads(body)
            return found

    def is_weighed(place: str) -> bool:
        seen = weighed()
        assert seen[1] == "3000000"
        return seen[0] == place

    assert is_weighed("there")
    with intercepting(chain, "Weigh") as process:
        await_condition(lambda: is_weighed("here"), seconds=30)
        assert all(is_weighed("here") for _ in range(5))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    await_condition(lambda: is_weighed("there"), seconds=30)


def test_what_a_killed_process_had_begun_is_made_again(chain: PushedChain) -> None:
    """By the service: its caller waits longer, and sees no error."""
    with intercepting(chain, MIDDLE) as process, loaded(chain) as load:
        answer = load.await_place(MIDDLE, "here")
        with chain.begun({"number": 3000}) as begun:
            assert process.stdout is not None
            assert any("begun" in line for line in process.stdout)
            os.kill(int(answer[_PLACE_OF[MIDDLE] + 1]), signal.SIGKILL)
            answer_again = http.client.HTTPResponse(begun)
            answer_again.begin()
            said = json.loads(answer_again.read())
        assert (answer_again.status, said[_PLACE_OF[MIDDLE]], said[4]) == (200, "there", "3001")
    assert load.failures == []


def test_no_request_fails_when_the_command_falls_silent(chain: PushedChain) -> None:
    """As it does when its machine sleeps, or the network between is cut without a word."""
    with loaded(chain) as load, intercepting(chain, MIDDLE) as process:
        load.await_place(MIDDLE, "here")
        process.send_signal(signal.SIGSTOP)
        load.await_place(MIDDLE, "there")
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 6
        assert "The connection to the chain was lost" in said
    assert load.failures == []
    assert interceptors(chain) == []


def test_a_push_ends_an_intercept(chain: PushedChain) -> None:
    """Before it changes anything; the command says so, and no request fails."""
    with loaded(chain) as load:
        with intercepting(chain, MIDDLE) as process:
            load.await_place(MIDDLE, "here")
            chain.push("--secrets", str(chain.file.with_name("secrets.env")))
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            assert "the chain has no place for it any more" in said
        load.await_place(MIDDLE, "there")
    assert load.failures == []
    assert interceptors(chain) == []


def test_a_chainlet_that_does_not_start_takes_no_calls(chain: PushedChain) -> None:
    """Its traceback is shown, and the service never notices."""
    with loaded(chain) as load:
        with intercepting(chain, MIDDLE, place='x" + 1 / 0 #') as process:
            said, _ = process.communicate(timeout=60)
            assert process.returncode != 0
        load.await_place(MIDDLE, "there")
    assert set(load.places(MIDDLE)) == {"there"}
    assert load.failures == [], said

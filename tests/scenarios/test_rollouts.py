"""How a release takes over, on every target: warm, tried, recreated, restarted, rolled back, interrupted."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Chainctl, await_condition, fresh_environ
from tests.scenarios.pushed_chain import JSON, TARGETS, Push, PushedChain, pushing

CHAIN = """
import chainctl as chains

SMALL = chains.Compute(cpu_count=1, memory="256Mi")


class Double(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL{more})

    def __init__(self):
        {init}

    def run_remote(self, number: int) -> int:
        return {factor} * number


@chains.mark_entrypoint("rollouts")
class Sum(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def __init__(self, double=chains.depends(Double)):
        self._double = double

    def run_remote(self, numbers: list[int]) -> int:
        {body}
        return sum(self._double.run_remote(n) for n in numbers)
"""


def text(factor: int = 2, init: str = "pass", body: str = "pass", more: str = "") -> str:
    return CHAIN.format(factor=factor, init=init, body=body, more=more)


@pytest.fixture(params=TARGETS)
def push(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Push]:
    """Pushes chains to each target; what it pushed is taken down afterwards."""
    with pushing(tmp_path, request.param) as push:
        yield push


@pytest.fixture(params=TARGETS, scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """One chain on each target, of which most tests begin a release."""
    with pushing(tmp_path_factory.mktemp("rollouts"), request.param) as push:
        yield push(text(2), "t-ro")


@pytest.fixture
def chain(shared: PushedChain) -> PushedChain:
    """The chain, when nothing but its first version serves."""
    pushed(shared, text(2))
    return shared


def run(chain: PushedChain, verb: str, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    return chain.chainctl(verb, *arguments, "--target", chain.target, expect=expect, timeout=600)


def run_json(chain: PushedChain, verb: str, *arguments: str) -> Any:
    return json.loads(run(chain, verb, *arguments, "--json").stdout)


def pushed(
    chain: PushedChain, source: str, *arguments: str, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """Push another version of a chain."""
    chain.file.write_text(source, encoding="utf-8")
    return run(chain, "push", str(chain.file), "--name", chain.name, *arguments, expect=expect)


def services(chain: PushedChain) -> dict[str, str]:
    """Names of all services, warm ones too, with `warm` or their status."""
    (shown,) = run_json(chain, "ps", chain.name)["chains"]
    return {s["name"]: "warm" if s["warm"] else s["status"] for s in shown["services"]}


class Load:
    """Callers of a chain that keep their connections; counts answers by what they are."""

    def __init__(self, chain: PushedChain) -> None:
        self.seen: Counter[object] = Counter()
        self._chain = chain
        self._over = threading.Event()

    @contextmanager
    def running(self, callers: int = 3) -> Iterator[Load]:
        threads = [threading.Thread(target=self._call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection(*self._chain.place, timeout=30)
        while not self._over.wait(0.01):
            try:
                connection.request("POST", "/run_remote", b'{"numbers": [1]}', dict(JSON))
                answer = connection.getresponse()
                said = answer.read()
                self.seen[json.loads(said) if answer.status == 200 else answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.seen[repr(error)] += 1
        connection.close()


READING = """
import chainctl as chains


class Double(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["t_inner"]))

    def __init__(self, context=chains.depends_context()):
        self._factor = int(context.secrets["t_inner"])

    def run_remote(self, number: int) -> int:
        return self._factor * number


@chains.mark_entrypoint("rotations")
class Sum(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["t_outer"]))

    def __init__(self, double=chains.depends(Double), context=chains.depends_context()):
        self._double = double
        self._plus = int(context.secrets["t_outer"])

    def run_remote(self, numbers: list[int]) -> int:
        return self._plus + sum(self._double.run_remote(n) for n in numbers)
"""


def test_rotated_secrets_restart_their_readers_only(push: Push, tmp_path: Path) -> None:
    """Under load nothing is lost; names and callers stay; a value that does not work changes nothing."""
    chainctl = Chainctl(fresh_environ(tmp_path), ROOT)
    chainctl("secret", "set", "t_inner", stdin="2")
    chainctl("secret", "set", "t_outer", stdin="0")
    chain = push(READING, "t-ro-rotate")
    before = shown(chain)

    def rotate(name: str, value: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        chainctl("secret", "set", name, stdin=value)
        return run(chain, "push", str(chain.file), "--name", chain.name, expect=expect)

    load = Load(chain)
    with load.running():
        assert rotate("t_inner", "3").stderr.count("all are renewed") == 1
        after = shown(chain)
        assert [after[name][0] for name in after] == [before[name][0] for name in before]
        assert after["Sum"] == before["Sum"]
        rotate("t_outer", "10")
        assert shown(chain)["Double"] == after["Double"]
        rotate("t_inner", "none", expect=5)
    assert set(load.seen) == {2, 3, 13}
    assert chain.call('{"numbers": [1]}')[0] == "13\n"
    newest = run_json(chain, "history", chain.name)["releases"][0]
    assert newest["changes"] == ["Sum: secret t_outer rotated"]


def shown(chain: PushedChain) -> dict[str, tuple[str, float]]:
    """Of each chainlet's only replica, its name and when it started."""
    (one,) = run_json(chain, "ps", chain.name)["chains"]
    assert len(one["services"]) == len({s["chainlet"] for s in one["services"]})
    return {s["chainlet"]: (s["name"], s["since"]) for s in one["services"]}


def test_a_warm_release_is_shown_and_rolled_back_to_by_a_flip(push: Push) -> None:
    """`ps` and `plan` tell of it, the rollback loses nothing, the next push without it removes it."""
    chain = push(text(2), "t-ro-warm")
    first = set(services(chain))
    pushed(chain, text(3), "--keep-warm", "1")
    assert {name for name, status in services(chain).items() if status == "warm"} == first
    plan = run(chain, "plan", str(chain.file), "--name", chain.name, "--keep-warm", "1").stdout
    assert plan.count("(warm)") == 2
    assert "2 kept, 2 warm." in plan
    load = Load(chain)
    with load.running():
        done = run(chain, "rollback", chain.name, "--keep-warm", "1")
    assert done.stderr.count("~ route") == 1
    assert "service" not in done.stderr
    assert set(load.seen) <= {2, 3}
    assert chain.call('{"numbers": [1]}')[0] == "2\n"
    past = run_json(chain, "history", chain.name)["releases"]
    assert [(one["release"], one["changes"]) for one in past] == [
        (3, ["as release 1"]),
        (2, ["Double: its image changed", "Sum: its image changed"]),
        (1, ["first release"]),
    ]
    pushed(chain, text(2))
    assert set(services(chain)) == first


def test_a_rollback_starts_what_does_not_run(push: Push) -> None:
    """From the images that are still there, with no request lost."""
    chain = push(text(2), "t-ro-back")
    pushed(chain, text(3))
    load = Load(chain)
    with load.running():
        done = run_json(chain, "rollback", chain.name, "--to", "1")
    assert (done["release"], done["from_release"], done["changed"]) == (3, 1, True)
    assert set(load.seen) <= {2, 3}
    assert chain.call('{"numbers": [1]}')[0] == "2\n"
    assert "there is no release 9" in run(chain, "rollback", chain.name, "--to", "9", expect=2).stderr


def test_a_restart_loses_no_request(chain: PushedChain) -> None:
    """All services are other ones afterwards, and a push of the same file changes nothing."""
    before = set(services(chain))
    load = Load(chain)
    with load.running():
        run(chain, "restart", chain.name)
    after = set(services(chain))
    assert set(load.seen) == {2}
    assert not before & after
    run(chain, "restart", f"{chain.name}/Sum")
    assert len(set(services(chain)) & after) == 1
    assert run_json(chain, "push", str(chain.file), "--name", chain.name)["changed"] is False


def test_a_canary_that_fails_is_taken_back(chain: PushedChain) -> None:
    """Exit code 1 with rates and counts; a part of the traffic saw it, then nothing is left of it."""
    before, releases = services(chain), run_json(chain, "history", chain.name)
    load = Load(chain)
    with load.running():
        done = pushed(
            chain, text(3, body='raise ValueError("bad")'), "--canary", "20%", "--canary-for", "60s", expect=1
        )
    assert "100 % of its requests failed, 0 % of the old release's" in done.stderr
    assert done.stderr.count(" answered, ") == 2
    assert services(chain) == before
    assert set(load.seen) == {2, 500}
    assert run_json(chain, "history", chain.name) == releases


def test_a_canary_that_does_well_gets_all_traffic(chain: PushedChain) -> None:
    """No request is lost on the way."""
    load = Load(chain)
    with load.running():
        done = pushed(chain, text(3), "--canary", "30", "--canary-for", "3s")
    assert "The canary gets all traffic: 0 % of its " in done.stderr
    assert set(load.seen) == {2, 3}
    assert chain.call('{"numbers": [1]}')[0] == "3\n"


def test_a_recreated_chainlet_comes_back_when_its_successor_fails(chain: PushedChain) -> None:
    """The old one ends first; it is started again; a good successor takes its place."""
    before = set(services(chain))
    more = ', strategy="recreate"'
    failed = pushed(chain, text(3, init='raise RuntimeError("no room")', more=more), expect=5)
    assert "ended before its successor starts: its strategy is recreate" in failed.stderr
    assert "RuntimeError: no room" in failed.stderr
    running = {name for name, status in services(chain).items() if status == "running"}
    assert running == before
    assert chain.call('{"numbers": [1]}')[0] == "2\n"
    pushed(chain, text(3, more=more))
    assert chain.call('{"numbers": [1]}')[0] == "3\n"
    assert len(services(chain)) == 2


def begun(chain: PushedChain, *arguments: str) -> subprocess.Popen[str]:
    """Push beside this test, with stderr to read."""
    command = [*Chainctl.COMMAND, "push", str(chain.file), "--name", chain.name, "--target", chain.target]
    return subprocess.Popen(
        [*command, *arguments],
        env=dict(chain.chainctl.environ),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def interrupted_at(process: subprocess.Popen[str], *marks: str) -> str:
    """Interrupt a push whenever the next mark is told; what it told until its end."""
    assert process.stderr is not None
    told, left = "", list(marks)
    for line in process.stderr:
        told += line
        if left and left[0] in line:
            os.kill(process.pid, signal.SIGINT)
            left.pop(0)
    process.stderr.close()
    assert not left, told
    assert process.wait() == 130
    return told


SLOW = "import time; time.sleep(60)"


def test_an_interruption_takes_back_what_was_begun(chain: PushedChain) -> None:
    """Once: the new services are stopped and it is said; the next push converges."""
    before = services(chain)
    chain.file.write_text(text(3, init=SLOW), encoding="utf-8")
    told = interrupted_at(begun(chain), f"service {chain.name}-sum")
    assert "Interrupted: what was begun is taken back." in told
    assert f"{chain.name} is as it was before." in told
    assert services(chain) == before
    assert chain.call('{"numbers": [1]}')[0] == "2\n"
    pushed(chain, text(3))
    assert chain.call('{"numbers": [1]}')[0] == "3\n"
    assert len(services(chain)) == 2


def canary_of(chain: PushedChain) -> str | None:
    """The service that has a part of the traffic."""
    (shown,) = run_json(chain, "ps", chain.name)["chains"]
    return None if shown["canary"] is None else str(shown["canary"])


@pytest.mark.parametrize(
    ("shared", "number"),
    [
        pytest.param("local", signal.SIGINT, id="local-interrupted"),
        pytest.param("docker", signal.SIGKILL, marks=pytest.mark.docker, id="docker-killed"),
    ],
    indirect=["shared"],
)
def test_a_canary_that_is_cut_off(chain: PushedChain, number: signal.Signals) -> None:
    """Interrupted, it is taken back; killed, it shares the traffic until the next push, which converges."""
    before = services(chain)
    chain.file.write_text(text(3), encoding="utf-8")
    process = begun(chain, "--canary", "50%", "--canary-for", "5m")
    await_condition(lambda: canary_of(chain) is not None, seconds=60)
    assert {chain.call('{"numbers": [1]}')[0] for _ in range(6)} == {"2\n", "3\n"}
    process.send_signal(number)
    process.communicate(timeout=60)
    assert (canary_of(chain) is None) is (number is signal.SIGINT)
    assert (services(chain) == before) is (number is signal.SIGINT)
    pushed(chain, text(3))
    assert (canary_of(chain), len(services(chain))) == (None, 2)
    assert {chain.call('{"numbers": [1]}')[0] for _ in range(6)} == {"3\n"}


def test_a_second_interruption_ends_at_once(chain: PushedChain) -> None:
    """What was begun is left; the old release serves, and the next push converges."""
    chain.file.write_text(text(3, init=SLOW), encoding="utf-8")
    interrupted_at(begun(chain), f"service {chain.name}-sum", "Interrupt again")
    assert chain.call('{"numbers": [1]}')[0] == "2\n"
    pushed(chain, text(3))
    assert chain.call('{"numbers": [1]}')[0] == "3\n"
    assert len(services(chain)) == 2

"""The life of a chain on the local target, with real processes, sockets and signals."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from chainctl.adapters.local.client import SupervisorClient
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    StartService,
)
from chainctl.deploy.release import Call, FrontDoor, SecretRef
from chainctl.deploy.state import ObservedState, ServiceStatus
from chainctl.deploy.target import LogLine
from chainctl.errors import DeployError, EngineError
from tests.bench.releases import supervisors_of
from tests.contract.local.local_rig import (
    CAUSE,
    CHAIN,
    Rig,
    eventually,
    is_alive,
    rig,
    with_secrets,
)


def test_a_service_is_started_routed_called_and_taken_down() -> None:
    """The straight way: each operation shows in what is observed, and nothing is left at the end."""
    with rig() as r:
        assert r.observe() == ObservedState(CHAIN)
        spec = r.spec("one")
        r.serve(spec)
        seen = r.observe()
        assert r.target.chains() == [CHAIN]
        assert seen.has_network
        assert [(s.name, s.status, s.fingerprint) for s in seen.services] == [
            (spec.name, ServiceStatus.RUNNING, spec.fingerprint)
        ]
        assert seen.front_door is not None
        assert seen.front_door.route == spec.name
        assert seen.front_door.digest == FrontDoor().digest
        status, answer = r.call()
        assert (status, answer["name"], answer["chain"]) == (200, spec.name, CHAIN)
        pids = [answer["pid"], r.supervisor]
        r.stop(spec)
        assert r.call()[0] == 503
        r.apply(RemoveFrontDoor(CHAIN, CAUSE), RemoveNetwork(CHAIN, CAUSE))
        assert r.observe() == ObservedState(CHAIN)
        assert r.target.chains() == []
        assert not any(map(is_alive, pids))
        assert not r.run.state.exists()
        assert not r.run.runtime.exists()


def test_every_operation_may_be_applied_twice() -> None:
    """A second time changes nothing: the same process, the same port, no error."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        before, port = r.call()[1]["pid"], r.port
        r.serve(spec)
        assert (r.call()[1]["pid"], r.port) == (before, port)
        for _ in range(2):
            r.stop(spec)
        for _ in range(2):
            r.apply(RemoveFrontDoor(CHAIN, CAUSE))
        for _ in range(2):
            r.apply(RemoveNetwork(CHAIN, CAUSE))
        r.stop(spec)
        r.apply(RemoveFrontDoor(CHAIN, CAUSE))
        assert r.target.chains() == []


def test_the_contract_of_a_chainlet_process() -> None:
    """Secrets are files, callees are sockets, the environment is small and holds no secret."""
    with rig(secrets={"KEY": b"s3cret"}) as r:
        spec = with_secrets(r.spec("one", calls=(Call("Other", "demo-other"),), MINE="1"), "KEY")
        r.serve(spec)
        _, answer = r.call()
        assert answer["secrets"] == {"KEY": "s3cret", ".chainctl-token": f"token-of-{CHAIN}"}
        assert sorted(answer["modes"].values()) == ["0o400", "0o400", "0o700"]
        assert answer["services"] == {"Other": f"unix:{r.run.socket_of('demo-other')}"}
        assert answer["chainlet"] == "One"
        assert answer["threads"] == "2"
        assert answer["cwd"].endswith("/app")
        assert "MINE" in answer["env"]
        assert "PYTEST_CURRENT_TEST" not in answer["env"]
        process = Path(f"/proc/{answer['pid']}")
        assert b"s3cret" not in (process / "environ").read_bytes()
        assert b"s3cret" not in (process / "cmdline").read_bytes()
        assert b"s3cret" not in r.run.memory.read_bytes()
        assert stat.S_IMODE(r.run.runtime.stat().st_mode) == 0o700
        assert stat.S_IMODE(r.run.control.stat().st_mode) == 0o600
        assert sockets_of(answer["pid"]) & sockets_of(r.supervisor) == set()
        r.stop(spec)
        assert not r.run.secrets_of(spec.name).exists()


def sockets_of(pid: int) -> set[str]:
    """Return the sockets and locks that a process has open."""
    links = [link_of(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return {link for link in links if link.startswith("socket:") or link.endswith("lock")}


def link_of(descriptor: Path) -> str:
    """Return what a descriptor leads to, "" when it was closed while they were listed."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_a_flip_under_load_fails_no_request() -> None:
    """Callers with kept connections call on while the route flips and the old service stops."""
    with rig() as r:
        old, new = r.spec("old"), r.spec("new")
        r.serve(old)
        callers = [Caller(r.port) for _ in range(6)]
        for caller in callers:
            caller.start()
        eventually(lambda: all(c.served[-1:] == [old.name] for c in callers))
        r.apply(StartService(new, CAUSE), AwaitReady(new, CAUSE), Route(CHAIN, new.name, CAUSE))
        r.stop(old)
        eventually(lambda: all(c.served[-1:] == [new.name] for c in callers))
        for caller in callers:
            caller.leave()
            assert caller.problems == []
            assert caller.served == sorted(caller.served, reverse=True)


class Caller(threading.Thread):
    """Calls a door again and again on one connection, and notes who answered."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.served: list[str] = []
        self.problems: list[str] = []
        self._port = port
        self._leaving = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._leaving.is_set():
            try:
                connection.request("POST", "/", b"x")
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(repr(error))
                break
            if response.status != 200:
                self.problems.append(f"{response.status} {body!r}")
                break
            self.served.append(json.loads(body)["name"])
        connection.close()

    def leave(self) -> None:
        self._leaving.set()
        self.join()


def test_a_request_under_way_is_finished_before_its_service_stops() -> None:
    """StopService waits for the door's requests, then sends SIGTERM."""
    with rig() as r:
        old, new = r.spec("old"), r.spec("new")
        r.serve(old)
        answers: list[object] = []
        port = r.port
        slow = threading.Thread(target=lambda: answers.append(r.call("/slow", "0.5", port=port)[0]))
        slow.start()
        eventually(lambda: "slow begins" in r.log_texts())
        r.apply(StartService(new, CAUSE), AwaitReady(new, CAUSE), Route(CHAIN, new.name, CAUSE))
        r.stop(old)
        slow.join()
        assert answers == [200]
        assert "drained" in r.log_texts()
        assert [s.name for s in r.observe().services] == [new.name]


def test_a_service_deaf_to_sigterm_is_killed() -> None:
    """After the drain time comes SIGKILL, also for the processes that the service had started."""
    with rig(drain_sec=0.2) as r:
        spec = r.spec("one", DEAF="1")
        r.serve(spec)
        pid, child = r.call()[1]["pid"], r.call("/child")[1]["pid"]
        r.stop(spec)
        assert not is_alive(pid)
        eventually(lambda: not is_alive(child))


def test_a_crash_is_restarted() -> None:
    """A service that was ready once comes back; its restarts are counted and its log says why."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        before = r.call()[1]["pid"]
        assert r.call("/crash")[0] == 502
        eventually(lambda: r.call()[0] == 200)
        assert r.call()[1]["pid"] != before
        assert r.observe().services[0].restarts == 1
        texts = r.log_texts()
        assert "about to crash" in texts
        assert any("ended with exit code 3, starts again" in text for text in texts)


def test_a_broken_start_shows_its_log() -> None:
    """A service that fails before it was ready stays failed; the error has code and traceback."""
    with rig() as r:
        spec = r.spec("one", FAIL="1")
        r.apply(EnsureNetwork(CHAIN, CAUSE), StartService(spec, CAUSE))
        with pytest.raises(DeployError, match="ended with exit code 1") as caught:
            r.apply(AwaitReady(spec, CAUSE))
        assert "loading weights" in caught.value.details
        assert "ValueError: no such weights" in caught.value.details
        assert caught.value.hint
        assert r.observe().services[0].status is ServiceStatus.FAILED
        r.apply(StartService(r.spec("one"), CAUSE), AwaitReady(r.spec("one"), CAUSE))
        assert r.observe().services[0].status is ServiceStatus.RUNNING


def test_a_service_that_is_never_ready_shows_its_health() -> None:
    """The time-out tells what the service said of itself, and leaves it for inspection."""
    with rig() as r:
        spec = replace(r.spec("one", NOT_READY="1"), start_timeout_sec=0.5)
        r.apply(StartService(spec, CAUSE))
        with pytest.raises(DeployError, match=r"was not ready within 0\.5 s") as caught:
            r.apply(AwaitReady(spec, CAUSE))
        assert any("weights are loading" in line for line in caught.value.details)
        assert r.observe().services[0].status is ServiceStatus.STOPPED


def test_a_killed_supervisor_is_noticed_and_replaced() -> None:
    """kill -9: nothing goes on running, what was is remembered, and the same plan mends it."""
    with rig(secrets={"KEY": b"s3cret"}) as r:
        port = r.settle()
        spec = with_secrets(r.spec("one"), "KEY")
        r.serve(spec)
        service, child = r.call()[1]["pid"], r.call("/child")[1]["pid"]
        os.kill(r.supervisor, signal.SIGKILL)
        eventually(lambda: r.observe().services[0].status is ServiceStatus.STOPPED)
        eventually(lambda: not is_alive(service))
        seen = r.observe()
        assert seen.services[0].fingerprint == spec.fingerprint
        assert seen.front_door is not None
        assert (seen.front_door.status, seen.front_door.route) == (ServiceStatus.STOPPED, spec.name)
        r.serve(spec)
        assert r.call()[0] == 200
        assert r.port == port
        assert not is_alive(child)


def test_a_replaced_supervisor_restores_the_route() -> None:
    """A plan that finds the route unchanged has no Route in it; the door must lead there anyway."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        os.kill(r.supervisor, signal.SIGKILL)
        eventually(lambda: r.observe().services[0].status is ServiceStatus.STOPPED)
        r.apply(EnsureFrontDoor(CHAIN, FrontDoor(), CAUSE))
        assert r.call()[0] == 503
        r.apply(StartService(spec, CAUSE), AwaitReady(spec, CAUSE))
        assert r.call()[0] == 200


def test_a_supervisor_that_dies_under_a_push_is_an_engine_error() -> None:
    """It took along what was seen to run: a new one in its place would start the rest without that."""
    with rig() as r:
        r.serve(r.spec("one"))
        assert r.observe().services[0].status is ServiceStatus.RUNNING
        os.kill(r.supervisor, signal.SIGKILL)
        eventually(lambda: not supervisors_of(r.run.runtime))
        with pytest.raises(EngineError, match=r"No supervisor runs|ended before it answered"):
            r.apply(StartService(r.spec("two"), CAUSE))
        assert r.observe().services[0].status is ServiceStatus.STOPPED
        r.apply(StartService(r.spec("two"), CAUSE))


def test_nothing_of_a_killed_supervisors_services_is_left() -> None:
    """The next supervisor removes their sockets and their secrets, also of those that nobody wants again."""
    with rig(secrets={"key": b"sesame"}) as r:
        one, two = with_secrets(r.spec("one"), "key"), r.spec("two")
        r.serve(one)
        os.kill(r.supervisor, signal.SIGKILL)
        eventually(lambda: not supervisors_of(r.run.runtime))
        assert r.run.secrets_of(one.name).is_dir()
        r.observe()
        r.apply(StartService(two, CAUSE), AwaitReady(two, CAUSE))
        assert list(r.run.sockets.iterdir()) == [r.run.socket_of(two.name)]
        assert list(r.run.secrets.iterdir()) == [r.run.secrets_of(two.name)]


def test_what_a_killed_supervisor_left_can_be_taken_down() -> None:
    """StopService, RemoveFrontDoor and RemoveNetwork work when nobody supervises any more."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        os.kill(r.supervisor, signal.SIGKILL)
        r.stop(spec)
        r.apply(RemoveFrontDoor(CHAIN, CAUSE))
        assert r.observe() == ObservedState(CHAIN, has_network=True)
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert r.observe() == ObservedState(CHAIN)


def test_a_hanging_supervisor_is_an_engine_error_and_down_ends_it() -> None:
    """A supervisor that does not answer is told apart from one that is gone."""
    with rig(drain_sec=0.2, patience_sec=0.5) as r:
        spec = r.spec("one")
        r.apply(StartService(spec, CAUSE), AwaitReady(spec, CAUSE))
        pid = r.supervisor
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineError, match="did not answer") as caught:
            SupervisorClient(r.run).memory(within_sec=0.2)
        assert caught.value.hint
        r.apply(RemoveNetwork(CHAIN, CAUSE))
        assert not is_alive(pid)
        assert r.target.chains() == []


def test_two_callers_start_one_supervisor() -> None:
    """Of two supervisors that start at the same time one stays, and both callers get on."""
    with rig() as r:
        problems: list[BaseException] = []

        def ensure() -> None:
            try:
                r.apply(EnsureNetwork(CHAIN, CAUSE))
            except EngineError as error:
                problems.append(error)

        threads = [threading.Thread(target=ensure) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        pid = r.supervisor
        r.serve(r.spec("one"))
        assert r.supervisor == pid


def test_a_taken_port_is_named() -> None:
    """An explicit port that somebody else has is an error; without one the next free is taken."""
    with rig() as r, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        r.apply(EnsureNetwork(CHAIN, CAUSE))
        with pytest.raises(DeployError, match=f"{port} of the front door is taken"):
            r.apply(EnsureFrontDoor(CHAIN, FrontDoor(port=port), CAUSE))
        assert r.observe().front_door is None


def test_a_door_with_new_settings_takes_over_the_port() -> None:
    """The address stays while a key is asked from one moment to the next; unknown TLS changes nothing."""
    with rig(secrets={"KEY": b"k1", "PEM": b"nonsense"}) as r:
        r.serve(r.spec("one"))
        port = r.port
        door = FrontDoor(port=port, api_key=SecretRef("KEY", "f"))
        r.apply(EnsureFrontDoor(CHAIN, door, CAUSE))
        assert r.port == port
        assert r.call()[0] == 401
        with pytest.raises(DeployError, match="TLS secret"):
            r.apply(EnsureFrontDoor(CHAIN, replace(door, tls=SecretRef("PEM", "f")), CAUSE))
        assert r.call()[0] == 401
        assert not list(r.run.runtime.glob("tls-*"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_the_door_ends_tls(tmp_path: Path) -> None:
    """With a PEM the address is https, and the key is on no disk once the door is open."""
    pem = certificate(tmp_path)
    with rig(secrets={"PEM": pem.read_bytes()}) as r:
        spec = r.spec("one")
        r.serve(spec)
        r.apply(EnsureFrontDoor(CHAIN, FrontDoor(tls=SecretRef("PEM", "f")), CAUSE))
        door = r.observe().front_door
        assert door is not None
        assert door.url == f"https://127.0.0.1:{r.port}"
        context = ssl.create_default_context(cafile=str(pem))
        connection = http.client.HTTPSConnection("127.0.0.1", r.port, context=context, timeout=10)
        for size in (1, 3_000_000):
            connection.request("POST", "/", b"x" * size)
            response = connection.getresponse()
            assert json.loads(response.read())["name"] == spec.name
        connection.close()
        assert not list(r.run.runtime.glob("tls-*"))


def certificate(place: Path) -> Path:
    """Make a certificate for 127.0.0.1 and its key, in one PEM."""
    key, crt, pem = place / "key", place / "crt", place / "pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += " -subj /CN=t -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", str(key), "-out", str(crt)],
        check=True,
        capture_output=True,
    )
    pem.write_bytes(crt.read_bytes() + key.read_bytes())
    return pem


def test_a_supervisor_whose_runtime_directory_was_removed_ends() -> None:
    """A logout may clear it: nothing stays behind unreachable, and the next push starts anew."""
    with rig() as r:
        port = r.settle()
        spec = r.spec("one")
        r.serve(spec)
        pids = [r.call()[1]["pid"], r.supervisor]
        shutil.rmtree(r.run.runtime)
        eventually(lambda: not any(map(is_alive, pids)))
        assert r.observe().services[0].status is ServiceStatus.STOPPED
        r.serve(spec)
        assert (r.call()[0], r.port) == (200, port)


def test_a_supervisor_ended_by_sigterm_leaves_nothing() -> None:
    """As at a shutdown of the machine: services drain, then everything ends."""
    with rig() as r:
        r.serve(r.spec("one"))
        pids = [r.call()[1]["pid"], r.supervisor]
        os.kill(pids[1], signal.SIGTERM)
        eventually(lambda: not any(map(is_alive, pids)))
        assert "drained" in r.log_texts()
        assert r.observe().services[0].status is ServiceStatus.STOPPED


def test_an_unknown_service_is_not_routed() -> None:
    """Route and AwaitReady to what does not exist say so."""
    with rig() as r:
        r.apply(EnsureNetwork(CHAIN, CAUSE))
        with pytest.raises(DeployError, match="demo-none is not running"):
            r.apply(Route(CHAIN, "demo-none", CAUSE))
        with pytest.raises(DeployError, match="is not on this machine"):
            r.apply(StartService(replace(r.spec("one"), image="demo/shim:none"), CAUSE))


def test_logs_are_merged_filtered_and_followed() -> None:
    """Lines of all services come in time order, with tail, since and follow."""
    with rig() as r:
        one, two = r.spec("one"), r.spec("two")
        r.serve(one)
        r.apply(StartService(two, CAUSE), AwaitReady(two, CAUSE))
        r.call("/say", "from one")
        r.apply(Route(CHAIN, two.name, CAUSE))
        r.call("/say", "from two")
        assert_in_order(r, ["from one", "from two"])
        lines = list(r.target.logs(CHAIN))
        assert [line.time for line in lines] == sorted(line.time for line in lines)
        assert [line.text for line in r.target.logs(CHAIN, tail=1)] == ["from two"]
        only = list(r.target.logs(CHAIN, chainlets=["One"]))
        assert {line.service for line in only} == {one.name}
        since = next(line.time for line in lines if line.text == "from two")
        assert [line.text for line in r.target.logs(CHAIN, since=since)] == ["from two"]
        following = r.target.logs(CHAIN, tail=0, follow=True)
        heard: list[str] = []
        listener = threading.Thread(target=lambda: heard.append(next(following).text))
        listener.start()
        eventually(lambda: r.call("/say", "and more")[0] == 200 and heard != [])
        listener.join()
        assert heard == ["and more"]
        cast(Generator[LogLine, None, None], following).close()


def assert_in_order(r: Rig, texts: list[str]) -> None:
    eventually(lambda: [text for text in r.log_texts() if text in texts] == texts)


def test_the_log_of_a_stopped_service_is_kept() -> None:
    """After a flip one can still read what the old service wrote."""
    with rig() as r:
        spec = r.spec("one")
        r.serve(spec)
        r.stop(spec)
        assert "drained" in r.log_texts()

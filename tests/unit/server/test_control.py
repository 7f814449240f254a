"""The control socket of a service: who gets in, its verbs, and what it says of what it cannot do."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.server.control import ControlSocket
from chainctl.server.service import ChainletService
from tests.conftest import await_condition
from tests.unit.worker.edited import HEAD, Edited, edited
from tests.unit.worker.fabric import run

CHAIN = (
    HEAD
    + """
class C(chains.ChainletBase):
    def __init__(self) -> None:
        self.calls = 0

    async def run_remote(self, fail: bool = False) -> str:
        self.calls += 1
        if fail:
            raise ValueError
        return f"V0 {self.calls}"
"""
)
ENDLESS = CHAIN.replace("self.calls = 0", "while True:\n            pass")


class Client:
    """One connection to a control socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self._lines = self.socket.makefile("rb")

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        return self.send(json.dumps({"verb": verb, **more}).encode() + b"\n")

    def send(self, line: bytes) -> dict[str, Any]:
        self.begin(line)
        answer: dict[str, Any] = json.loads(self._lines.readline())
        return answer

    def begin(self, line: bytes) -> None:
        self.socket.sendall(line)

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


class Controlled:
    """A service with its control socket."""

    def __init__(self, c: Edited, path: Path) -> None:
        self.edited = c
        self.service = ChainletService("C")
        self.path = path
        self.control = ControlSocket(path, self.service)
        self.clients: list[Client] = []

    def client(self) -> Client:
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def call(self, body: bytes = b"{}") -> Any:
        async def work() -> Any:
            reply = await self.service.answer("/run_remote", {b"content-type": b"application/json"}, body)
            return json.loads(b"".join(reply.parts or ()))

        CURRENT_CALL.set(None)
        return run(work())

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.control.close()
        made = self.control._generations
        if made is not None:
            made.close()


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controlled]:
    """A chainlet that has started."""
    directory = tmp_path_factory.mktemp("c")
    with edited(directory, {"chain": CHAIN}) as c:
        controlled = Controlled(c, directory / "ctl")
        controlled.service.worker = c.worker
        try:
            yield controlled
        finally:
            controlled.close()


def test_only_its_user_may_open_it(served: Controlled) -> None:
    """The socket has the mode 0600, and is gone when the service ends."""
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(served.path.stat().st_mode)
    served.control.close()
    assert not served.path.exists()


def test_an_edit_in_two_phases(served: Controlled) -> None:
    """Status, prepare, commit and retire, several in turn on one connection."""
    client = served.client()
    idle: dict[str, Any] = {
        "ok": True,
        "ready": True,
        "generation": 0,
        "prepared": None,
        "in_flight": {},
        "edited": {},
    }
    counts = {"pid": os.getpid(), "calls": 0, "errors": 0}
    assert client.ask("status") == {**idle, **counts}
    assert served.call() == "V0 1"
    text = CHAIN.replace("V0", "V1")
    answer = client.ask("prepare", generation=3, action="swap", files={"chain.py": text})
    assert {**answer, "seconds": 0} == {"ok": True, "action": "swap", "seconds": 0}
    assert (served.call(), client.ask("status")["prepared"]) == ("V0 2", 3)
    assert client.ask("commit", generation=3) == {"ok": True}
    assert served.call() == "V1 3"
    assert client.ask("retire", before=3) == {"ok": True, "in_flight": {}}
    status = client.ask("status")
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert (status["generation"], status["edited"], status["calls"]) == (3, {"chain.py": digest}, 3)


def test_an_edit_can_be_aborted(served: Controlled) -> None:
    """It is as if it had not been; another one may have the same number."""
    client = served.client()
    assert client.ask(
        "prepare", generation=1, action="reinit", files={"chain.py": CHAIN.replace("V0", "V1")}
    )["ok"]
    assert client.ask("abort", generation=1) == {"ok": True}
    assert client.ask("status")["prepared"] is None
    assert served.call() == "V0 1"
    assert client.ask(
        "prepare", generation=1, action="reimport", files={"chain.py": CHAIN.replace("V0", "V2")}
    )["ok"]
    client.ask("commit", generation=1)
    assert served.call() == "V2 2"


def test_refusals_say_what_would_do(served: Controlled) -> None:
    """The answer has the next action, or None and the place where it is the user's error."""
    client = served.client()
    answer = client.ask("prepare", generation=1, action="swap", files={"chain.py": CHAIN + "X = 1\n"})
    assert (answer["ok"], answer["next"]) == (False, "reimport")
    answer = client.ask("prepare", generation=1, action="reimport", files={"chain.py": CHAIN + "1 / 0\n"})
    line = len(CHAIN.splitlines()) + 1
    assert answer == {
        "ok": False,
        "next": None,
        "error": {
            "message": "ZeroDivisionError: division by zero",
            "path": "chain.py",
            "line": line,
            "traceback": [f'  File "chain.py", line {line}, in <module>', "    1 / 0"],
        },
    }
    assert client.ask("prepare", generation=0, action="swap", files={})["error"]["message"] == (
        "generation 0 is not newer than 0, which is served"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b"[]\n",
        b'{"verb": "explode"}\n',
        b'{"verb": ["status"]}\n',
        b'{"verb": "commit"}\n',
        b'{"verb": "commit", "generation": true}\n',
        b'{"verb": "prepare", "generation": 1, "action": "magic"}\n',
        b'{"verb": "prepare", "generation": 1, "action": "swap", "files": []}\n',
        b'{"verb": "prepare", "generation": 1, "action": "swap", "files": {"a.py": 1}}\n',
        b'{"verb": "prepare", "generation": 1, "action": "swap", "removed": "a.py"}\n',
        b'{"verb": "prepare", "generation": 1, "action": "swap", "seconds": -1}\n',
        b'{"verb": "serve", "first": -1}\n',
        b'{"verb": "serve", "first": 0, "last": "9"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_what_cannot_be_read_is_answered(served: Controlled, line: bytes) -> None:
    """The connection goes on."""
    client = served.client()
    answer = client.send(line)
    assert answer["ok"] is False
    assert answer["next"] is None
    assert answer["error"]["message"].startswith("the request cannot be read: ")
    assert client.ask("status")["ok"]


def test_calls_of_other_generations_are_refused_before_they_begin(served: Controlled) -> None:
    """Those of the chain only, and only while it is said which are served; `/openz` tells, too."""
    client = served.client()

    def asked(generation: str, **more: str) -> Any:
        given = {"x-request-id": "r", "content-type": "application/json", **more}
        headers = {name.encode(): text.encode() for name, text in given.items()}
        if generation:
            headers[b"x-chainctl-generation"] = generation.encode()
        reply = run(served.service.answer("/-/run_remote", headers, b"{}"))
        return (
            reply.status,
            reply.headers.get("x-chainctl-serves"),
            reply.headers.get("x-chainctl-not-started"),
        )

    assert client.ask("serve", first=2, last=4) == {"ok": True}
    refused, taken = (503, "2-4", "1"), (200, None, None)
    assert [asked(number) for number in ("", "1", "2", "4", "5")] == [refused, refused, taken, taken, refused]
    assert asked("1", **{"x-chainctl-any-generation": "1"}) == taken
    assert served.call() == "V0 4", "what comes from outside has no generation yet"
    assert run(served.service.answer("/openz", {})).headers["x-chainctl-serves"] == "2-4"
    client.ask("serve", first=0, last=None)
    assert [asked(number) for number in ("", "5")] == [taken, taken]
    assert "x-chainctl-serves" not in run(served.service.answer("/openz", {})).headers


def test_the_last_call_is_kept_while_somebody_may_ask(served: Controlled) -> None:
    """Before and after a connection, nothing of a call stays."""
    served.call(b'{"fail": true}')
    client = served.client()
    assert client.ask("last_call") == {"ok": True, "call": None}
    served.call(b'{"fail": false}')
    body = base64.b64encode(b'{"fail": false}').decode()
    assert client.ask("last_call") == {"ok": True, "call": {"media": "application/json", "body": body}}
    assert client.ask("status")["errors"] == 1
    client.close()
    await_condition(lambda: not served.service.keeps_last_call, seconds=20)
    assert served.service.last_call is None


def test_a_service_that_starts_has_no_code_to_edit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its status says so, everything else is refused."""
    path = tmp_path_factory.mktemp("c") / "ctl"
    control = ControlSocket(path, ChainletService("C"))
    client = Client(path)
    assert client.ask("status")["ready"] is False
    assert client.ask("prepare", generation=1, action="swap", files={})["error"]["message"] == "C is starting"
    client.close()
    control.close()


def test_who_hangs_up_gives_the_edit_up(served: Controlled) -> None:
    """An `__init__` that does not end is ended when nobody waits for it any more."""
    client, other = served.client(), served.client()
    request = {"verb": "prepare", "generation": 1, "action": "reinit", "files": {"chain.py": ENDLESS}}
    client.begin(json.dumps(request).encode() + b"\n")
    await_condition(lambda: under_way(served), seconds=20)
    client.close()
    await_condition(lambda: not under_way(served), seconds=20)
    assert other.ask("prepare", generation=1, action="swap", files={"chain.py": CHAIN.replace("V0", "V1")})[
        "ok"
    ]
    other.ask("commit", generation=1)
    assert served.call() == "V1 1"


def test_an_edit_that_does_not_end_is_given_up_in_time(served: Controlled) -> None:
    """The limit comes with the request; another connection may abort it, too."""
    client, other = served.client(), served.client()
    request = {"generation": 1, "action": "reinit", "files": {"chain.py": ENDLESS}}
    answer = client.ask("prepare", seconds=0.1, **request)
    assert (answer["ok"], answer["next"]) == (False, None)
    assert "did not end within 0.1 s" in answer["error"]["message"]
    await_condition(lambda: not under_way(served), seconds=20)
    client.begin(json.dumps({"verb": "prepare", **request}).encode() + b"\n")
    await_condition(lambda: under_way(served), seconds=20)
    assert other.ask("abort", generation=1) == {"ok": True}
    await_condition(lambda: not under_way(served), seconds=20)
    assert "chain" in sys.modules
    assert served.call() == "V0 1"


def under_way(served: Controlled) -> bool:
    generations = served.control._generations
    work = generations._under_way if generations is not None else None
    return work is not None and work.is_at_work

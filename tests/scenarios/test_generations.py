"""A pushed chain whose running services take on edits through their control sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.pushed_chain import Push, PushedChain, pushing

CHAIN = """
import asyncio
import os

import chainctl as chains


class Echo(chains.ChainletBase):
    def __init__(self) -> None:
        print("echo loads its weights")
        self.loads = 1

    async def run_remote(self, text: str) -> list[str]:
        await asyncio.sleep(0)
        return [text, "V0", str(self.loads)]


@chains.mark_entrypoint("generations")
class Asks(chains.ChainletBase):
    def __init__(self, echo: Echo = chains.depends(Echo)) -> None:
        print("asks loads its weights")
        self.echo = echo

    async def run_remote(self, text: str) -> list[str]:
        said = await self.echo.run_remote(text)
        again = await self.echo.run_remote(text)
        return ["V0", *said, *again]
"""


@pytest.fixture
def push(tmp_path: Path) -> Iterator[Push]:
    """Pushes to this machine."""
    with pushing(tmp_path, "local") as push:
        yield push


def control_sockets(chain: PushedChain) -> dict[str, Path]:
    """Where the chainlets' control sockets are: their environments say so."""
    found: dict[str, Path] = {}
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            lines = environ.read_bytes().split(b"\0")
        except OSError:  # it ended, or is somebody else's
            continue
        variables = dict(line.decode(errors="replace").split("=", 1) for line in lines if b"=" in line)
        if variables.get("CHAINCTL_CHAIN") == chain.name and "CHAINCTL_CONTROL" in variables:
            found[variables["CHAINCTL_CHAINLET"]] = Path(variables["CHAINCTL_CONTROL"])
    return found


def ask(path: Path, **request: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return answer


def test_edits_of_a_running_chain(push: Push) -> None:
    """New code on live objects of both chainlets, under load, and `__init__` does not run again."""
    chain = push(CHAIN, "generations")
    sockets = control_sockets(chain)
    assert sockets.keys() == {"Echo", "Asks"}
    assert {oct(path.stat().st_mode & 0o777) for path in sockets.values()} == {"0o600"}
    assert {oct(path.parent.stat().st_mode & 0o777) for path in sockets.values()} == {"0o700"}
    answers: list[list[str]] = []
    is_over = threading.Event()

    def calling() -> None:
        while not is_over.is_set():
            with chain.asked({"text": "a"}) as answer:
                answers.append(json.loads(answer.read()))

    callers = [threading.Thread(target=calling) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(1, 11):
            edit(chain, sockets, number)
    finally:
        is_over.set()
        for caller in callers:
            caller.join()
    for first, text, echo, loads, *again in answers:
        assert (text, echo, loads) == ("a", first, "1")
        assert again == ["a", first, "1"]
    with chain.asked({"text": "a"}) as answer:
        assert json.loads(answer.read())[0] == "V10"
    assert len({answer[0] for answer in answers}) > 2
    assert chain.messages().count("echo loads its weights") == 1
    assert chain.messages().count("asks loads its weights") == 1


def edit(chain: PushedChain, sockets: dict[str, Path], number: int) -> None:
    """Prepare everywhere, commit the entrypoint last, retire when it has no old call; every third is broken first."""
    files = {chain.file.name: CHAIN.replace("V0", f"V{number}")}
    action = ("swap", "reimport")[number % 2]
    if number % 3 == 0:
        broken = {chain.file.name: files[chain.file.name] + "\n1 / 0\n"}
        refused = ask(sockets["Echo"], verb="prepare", generation=number, action="reimport", files=broken)
        assert (refused["ok"], refused["next"], refused["error"]["path"]) == (False, None, chain.file.name)
    for name in ("Echo", "Asks"):
        taken = ask(sockets[name], verb="prepare", generation=number, action=action, files=files)
        assert taken["ok"], taken
    for name in ("Echo", "Asks"):
        assert ask(sockets[name], verb="commit", generation=number) == {"ok": True}
    while any(int(old) < number for old in ask(sockets["Asks"], verb="status")["in_flight"]):
        pass
    for name in ("Asks", "Echo"):
        assert ask(sockets[name], verb="retire", before=number)["ok"]

"""A chain one of whose chainlets is intercepted, and its callers, who count what they are answered."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import await_condition
from tests.scenarios.pushed_chain import JSON, PushedChain, pushing

CHAIN = """
import os
import time
from collections.abc import Iterator

import chainctl as chains

SLOW = 1000
MANY = 1_000_000
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


class Count(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=SMALL)

    def run_remote(self, number: int) -> Iterator[str]:
        for n in range(number):
            if n == 3:
                print("counting")
                time.sleep(1)
            yield PLACE + " " + str(n)


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

    def __init__(
        self,
        middle: Middle = chains.depends(Middle),
        weigh: Weigh = chains.depends(Weigh),
        count: Count = chains.depends(Count),
    ) -> None:
        self._middle, self._weigh, self._count = middle, weigh, count

    def run_remote(self, number: int) -> list[str]:
        if number < 0:
            return self._weigh.run_remote(bytes(-number)).rstrip(bytes(1)).decode().split()
        if number >= MANY:
            return list(self._count.run_remote(number - MANY))
        return [PLACE, str(os.getpid()), *self._middle.run_remote(number)]
"""
MIDDLE, ENTRY = "Middle", "Entry"
PLACE_OF = {ENTRY: 0, MIDDLE: 2}
_CALLERS = 3
MOST_REQUESTS = 20_000
"""So many a test makes at most: what has not come about by then does not."""


@contextmanager
def pushed(directory: Path, target: str) -> Iterator[PushedChain]:
    """A chain that serves until the end of the block."""
    (directory / "data").mkdir()
    (directory / "data" / "text.txt").write_text("data")
    with pushing(directory, target) as push:
        secrets = directory / "secrets.env"
        secrets.write_text("t_intercept=hunter2\n")
        yield push(CHAIN, f"t-intercept-{target}", "--secrets", str(secrets))


@dataclass
class Load:
    """What callers saw: failures, and the answers."""

    failures: list[str] = field(default_factory=list)
    answers: list[list[str]] = field(default_factory=list)
    left: int = MOST_REQUESTS

    def places(self, chainlet: str) -> list[str]:
        return [answer[PLACE_OF[chainlet]] for answer in list(self.answers)]

    def await_place(self, chainlet: str, place: str) -> list[str]:
        """Wait until the next answers all come from a place; returns the last one."""
        begun = len(self.answers)
        await_condition(lambda: self._has_settled(chainlet, place, begun), seconds=60)
        return self.answers[-1]

    def _has_settled(self, chainlet: str, place: str, begun: int) -> bool:
        assert self.left > 0, f"no {MOST_REQUESTS} requests were answered by {chainlet} {place}"
        return set(self.places(chainlet)[begun:][-10:]) == {place}


@contextmanager
def loaded(chain: PushedChain) -> Iterator[Load]:
    """Call a chain all the time, from connections that stay open and from fresh ones; so often at most."""
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
    while load.left > 0 and not is_over.wait(0.01):
        load.left -= 1
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

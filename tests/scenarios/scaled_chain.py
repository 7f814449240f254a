"""A pushed chain in; `chainctl autoscale` at work on it, and callers whose every answer counts, out."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import Chainctl, await_condition
from tests.scenarios.pushed_chain import PushedChain

DEPTH_TWO = """
import asyncio
import chainctl as chains

COMPUTE = chains.Compute(
    memory="256Mi", min_replicas=0, max_replicas=2, target_concurrency=2, scale_down_delay={delay},
    predict_concurrency=4,
)


class Low(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=COMPUTE)

    async def run_remote(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"


@chains.mark_entrypoint
class High(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=COMPUTE)

    def __init__(self, low: Low = chains.depends(Low, timeout_sec=90)) -> None:
        self._low = low

    async def run_remote(self, seconds: float) -> str:
        return await self._low.run_remote(seconds)
"""


@dataclass
class Scaling:
    """A command that scales a chain, and the changes that it told."""

    process: subprocess.Popen[str]
    changes: list[dict[str, Any]] = field(default_factory=list)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def end(self) -> int:
        """Tell it to end, and return how it did."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def scaling(chain: PushedChain) -> Iterator[Scaling]:
    """Run `chainctl autoscale` for a chain."""
    process = subprocess.Popen(
        [*Chainctl.COMMAND, "autoscale", chain.name, "--target", chain.target, "--interval", "0.5", "--json"],
        env=dict(chain.chainctl.environ), cwd=chain.chainctl.directory, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    here = Scaling(process)
    reader = threading.Thread(target=_read, args=[here], daemon=True)
    reader.start()
    try:
        yield here
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        reader.join(30)
        assert process.stdout is not None
        process.stdout.close()


def _read(here: Scaling) -> None:
    assert here.process.stdout is not None
    for line in here.process.stdout:
        here.changes.append(json.loads(line))


def listed(chain: PushedChain) -> dict[str, Any]:
    """What `chainctl ps` says of a chain."""
    shown = chain.chainctl("ps", chain.name, "--target", chain.target, "--json").stdout
    return dict(json.loads(shown)["chains"][0])


def replicas(chain: PushedChain) -> dict[str, int]:
    """How many replicas run of each chainlet."""
    names = [s["chainlet"] for s in listed(chain)["services"] if s["status"] == "running"]
    return {name: names.count(name) for name in sorted(set(names))}


def await_replicas(chain: PushedChain, wanted: dict[str, int], seconds: float = 90) -> None:
    await_condition(lambda: replicas(chain) == wanted, seconds=seconds)


@dataclass
class Calls:
    """Statuses of calls that were made, in no order."""

    statuses: list[int] = field(default_factory=list)

    def make(self, chain: PushedChain, seconds: float, count: int = 1) -> None:
        """Make calls one after another."""
        for _ in range(count):
            with chain.asked({"seconds": seconds}) as answer:
                answer.read()
                self.statuses.append(answer.status)

    @contextmanager
    def of(self, chain: PushedChain, callers: int, seconds: float) -> Iterator[None]:
        """Have callers call without a pause."""
        over = threading.Event()

        def call() -> None:
            while not over.is_set():
                self.make(chain, seconds)

        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(120)

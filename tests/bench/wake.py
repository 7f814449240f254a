"""`python -m tests.bench.wake [--rounds N]`: a chain of four that sleeps, its first request, against single starts.

In each round every chainlet is woken alone, the others running, and then all four at once, by one request each
time: from the request to its answer. Exits with 1 when the bound is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chainctl.cli.settings import Settings
from chainctl.cli.worlds import docker_world
from chainctl.deploy.execute import execute
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.scaling_plan import scaling_plan
from chainctl.events import Event
from tests.bench.host import load_average
from tests.conftest import ROOT, Chainctl, fresh_environ

BOUND = 1.4
LOAD_SEC = 8.0
NAMES = ("First", "Second", "Third", "Fourth")
_ANSWER_SEC = 240.0
_NOTICED_SEC = 6.0
_CHAINLET = """

{mark}class {name}(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=COMPUTE)

    def __init__(self{argument}) -> None:
        time.sleep({load})
{keep}
    def run_remote(self, text: str) -> str:
        return {result}
"""


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from a request to its answer: with one chainlet asleep, of each, and with all of them."""

    single_sec: tuple[float, ...]
    cold_sec: float
    load: float

    @property
    def ratio(self) -> float:
        return self.cold_sec / max(self.single_sec)


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds of a run."""

    rounds: tuple[Round, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(one.ratio for one in self.rounds)

    @property
    def passes(self) -> bool:
        return self.ratio <= BOUND


def chain_text(load_sec: float = LOAD_SEC) -> str:
    """Four chainlets, each of which calls the next, may sleep, and loads for so long when it starts."""
    text = (
        "import time\n\nimport chainctl as chains\n\nCOMPUTE = chains.Compute(\n"
        '    memory="256Mi", min_replicas=0, max_replicas=2, target_concurrency=8, scale_down_delay=3600\n)\n'
    )
    for place in reversed(range(len(NAMES))):
        callee = NAMES[place + 1] if place + 1 < len(NAMES) else ""
        text += _CHAINLET.format(
            mark="" if place else "@chains.mark_entrypoint\n",
            name=NAMES[place],
            argument=f", callee: {callee} = chains.depends({callee}, timeout_sec=200)" if callee else "",
            load=load_sec,
            keep="        self._callee = callee\n" if callee else "",
            result='self._callee.run_remote(text + ".")' if callee else "text",
        )
    return text


def measure(rounds: int) -> Measured:
    """Push the chain to the Docker Engine, and wake it so many times."""
    with tempfile.TemporaryDirectory(prefix="wake-") as place, _pushed(Path(place)) as chain:
        chain.call()
        return Measured(tuple(_round(chain) for _ in range(rounds)))


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain that is scaled by a command, and put to sleep by us."""

    name: str
    url: str
    state: Path

    def call(self) -> float:
        """Call it, and return how long that took."""
        body = json.dumps({"text": "x"}).encode()
        request = urllib.request.Request(f"{self.url}/run_remote", body, {"content-type": "application/json"})
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=_ANSWER_SEC) as answer:
            said = json.loads(answer.read())
        assert said == "x...", said
        return time.monotonic() - begun

    def asleep(self, *chainlets: str) -> None:
        """Put chainlets to sleep, as the scaler would after a while: the same operations under the same lock."""
        world = docker_world(Settings(state_dir=self.state))
        record = world.ledger.latest(self.name)
        assert record is not None
        with world.ledger.lock(self.name):
            seen = world.target.observe(self.name)
            for service in _callers_first(record.release.services):
                if service.chainlet in chainlets:
                    is_entry = service.name == record.release.entrypoint
                    plan = scaling_plan(service, 0, seen, "measured", is_entrypoint=is_entry)
                    execute(plan, world.target, _unsaid, time.monotonic)


def _round(chain: _Chain) -> Round:
    single = []
    for name in NAMES:
        chain.asleep(name)
        _pause()
        single.append(chain.call())
    load = load_average()
    chain.asleep(*NAMES)
    _pause()
    return Round(tuple(single), chain.call(), load)


def _pause() -> None:
    """Let the scaler see that somebody else put something to sleep: it notices what does not answer."""
    threading.Event().wait(_NOTICED_SEC)


def _callers_first(services: Sequence[ServiceSpec]) -> list[ServiceSpec]:
    return list(reversed(services))


def _unsaid(_event: Event) -> None:
    """Only the times matter."""


@contextmanager
def _pushed(place: Path) -> Iterator[_Chain]:
    environ = fresh_environ(place)
    chainctl, name = Chainctl(environ, ROOT), f"wake-{os.getpid()}"
    file = place / "wake.py"
    file.write_text(chain_text(), encoding="utf-8")
    url = chainctl("push", str(file), "--name", name, "--target", "docker", timeout=900).stdout.strip()
    command = [*Chainctl.COMMAND, "autoscale", name, "--target", "docker"]
    scaler = subprocess.Popen(command, env=dict(environ), stdout=sys.stderr, stderr=sys.stderr)
    try:
        yield _Chain(name, url, Path(environ["XDG_STATE_HOME"]) / "chainctl")
    finally:
        scaler.send_signal(signal.SIGTERM)
        scaler.wait(60)
        chainctl("down", name, "--target", "docker")


def rows(measured: Measured) -> list[str]:
    """Return the rows of a table: what, bound, measured, met or not."""
    cold = statistics.median(one.cold_sec for one in measured.rounds)
    slowest = statistics.median(max(one.single_sec) for one in measured.rounds)
    met = "met" if measured.passes else "**not met**"
    return [
        f"| four that sleep, each loads {LOAD_SEC:g} s: request to answer | – | {cold:.1f} s | – |",
        f"| the slowest of the four woken alone | – | {slowest:.1f} s | – |",
        f"| the first by the second, median of {len(measured.rounds)} | ≤ {BOUND} | {measured.ratio:.2f} | {met} |",
    ]


def prose(measured: Measured) -> str:
    """Say how it was measured, and on how busy a machine."""
    loads = ", ".join(f"{one.load:.1f}" for one in measured.rounds)
    ratios = ", ".join(f"{one.ratio:.2f}" for one in measured.rounds)
    return (
        "Four chainlets on one Docker Engine, each calls the next and loads for a fixed time when it starts. "
        "A round wakes each alone, while the others run, and then all four, by one request through the front door "
        f"each time. Ratios of the rounds: {ratios}; load of the machine before each: {loads}."
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    measured = measure(parser.parse_args(arguments).rounds)
    sys.stdout.write("\n".join([*rows(measured), "", prose(measured), ""]))
    return 0 if measured.passes else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

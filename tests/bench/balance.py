"""`python -m tests.bench.balance [--quick]`: calls over unequal replicas, and past dead ones, measured against bounds.

Replicas are real processes on loopback addresses of their own. Exits with 1 when a bound is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainctl.calls.address import Address
from chainctl.calls.fleet import Fleet
from chainctl.calls.http_client import request_head
from chainctl.calls.replica_watch import LOOK_SEC
from tests.bench.balance_ideal import Arrival, arrivals, ideal_sec, p99
from tests.bench.peers.peer import ROOT
from tests.bench.stage import Stage

PACES = tuple(0.02 * (1 + 3 * n / 7) for n in range(8))
"""Seconds that each of eight replicas takes in the mean: the slowest four times as long as the fastest."""
LOAD, RATIO_BOUND, OUT_BOUND_SEC = 0.7, 1.5, 1.0
_DEAD_LOAD = 0.4
_CALL_SEC = 2.5
_SLOW_SEC = 0.95
_WARM_SEC = 2.0
_AFTER_SEC = 4.0
_PORT = 8471
_LONGEST_LOOK_SEC = LOOK_SEC * 1.1


@dataclass(frozen=True, slots=True)
class Made:
    """One call as it went: when it was made, how long it took, and the error, "" where it has an answer.

    `slip_sec` is how much longer than its work the replica took.
    """

    at_sec: float
    took_sec: float
    error: str = ""
    slip_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its bound, and what there is to say about it."""

    what: str
    bound: str
    measured: str
    is_met: bool | None
    remark: str = ""


class Replicas:
    """Eight processes on 127.0.0.11 to 127.0.0.18."""

    def __init__(self, stage: Stage) -> None:
        self.hosts = [f"127.0.0.{11 + n}" for n in range(len(PACES))]
        self.pids = [
            stage.start(
                host,
                [sys.executable, "-m", "tests.bench.unequal_replica", host, str(_PORT), str(pace)],
                env=os.environ,
                cwd=ROOT,
                is_ready=lambda host=host: _listens(host),  # type: ignore[misc]  # mypy knows no such lambda
            ).process.pid
            for host, pace in zip(self.hosts, PACES, strict=True)
        ]

    @property
    def addresses(self) -> list[Address]:
        return [Address(host, _PORT) for host in self.hosts]


def _listens(host: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, _PORT), 1):
        return True
    return False


@contextlib.asynccontextmanager
async def used_fleet(addresses: Sequence[Address]) -> AsyncIterator[Fleet]:
    """Return a fleet that asks its replicas as often as one in a service does."""
    fleet, loop = Fleet(lambda: None), asyncio.get_running_loop()

    async def look() -> None:
        while True:
            fleet.set(addresses, are_proven=False)
            fleet.probe(loop)
            await asyncio.sleep(_LONGEST_LOOK_SEC)

    looking = asyncio.ensure_future(look())
    try:
        yield fleet
    finally:
        looking.cancel()
        fleet.close()


async def calls_of(fleets: Sequence[Fleet], calls: Sequence[Arrival], *, again: bool = False) -> list[Made]:
    """Make calls when they come, each by the next of these callers; `again` repeats once what broke off."""
    head = request_head(Address("replicas", _PORT), "POST", "/-/run_remote", {})
    loop, began = asyncio.get_running_loop(), time.perf_counter()

    async def one(fleet: Fleet, call: Arrival) -> Made:
        made = time.perf_counter()
        error, slip = "", 0.0
        for left in (again, False):
            try:
                answer = await fleet.request(head, (b"%f" % call.work,), loop.time() + _CALL_SEC)
                error, slip = "", float(bytes(answer.body))
            except (ConnectionError, TimeoutError) as failure:
                error = type(failure).__name__
                if left and isinstance(failure, ConnectionError):
                    continue
            break
        return Made(made - began, time.perf_counter() - made, error, slip)

    running = []
    for number, call in enumerate(calls):
        await asyncio.sleep(max(0.0, began + call.at_sec - time.perf_counter()))
        running.append(asyncio.ensure_future(one(fleets[number % len(fleets)], call)))
    return await asyncio.gather(*running)


async def balanced(replicas: Replicas, callers: int, seconds: float) -> Row:
    """Compare the slowest of a hundred calls with what a balancer that knows all would reach."""
    calls = arrivals(callers, PACES, LOAD, _WARM_SEC + seconds)
    async with contextlib.AsyncExitStack() as stack:
        fleets = [await stack.enter_async_context(used_fleet(replicas.addresses)) for _ in range(callers)]
        made = await calls_of(fleets, calls)
    warm = [call.at_sec >= _WARM_SEC for call in calls]
    ours = p99([one.took_sec for one, is_warm in zip(made, warm, strict=True) if is_warm])
    came = [
        Arrival(one.at_sec, call.work, one.slip_sec) for one, call in zip(made, calls, strict=True)
    ]  # the same arrivals and times of service
    best = p99([sec for sec, is_warm in zip(ideal_sec(came, PACES), warm, strict=True) if is_warm])
    slips = [one.slip_sec * 1000 for one in made]
    failed = sum(bool(one.error) for one in made)
    who = "1 caller" if callers == 1 else f"{callers} callers"
    return Row(
        f"8 replicas of 20 to 80 ms, {LOAD:.0%} of capacity, {who}: p99 against the ideal",
        f"≤ {RATIO_BOUND}",
        f"{ours / best:.2f}",
        ours <= RATIO_BOUND * best and not failed,
        f"{ours * 1000:.0f} ms against {best * 1000:.0f} ms; {len(made)} calls, {failed} failed;"
        f" the machine made a call {statistics.mean(slips):.1f} ms longer in the mean, {max(slips):.0f} ms at most",
    )


async def past_dead(replicas: Replicas, which: int, name: str, kill: Callable[[], None]) -> Row:
    """Say when the last call was made that a dead replica spoiled, and how many failed though they were repeated."""
    calls = arrivals(7, PACES, _DEAD_LOAD, _WARM_SEC + _AFTER_SEC)
    async with used_fleet(replicas.addresses) as fleet:
        making = asyncio.ensure_future(calls_of([fleet], calls, again=True))
        await asyncio.sleep(_WARM_SEC)
        killed = _WARM_SEC
        kill()
        made = await making
    spoiled = [one for one in made if one.error or one.took_sec > _SLOW_SEC]
    out = max((one.at_sec - killed for one in spoiled), default=0.0)
    failed = sum(bool(one.error) for one in made)
    return Row(
        f"replica {which + 1} {name}: the last call that it spoils",
        f"≤ {OUT_BOUND_SEC:g} s",
        f"{max(0.0, out):.2f} s",
        out <= OUT_BOUND_SEC,
        f"of {len(made)} calls {len(spoiled)} were late or failed, {failed} failed",
    )


@contextlib.contextmanager
def unreachable(host: str) -> Iterator[Callable[[], None]]:
    """Give what makes an address silent, as a machine that is gone: nothing is refused, nothing is answered."""
    rule = ["-d", host, "-j", "DROP"]
    is_set = False

    def drop() -> None:
        nonlocal is_set
        subprocess.run(["iptables", "-I", "INPUT", *rule], check=True, timeout=10)
        is_set = True

    try:
        yield drop
    finally:
        if is_set:
            subprocess.run(["iptables", "-D", "INPUT", *rule], check=True, timeout=10)


async def rows(replicas: Replicas, *, seconds: float) -> list[Row]:
    """Measure everything; the dead ones last, as they stay dead."""
    found = [await balanced(replicas, callers, seconds) for callers in (1, 4)]
    if shutil.which("iptables") and os.geteuid() == 0:
        with unreachable(replicas.hosts[2]) as drop:
            found.append(await past_dead(replicas, 2, "on a machine that is gone", drop))
    found.append(
        await past_dead(replicas, 1, "hangs (SIGSTOP)", lambda: os.kill(replicas.pids[1], signal.SIGSTOP))
    )
    os.kill(replicas.pids[1], signal.SIGCONT)
    found.append(
        await past_dead(replicas, 0, "is killed (SIGKILL)", lambda: os.kill(replicas.pids[0], signal.SIGKILL))
    )
    return found


def measured_rows(*, seconds: float = 30.0) -> list[Row]:
    """Start the replicas, measure, end them."""
    with tempfile.TemporaryDirectory(prefix="bench-balance-") as directory:
        stage = Stage(Path(directory))
        try:
            return asyncio.run(rows(Replicas(stage), seconds=seconds))
        finally:
            stage.end()


def table(found: Sequence[Row]) -> str:
    """Write the rows as a table."""
    lines = ["| what | bound | measured | met | |", "|---|---|---|---|---|"]
    verdict = {True: "yes", False: "**no**", None: "–"}
    lines += [f"| {r.what} | {r.bound} | {r.measured} | {verdict[r.is_met]} | {r.remark} |" for r in found]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.balance", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="for ten seconds each instead of thirty")
    given = parser.parse_args(arguments)
    found = measured_rows(seconds=10.0 if given.quick else 30.0)
    print(table(found))
    sys.exit(1 if any(row.is_met is False for row in found) else 0)


if __name__ == "__main__":
    main(sys.argv[1:])

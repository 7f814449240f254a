"""`python -m tests.bench.load`: jobs in, one a line; what was measured out, one line each.

This is the client of all peers, in a process of its own. Each job opens connections and warms them up.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import statistics
import sys
import time
from contextlib import suppress

import uvloop

from tests.bench.bodies import Body, body_of
from tests.bench.floor.client import Address, PooledClient, post_head
from tests.bench.jobs import Job, Outcome

_JOB_SEC = 60.0
_WARM_SEC = 1.0
_SETTLING = 3


class WrongAnswerError(Exception):
    """A service did not do what it was asked."""


class Load:
    """Makes the calls of jobs."""

    async def run(self, job: Job) -> Outcome:
        """Warm up, check an answer, measure."""
        target = job.target
        body = _body(target.form, job.size)
        head = post_head(target.path, body.length, target.content_type, target.accept)
        client = PooledClient(Address.of(target.address))
        try:
            async with asyncio.timeout(_JOB_SEC + job.seconds):
                await _settled(client, head, body)
                await self._calls(client, head, body, job.clients, time.perf_counter() + _WARM_SEC, job.warm)
                gc.collect()
                return await self._measured(client, head, body, job)
        except (OSError, WrongAnswerError) as error:
            return Outcome(0, 0, 0, 0, f"{type(error).__name__}: {error}")
        finally:
            client.close()

    async def _measured(self, client: PooledClient, head: bytes, body: Body, job: Job) -> Outcome:
        started = time.perf_counter()
        times = await self._calls(client, head, body, job.clients, started + job.seconds, job.most)
        elapsed = time.perf_counter() - started
        times.sort()
        return Outcome(
            statistics.median(times), times[int(len(times) * 0.99)], len(times) / elapsed, len(times)
        )

    async def _calls(
        self, client: PooledClient, head: bytes, body: Body, clients: int, until: float, most: int
    ) -> list[float]:
        times: list[float] = []
        now = time.perf_counter

        async def calls() -> None:
            while len(times) < most:
                started = now()
                answer = await client.post(head, body.parts)
                ended = now()
                if answer.status != 200:
                    raise WrongAnswerError(f"status {answer.status}: {bytes(answer.body[:300])!r}")
                times.append(ended - started)
                if ended > until:
                    return

        if clients == 1:
            await calls()
        else:
            await asyncio.gather(*(calls() for _ in range(clients)))
        return times


async def _settled(client: PooledClient, head: bytes, body: Body) -> None:
    """Make a call and check the answer. A peer that was stopped for long may first lose old connections."""
    for _ in range(_SETTLING):
        with suppress(OSError, WrongAnswerError):
            await _checked(client, head, body)
            return
    await _checked(client, head, body)


async def _checked(client: PooledClient, head: bytes, body: Body) -> None:
    answer = await client.post(head, body.parts)
    if answer.status != 200 or not body.is_right(answer.body):
        raise WrongAnswerError(f"status {answer.status}: {bytes(answer.body[:300])!r}")


@functools.cache
def _body(form: str, size: int) -> Body:
    return body_of(form, size)


async def serve_jobs() -> None:
    """Take jobs from standard input until it ends."""
    load = Load()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print((await load.run(Job.of_line(line))).line(), flush=True)


if __name__ == "__main__":
    uvloop.run(serve_jobs())

"""`python -m tests.bench.watch_load URL OUT`: an address in; what callers at a steady pace see, as JSON lines, out.

They ask until standard input ends, on connections that stay. Nothing is asked again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import IO

import uvloop

from tests.bench.release_load import ask
from tests.bench.release_log import Seen

CALLERS = 10
EACH_SECOND = 10.0


async def load(url: str, out: IO[str]) -> None:
    """Keep it up until standard input ends."""
    until = asyncio.Event()

    def note(seen: Seen) -> None:
        out.write(json.dumps(seen.line()) + "\n")

    callers = (ask(url, note, is_kept=True, each_second=EACH_SECOND, until=until) for _ in range(CALLERS))
    all_calling = asyncio.gather(*callers)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    until.set()
    await all_calling


def main(url: str, path: str) -> None:
    with open(path, "w", encoding="utf-8") as out:  # noqa: PTH123  # as lines, and closed in the end
        uvloop.run(load(url, out))


if __name__ == "__main__":
    main(*sys.argv[1:])

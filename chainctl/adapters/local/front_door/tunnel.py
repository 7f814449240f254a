"""Two connections that have left HTTP in, their bytes carried across until one side ends out."""

from __future__ import annotations

import asyncio

from chainctl.adapters.local.front_door.body import Body
from chainctl.adapters.local.front_door.link import Link


async def carry_across(caller: Link, sent: Body, service: Link, answered: Body) -> None:
    """Pipe `sent` to the service and `answered` to the caller; when one ends, end the other."""
    up = asyncio.create_task(_pipe(sent, service))
    down = asyncio.create_task(_pipe(answered, caller))
    try:
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        service.close()
        caller.close()


async def _pipe(source: Body, sink: Link) -> None:
    try:
        while data := await source.read():
            sink.write([data])
            await sink.drain()
    except ConnectionError:
        return

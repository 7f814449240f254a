"""A listening socket in, an open front door that follows its switch out."""

from __future__ import annotations

import asyncio
import socket
import ssl

from chainctl.adapters.local.front_door.caller import CallerLink
from chainctl.adapters.local.front_door.flights import Switch
from chainctl.adapters.local.front_door.limits import DoorLimits
from chainctl.adapters.local.front_door.visit import Keys, Visit

BACKLOG = 1024


class Door:
    """The front door of a chain, made from one set of keys."""

    def __init__(self, switch: Switch, keys: Keys, limits: DoorLimits) -> None:
        self._switch = switch
        self._keys = keys
        self._limits = limits
        self._visits: dict[Visit, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._clock: asyncio.Task[None] | None = None

    async def open(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept callers on a socket that already listens. The socket is the door's from here on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: CallerLink(self._limits, self._welcome), sock=listener, ssl=tls, backlog=BACKLOG
        )
        self._clock = loop.create_task(self._watch_time())

    def close(self) -> None:
        """Accept no more; requests under way finish, idle connections end."""
        if self._server is not None:
            self._server.close()
        if self._clock is not None:
            self._clock.cancel()
        for visit in list(self._visits):
            visit.end()

    async def drain(self, seconds: float) -> None:
        """Wait for what is under way after `close`, then cut it."""
        tasks = set(self._visits.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in set(self._visits.values()):
            task.cancel()
        await asyncio.gather(*self._visits.values(), return_exceptions=True)

    def _welcome(self, caller: CallerLink) -> None:
        visit = Visit(caller, self._switch, self._keys, self._limits)
        task = asyncio.get_running_loop().create_task(visit.run())
        self._visits[visit] = task
        caller.on_leave = task.cancel
        task.add_done_callback(lambda _: self._visits.pop(visit, None))

    async def _watch_time(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._limits.head_sec, self._limits.idle_sec) / 12)
            for visit in list(self._visits):
                visit.caller.check_time(loop.time())

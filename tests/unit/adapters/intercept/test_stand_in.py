"""A stand-in between callers, replicas and a developer's process, as sockets of one directory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.intercept.mux import Channel, Mux, Said
from chainctl.adapters.intercept.stand_in import Place, StandIn
from chainctl.calls.address import Address
from chainctl.calls.fleet import Fleet
from chainctl.calls.http_client import request_head
from chainctl.calls.replica_watch import sockets_beside

SERVICE = "service"
STAND_IN = "service.99"
HEAD = request_head(Address("service", 8000), "POST", "/-/run_remote", {})
_CALLERS = 4


def _answer(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


@dataclass
class Replica:
    """A replica of the service: it steps aside when it is asked to, for good."""

    is_aside: bool = False
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while line := await reader.readline():
                await reader.readuntil(b"\r\n\r\n")
                if line.startswith(b"POST /-/run"):
                    await reader.readexactly(2)
                writer.write(self._said(line.decode()))
        writer.close()

    def _said(self, line: str) -> bytes:
        if "/aside" in line:
            self.asked.append(line.split()[1])
            self.is_aside = not line.split()[1].endswith("=0")
            return _answer(b"{}")
        return _answer(b"", 503 if self.is_aside else 200) if "/openz" in line else _answer(b"there")


@dataclass
class Developer:
    """The other end of a stand-in's link: a process that answers at once."""

    mux: Mux
    heard: asyncio.Queue[Said]

    async def hear(self, what: str) -> None:
        while (await self.heard.get())["say"] != what:
            continue

    async def take(self) -> None:
        """Have all calls led here."""
        self.mux.say({"say": "open", "token": "secret"})
        await self.hear("opened")
        self.mux.say({"say": "aside"})
        await self.hear("stepped aside")


async def _here(channel: Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        await channel.read_until(b"\r\n\r\n")
        await channel.send(_answer(b"here"))
        channel.finish()


@contextlib.asynccontextmanager
async def standing(directory: Path, replica: Replica) -> AsyncIterator[tuple[Developer, asyncio.Task[None]]]:
    """A stand-in beside one replica, linked to a developer; and the task of its whole life."""
    service = await asyncio.start_unix_server(replica.serve, str(directory / SERVICE))
    listen, link = directory / STAND_IN, directory / "link"
    place = Place(f"unix:{listen}", SERVICE, str(link), hides_memory=False)
    life = asyncio.ensure_future(StandIn(place).run())
    async with asyncio.timeout(10):
        while not link.exists() or not listen.exists():
            await asyncio.sleep(0.01)
    heard: asyncio.Queue[Said] = asyncio.Queue()
    mux = Mux(
        *await asyncio.open_unix_connection(str(link)), is_first=True, opened=_here, heard=heard.put_nowait
    )
    mux.start()
    try:
        yield Developer(mux, heard), life
    finally:
        mux.close()
        life.cancel()
        await asyncio.wait((life,))
        service.close()


@contextlib.asynccontextmanager
async def calling(directory: Path) -> AsyncIterator[tuple[Fleet, list[bytes], Callable[[], None]]]:
    """Callers that call all the time through one pool, as a chainlet does; what they were answered."""
    answers: list[bytes] = []
    fleet = Fleet(lambda: None)

    def look() -> None:
        fleet.set(sockets_beside(str(directory / SERVICE)), are_proven=True)
        fleet.probe(asyncio.get_running_loop())

    async def look_again() -> None:
        while True:
            look()
            await asyncio.sleep(0.1)

    async def call() -> None:
        while True:
            answers.append(bytes((await fleet.request(HEAD, (b"{}",))).body))

    look()
    tasks = [asyncio.ensure_future(work()) for work in (look_again, *[call] * _CALLERS)]
    try:
        yield fleet, answers, look
        failed = [task.exception() for task in tasks if task.done()]
        assert failed == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fleet.close()


async def _until_all_are(answers: list[bytes], place: bytes) -> None:
    async with asyncio.timeout(20):
        while answers[-20:] != [place] * 20:
            await asyncio.sleep(0)


def test_calls_go_there_and_back_and_none_fails(tmp_path: Path) -> None:
    """On connections that are used without a pause: none is closed while its caller writes on it."""

    async def work() -> None:
        replica = Replica()
        async with standing(tmp_path, replica) as (developer, life), calling(tmp_path) as (_, answers, _):
            await _until_all_are(answers, b"there")
            await developer.take()
            await _until_all_are(answers, b"here")
            developer.mux.say({"say": "end"})
            await developer.hear("ended")
            await life
            answers.clear()
            await _until_all_are(answers, b"there")
        assert (replica.asked[0], replica.asked[-1]) == ("/-/aside?sec=0",) * 2

    asyncio.run(work())


def test_calls_go_back_when_the_link_is_cut(tmp_path: Path) -> None:
    """What was under way is made again by the replica."""

    async def work() -> None:
        async with standing(tmp_path, Replica()) as (developer, life), calling(tmp_path) as (_, answers, _):
            await developer.take()
            await _until_all_are(answers, b"here")
            developer.mux.close()
            await life
            answers.clear()
            await _until_all_are(answers, b"there")

    asyncio.run(work())


def test_a_connection_that_is_idle_is_answered_until_its_caller_was_told(tmp_path: Path) -> None:
    """By the replica, and with the word that it is the last answer."""

    async def work() -> None:
        async with standing(tmp_path, Replica()) as (developer, life):
            await developer.take()
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / STAND_IN))
            request = HEAD + b"content-length: 2\r\n\r\n{}"
            writer.write(request)
            assert await reader.readuntil(b"here") == _answer(b"here")
            developer.mux.say({"say": "end"})
            await developer.hear("ending")
            asker, asking = await asyncio.open_unix_connection(str(tmp_path / STAND_IN))
            async with asyncio.timeout(10):
                while b" 503 " not in await _asked(asker, asking):
                    await asyncio.sleep(0)
            writer.write(request)
            said = await reader.read()
            assert b"connection: close\r\n" in said
            assert said.endswith(b"there")
            assert not life.done()
            writer.close()
            asking.close()

    asyncio.run(work())


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET /openz HTTP/1.1\r\nhost: x\r\n\r\n")
    return await reader.readuntil(b'{"intercepted":true}')

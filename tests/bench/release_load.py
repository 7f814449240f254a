"""`python -m tests.bench.release_load PLAIN STREAM TALK OUT`: URLs in; what callers see, one JSON line each, out.

Callers keep their pace until standard input ends: some on connections that stay, some on a new one for
each request; beside them one stream and one WebSocket that are opened again whenever they end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import IO
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.bench.release_log import Seen

KEEPING = 12
KEEPING_EACH = 16.0
FRESH = 4
FRESH_EACH = 12.0
STREAM_ITEMS = 20
STREAM_PAUSE_SEC = 0.12
TALK_PAUSE_SEC = 0.15
LONGEST_TALK_SEC = 20.0
_ANSWER_SEC = 30.0
_AGAIN_SEC = 0.05

Note = Callable[[Seen], None]


class NoAnswerError(Exception):
    """The answer is none, or not 200."""


class Caller:
    """Posts to one address over one connection, which is kept or not."""

    def __init__(self, url: str, *, is_kept: bool) -> None:
        parts = urlsplit(url)
        self._place = (str(parts.hostname), int(parts.port or 80))
        self._is_kept = is_kept
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self) -> list[str]:
        """Return the marks of one answer."""
        reader, writer = self._open or await asyncio.open_connection(*self._place)
        self._open = None
        try:
            writer.write(_request(b"{}", is_kept=self._is_kept))
            async with asyncio.timeout(_ANSWER_SEC):
                marks, is_usable = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        if self._is_kept and is_usable:
            self._open = reader, writer
        else:
            writer.close()
        return marks


async def ask(url: str, note: Note, *, is_kept: bool, each_second: float, until: asyncio.Event) -> None:
    """Ask at a steady pace; what was missed while an answer was late is not made up for."""
    caller, due = Caller(url, is_kept=is_kept), time.time()
    how = "kept connection" if is_kept else "new connection"
    while not until.is_set():
        began = time.time()
        try:
            marks = tuple(await caller.call())
            note(Seen(how, began, time.time(), (marks,), "ok"))
        except (OSError, TimeoutError, EOFError, ValueError, NoAnswerError) as error:
            note(Seen(how, began, time.time(), error=f"{type(error).__name__}: {error}"))
        due = max(due + 1 / each_second, time.time() - 1 / each_second)
        await asyncio.sleep(max(0.0, due - time.time()))


async def listen(url: str, note: Note, until: asyncio.Event) -> None:
    """Read one stream after the other, as server-sent events, each to its end."""
    while not until.is_set():
        began, marks, end = time.time(), list[tuple[str, ...]](), ""
        try:
            async with asyncio.timeout(_ANSWER_SEC):
                end = await _streamed(url, marks)
            error = "" if end == "end" else "no end event"
        except (OSError, TimeoutError, EOFError, ValueError, NoAnswerError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        note(Seen("stream", began, time.time(), tuple(dict.fromkeys(marks)), end, error))
        if error:
            await asyncio.sleep(_AGAIN_SEC)


async def talk(url: str, note: Note, until: asyncio.Event) -> None:
    """Talk over one WebSocket after the other, each until the other side closes it or for a while."""
    while not until.is_set():
        began, marks = time.time(), list[tuple[str, ...]]()
        end, error = "", ""
        try:
            async with connect(f"ws://{urlsplit(url).netloc}/run_remote", proxy=None) as socket:
                while time.time() - began < LONGEST_TALK_SEC and not until.is_set():
                    await socket.send("on")
                    async with asyncio.timeout(_ANSWER_SEC):
                        marks.append(tuple(json.loads(await socket.recv())))
                    await asyncio.sleep(TALK_PAUSE_SEC)
            end = "1000"
        except ConnectionClosed as closed:
            end = str(closed.rcvd.code) if closed.rcvd else ""
            error = "" if end in ("1000", "1012") else f"closed with {end or 'nothing'}: {closed}"
        except (OSError, TimeoutError, EOFError, ValueError, InvalidHandshake) as problem:
            error = f"{type(problem).__name__}: {problem}"
        note(Seen("websocket", began, time.time(), tuple(dict.fromkeys(marks)), end, error))
        if error:
            await asyncio.sleep(_AGAIN_SEC)


async def _streamed(url: str, marks: list[tuple[str, ...]]) -> str:
    """Read the events of a stream; return the name of the last one."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        body = json.dumps({"items": STREAM_ITEMS, "pause": STREAM_PAUSE_SEC}).encode()
        writer.write(_request(body, is_kept=False, accept="text/event-stream"))
        status = await reader.readline()
        if b" 200 " not in status:
            raise NoAnswerError(f"{status!r}")
        event = ""
        async for line in reader:
            if line.startswith(b"event: "):
                event = line[7:].strip().decode()
            elif line.startswith(b"data: ["):
                marks.append(tuple(json.loads(line[6:])))
        return event
    finally:
        writer.close()


def _request(body: bytes, *, is_kept: bool, accept: str = "application/json") -> bytes:
    head = (
        f"POST /run_remote HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\naccept: {accept}\r\n"
        f"content-length: {len(body)}\r\nconnection: {'keep-alive' if is_kept else 'close'}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[list[str], bool]:
    """Read an answer; its marks, and whether the connection can be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status = head.split(" ", 2)[1]
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if status != "200":
        raise NoAnswerError(f"{status}: {body[:200]!r}")
    return json.loads(body), headers.get("connection") != "close"


async def load(plain: str, stream: str, talked: str, out: IO[str]) -> None:
    """Keep everything up until standard input ends."""
    until = asyncio.Event()

    def note(seen: Seen) -> None:
        out.write(json.dumps(seen.line()) + "\n")

    callers: list[Awaitable[None]] = [
        *(ask(plain, note, is_kept=True, each_second=KEEPING_EACH, until=until) for _ in range(KEEPING)),
        *(ask(plain, note, is_kept=False, each_second=FRESH_EACH, until=until) for _ in range(FRESH)),
        listen(stream, note, until),
        talk(talked, note, until),
    ]
    all_calling = asyncio.gather(*callers)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    until.set()
    await all_calling


def main(plain: str, stream: str, talked: str, path: str) -> None:
    with open(path, "w", encoding="utf-8") as out:  # noqa: PTH123  # as lines, and closed in the end
        uvloop.run(load(plain, stream, talked, out))


if __name__ == "__main__":
    main(*sys.argv[1:])

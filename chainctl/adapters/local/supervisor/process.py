"""A command in, a running child process out: its own process group, its output line by line, no orphan."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import cast

_PR_SET_PDEATHSIG = 1
_LAST_WORDS_SEC = 1.0


class ChildProcess(asyncio.SubprocessProtocol):
    """One child. Its output goes to `listen` as it comes."""

    def __init__(self, listen: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._listen = listen
        self._code: asyncio.Future[int] = loop.create_future()
        self._said_all = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._listen(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._said_all.set()

    def process_exited(self) -> None:
        code = self._transport.get_returncode() if self._transport is not None else None
        self._code.set_result(-signal.SIGKILL if code is None else code)

    async def wait(self) -> int:
        """Return the exit code (minus the signal's number) once the last words are heard."""
        code = await asyncio.shield(self._code)
        try:
            async with asyncio.timeout(_LAST_WORDS_SEC):
                await self._said_all.wait()
        except TimeoutError:
            pass
        if self._transport is not None:
            self._transport.close()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal unless the child has ended; until it is reaped its pid cannot be reused."""
        if self._transport is None or self._code.done():
            return
        try:
            self._transport.send_signal(number)
        except ProcessLookupError:
            return


async def spawn(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], listen: Callable[[bytes], None]
) -> ChildProcess:
    """Start a child that is killed when this process dies. Raises OSError."""
    _, child = await asyncio.get_running_loop().subprocess_exec(
        lambda: ChildProcess(listen),
        *argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(env),
        start_new_session=True,
        preexec_fn=_die_with_parent(),
    )
    return child


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a fresh child does first: ask the kernel to kill it when its parent dies."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask

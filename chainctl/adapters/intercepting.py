"""A stand-in and a chainlet's command in; the chainlet's process answering for its service, until either ends, out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.intercept.mux import Channel, Mux, Said
from chainctl.adapters.intercept.relay import SocketPipe, join
from chainctl.adapters.local.supervisor.probe import probe
from chainctl.adapters.local.supervisor.process import ChildProcess, spawn
from chainctl.deploy.intercept import Standing
from chainctl.errors import ChainctlError, DeployError, EngineError

_POLL_SEC = 0.1
_ANSWER_SEC = 15.0
_END_SEC = 5.0
_NOT_FOUND, _OK = 404, 200
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a chainlet's process is started. `listen` is the socket on which it answers.

    `callees` maps sockets of this machine to what the stand-in knows the services by that are called there.
    `start_sec` bounds how long it may take until it is ready, None where a debugger may hold it.
    """

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    listen: Path
    callees: Mapping[Path, str]
    token: str = field(repr=False)
    start_sec: float | None
    drain_sec: float


def intercept(
    standing: Standing, launch: Launch, tell: Callable[[str], None], listen: Callable[[bytes], None]
) -> str:
    """Run the process until a signal comes, or the chain takes its traffic back; then say why, "" for a signal.

    Its output goes to `listen`. Whatever happens, the traffic goes back to the service. Raises DeployError
    when the process does not become ready, with nothing changed; ChainctlError when it ends by itself,
    EngineError when the stand-in is lost.
    """
    try:
        return asyncio.run(_Session(standing, launch, tell, listen).run())
    finally:
        standing.link.close()
        standing.clear()


class _Session:
    """One intercept."""

    def __init__(
        self,
        standing: Standing,
        launch: Launch,
        tell: Callable[[str], None],
        listen: Callable[[bytes], None],
    ) -> None:
        self._standing = standing
        self._launch = launch
        self._tell = tell
        self._listen = listen
        self._said: asyncio.Queue[Said] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._taken_back = ""

    async def run(self) -> str:
        reader, writer = await asyncio.open_connection(sock=self._standing.link)
        mux = Mux(reader, writer, is_first=True, opened=self._call_process, heard=self._hear)
        mux.start()
        with self._signals():
            servers = [await self._serve_callee(mux, *one) for one in self._launch.callees.items()]
            process = await spawn(self._launch.argv, self._launch.cwd, self._launch.env, self._listen)
            try:
                why = await self._answer(mux, process)
            finally:
                await self._end(mux, process)
                for server in servers:
                    server.close()
        return why

    async def _answer(self, mux: Mux, process: ChildProcess) -> str:
        """Wait until the process is ready, have the traffic led to it, wait until something ends that."""
        if not await self._is_ready(mux, process):
            return self._taken_back or "nothing was led here"
        mux.say({"say": "open", "token": self._launch.token})
        _require_known(await self._heard(mux, "opened"))
        await asyncio.to_thread(self._standing.lead)
        mux.say({"say": "aside"})
        await self._heard(mux, "stepped aside")
        self._tell("Its calls are answered here until Ctrl-C.")
        exited, lost, stopped = (
            asyncio.ensure_future(one) for one in (process.wait(), mux.closed.wait(), self._stopping.wait())
        )
        await asyncio.wait((exited, lost, stopped), return_when=asyncio.FIRST_COMPLETED)
        for one in (lost, stopped):
            one.cancel()
        if exited.done():
            raise ChainctlError(
                f"The process ended with {_words(exited.result())}; the service has its calls again",
                hint="run the same command again",
            )
        exited.cancel()
        if self._stopping.is_set():
            return self._taken_back
        raise _lost()

    async def _is_ready(self, mux: Mux, process: ChildProcess) -> bool:
        """Wait until it is ready; False when somebody wants the end of it before. Raises DeployError."""
        loop = asyncio.get_running_loop()
        deadline = None if self._launch.start_sec is None else loop.time() + self._launch.start_sec
        exited = asyncio.ensure_future(process.wait())
        try:
            while not (await probe(self._launch.listen)).is_ready:
                if exited.done():
                    raise DeployError(
                        f"The process ended with {_words(exited.result())} before it was ready; nothing was led here",
                        hint="correct what it printed, and run the same command again",
                    )
                if self._stopping.is_set() or mux.closed.is_set():
                    return False
                if deadline is not None and loop.time() > deadline:
                    raise DeployError(
                        f"The process was not ready after {self._launch.start_sec:g} s; nothing was led here",
                        hint="see what it printed; `startup_threshold_seconds` of the chainlet gives it more time",
                    )
                await asyncio.wait((exited,), timeout=_POLL_SEC)
        finally:
            exited.cancel()
        return True

    async def _end(self, mux: Mux, process: ChildProcess) -> None:
        """Let the chain take its traffic back and the process answer what it has begun; then end it."""
        mux.say({"say": "end"})
        hurry = asyncio.ensure_future(self._hurry.wait())
        exited = asyncio.ensure_future(process.wait())
        ended = asyncio.ensure_future(self._until_ended(mux))
        await asyncio.wait(
            (hurry, ended), timeout=self._launch.drain_sec, return_when=asyncio.FIRST_COMPLETED
        )
        process.send(signal.SIGTERM)
        await asyncio.wait((hurry, exited), timeout=_END_SEC, return_when=asyncio.FIRST_COMPLETED)
        process.send(signal.SIGKILL)
        await exited
        for one in (hurry, ended):
            one.cancel()
        mux.close()

    async def _until_ended(self, mux: Mux) -> None:
        with contextlib.suppress(DeployError, EngineError):
            await self._heard(mux, "ended", within_sec=None)

    async def _heard(self, mux: Mux, what: str, within_sec: float | None = _ANSWER_SEC) -> Said:
        """Wait until the stand-in says it. Raises EngineError when it is gone or silent."""
        closed = asyncio.ensure_future(mux.closed.wait())
        try:
            async with asyncio.timeout(within_sec):
                while True:
                    said = asyncio.ensure_future(self._said.get())
                    await asyncio.wait((said, closed), return_when=asyncio.FIRST_COMPLETED)
                    if not said.done():
                        said.cancel()
                        raise _lost()
                    if said.result().get("say") == what:
                        return said.result()
        except TimeoutError:
            pass
        finally:
            closed.cancel()
        raise EngineError("What stands in for the service does not answer", hint="run the same command again")

    def _hear(self, said: Said) -> None:
        if said.get("say") == "ending":
            self._taken_back = str(said.get("why") or "")
            self._stopping.set()
        self._said.put_nowait(said)

    async def _call_process(self, channel: Channel) -> None:
        """Connect a caller of the chain to the process."""
        try:
            pipe = SocketPipe(*await asyncio.open_unix_connection(str(self._launch.listen)))
        except OSError:
            channel.abort()
            return
        await join(channel, pipe)

    async def _serve_callee(self, mux: Mux, path: Path, target: str) -> asyncio.Server:
        async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pipe = SocketPipe(reader, writer)
            try:
                channel = mux.open(target)
            except OSError:
                pipe.abort()
                return
            await join(pipe, channel)

        server = await asyncio.start_unix_server(call, str(path))
        path.chmod(0o600)
        return server

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first signal ends it in order, the second at once."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            (self._hurry if self._stopping.is_set() else self._stopping).set()

        for number in _SIGNALS:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


def _require_known(said: Said) -> None:
    """Raise DeployError when the other replicas can not step aside: they go on answering then."""
    statuses = [int(status) for status in said.get("others") or ()]
    if _NOT_FOUND in statuses:
        raise DeployError(
            "The service was built by an older chainctl, which knows nothing of intercepts; nothing was changed",
            hint="push the chain again, then run the same command",
        )
    if _OK not in statuses:
        raise DeployError(
            "No replica of the service answers; nothing was changed", hint="push the chain again"
        )


def _lost() -> EngineError:
    return EngineError(
        "The connection to the chain was lost; its own service has the calls again",
        hint="run the same command again",
    )


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

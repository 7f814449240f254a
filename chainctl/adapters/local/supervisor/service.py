"""An order to start a service in, its process kept alive until it is stopped out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

from chainctl.adapters.local.front_door.flights import Backend
from chainctl.adapters.local.gpus import gpus_in
from chainctl.adapters.local.memory import RememberedService
from chainctl.adapters.local.orphans import kill_processes_of
from chainctl.adapters.local.paths import RunPaths
from chainctl.adapters.local.protocol import Readiness, StandIn, Start
from chainctl.adapters.local.supervisor.log_file import LogFile
from chainctl.adapters.local.supervisor.probe import probe
from chainctl.adapters.local.supervisor.process import ChildProcess, spawn
from chainctl.adapters.local.supervisor.secret_files import remove_secrets, write_secrets
from chainctl.deploy.release import replica_of
from chainctl.deploy.replication import LEAVE_SEC, LEAVE_SIGNAL
from chainctl.deploy.state import ServiceStatus

FIRST_DELAY_SEC = 0.5
LAST_DELAY_SEC = 30.0
CALM_SEC = 60.0
LEAST_GRACE_SEC = 5.0
_CANNOT_START = 127


class Service:
    """One supervised process. `changed` is called whenever what is remembered of it changes.

    What only stands in for others is not started again when it ends: `ended` is called then.
    """

    def __init__(
        self,
        order: Start | StandIn,
        run: RunPaths,
        changed: Callable[[], None],
        ended: Callable[[str], None] | None = None,
    ) -> None:
        name, replica = replica_of(order.name)
        self.backend = Backend(name, run.socket_of(order.name), replica=replica)
        self.status = ServiceStatus.RUNNING
        self._order = order
        self._secrets = run.secrets_of(order.name)
        self._control = run.control_of(order.name)
        self._log = LogFile(run.log_of(order.name))
        self._changed = changed
        self._ended = ended
        self.intercepted_by = order.intercepted_by if isinstance(order, StandIn) else ""
        self.backend.flights.is_away = bool(self.intercepted_by)
        self._since = time.time()
        self._restarts = 0
        self._exit_code: int | None = None
        self._was_ready = False
        self._child: ChildProcess | None = None
        self._stopping = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def is_as_ordered(self, order: Start | StandIn) -> bool:
        """Say whether it runs with the secrets and the image of an order; all else is in its name."""
        wanted = (order.secrets_digest, order.image)
        is_same = (self._order.secrets_digest, self._order.image) == wanted
        return self.status is ServiceStatus.RUNNING and is_same

    def start(self) -> None:
        """Write the secrets and begin."""
        write_secrets(self._secrets, self._order.secrets, self._order.token)
        self._life = asyncio.get_running_loop().create_task(self._live())

    def remembered(self) -> RememberedService:
        gpus, gpu_memory = gpus_in(self._order.env)
        return RememberedService(
            name=self._order.name,
            chainlet=self._order.chainlet,
            image=self._order.image,
            fingerprint=self._order.fingerprint,
            secrets_digest=self._order.secrets_digest,
            status=self._known_status,
            since=self._since,
            restarts=self._restarts,
            exit_code=self._exit_code,
            gpus=gpus,
            gpu_memory_bytes=gpu_memory,
            is_alive=self.status is ServiceStatus.RUNNING,
            intercepted_by=self.intercepted_by,
        )

    @property
    def _known_status(self) -> ServiceStatus:
        """A process that was never ready does not count as running: traffic must wait for it."""
        is_starting = self.status is ServiceStatus.RUNNING and not self._was_ready
        return ServiceStatus.STOPPED if is_starting else self.status

    async def readiness(self) -> Readiness:
        """Ask the process whether it is ready."""
        health = await probe(self.backend.socket)
        if self.intercepted_by:
            self.backend.flights.is_away = not health.is_ready
        if health.is_ready and self.status is ServiceStatus.RUNNING:
            self.backend.flights.is_away = False
            if not self._was_ready:
                self._was_ready = True
                self._changed()
        return Readiness(
            is_ready=health.is_ready and self.status is ServiceStatus.RUNNING,
            status=self.status,
            exit_code=self._exit_code,
            body=health.body,
        )

    async def leave(self, within_sec: float) -> None:
        """Have the process tell its callers that it takes no more calls, and give them time to turn away."""
        if self._child is not None:
            self._child.send(LEAVE_SIGNAL)
            await asyncio.sleep(min(within_sec, LEAVE_SEC))

    async def stop(self, drain_sec: float) -> None:
        """Let requests under way finish, then SIGTERM, then SIGKILL; leave nothing behind."""
        deadline = asyncio.get_running_loop().time() + drain_sec
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self.backend.flights.landed()
        await self._end_process(deadline, min(drain_sec, LEAST_GRACE_SEC))
        self.status = ServiceStatus.STOPPED
        self._log.close()
        remove_secrets(self._secrets)
        self._control.unlink(missing_ok=True)
        self.backend.socket.unlink(missing_ok=True)

    async def _end_process(self, deadline: float, grace: float) -> None:
        if self._life is None:
            return
        if self._child is not None:
            self._child.send(signal.SIGTERM)
        now = asyncio.get_running_loop().time()
        await asyncio.wait((self._life,), timeout=max(deadline - now, grace))
        if self._child is not None:
            self._child.send(signal.SIGKILL)
        await self._life

    async def _live(self) -> None:
        delay = FIRST_DELAY_SEC
        while not self._stopping.is_set():
            started = time.monotonic()
            self._exit_code = await self._run_once()
            if self._stopping.is_set():
                return
            if self._ended is not None:
                return self._ended(self._order.name)
            if not self._was_ready:
                return self._fail()
            delay = FIRST_DELAY_SEC if time.monotonic() - started > CALM_SEC else delay
            await self._pause(delay)
            delay = min(delay * 2, LAST_DELAY_SEC)

    def _fail(self) -> None:
        self.status = ServiceStatus.FAILED
        self._log.note(f"ended with {_words(self._exit_code)} before it was ready")
        remove_secrets(self._secrets)
        self._changed()

    async def _pause(self, delay: float) -> None:
        self._restarts += 1
        self._log.note(f"ended with {_words(self._exit_code)}, starts again in {delay:g} s")
        self._changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    async def _run_once(self) -> int:
        """Run the process to its end and return the exit code."""
        try:
            self.backend.socket.unlink(missing_ok=True)
            self._child = await spawn(self._order.argv, self._order.cwd, self._order.env, self._log.feed)
        except OSError as error:
            self._log.note(f"cannot be started: {error}")
            return _CANNOT_START
        self._since = time.time()
        watch = asyncio.create_task(self._watch_until_ready())
        try:
            if self._stopping.is_set():
                self._child.send(signal.SIGTERM)
            return await self._child.wait()
        finally:
            self.backend.flights.is_away = True
            watch.cancel()
            self._log.end_line()
            kill_processes_of(self.backend.socket)

    async def _watch_until_ready(self) -> None:
        """Note when the process is ready: from the first time on a crash is restarted."""
        delay = 0.05
        while not self._was_ready or self.backend.flights.is_away or self.intercepted_by:
            await asyncio.sleep(delay)
            await self.readiness()
            delay = min(delay * 1.5, 0.3 if self.intercepted_by else 1.0)


def _words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {-code}"
    return f"exit code {code}"

"""The class of a chainlet in; a serving process out. Called by the shim of each image, and nowhere else."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

import uvicorn

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.generation_range import GenerationRange
from chainctl.segments.sharing import SegmentSharing
from chainctl.server.app import ChainletApp
from chainctl.server.control import ControlSocket
from chainctl.server.forwarding import ForwardingApp
from chainctl.server.log_lines import install
from chainctl.server.otlp import start_exporter
from chainctl.server.reception import Reception
from chainctl.server.service import ChainletService
from chainctl.telemetry.sampling import sampler_of
from chainctl.telemetry.telemetry import Telemetry
from chainctl.truss import alias
from chainctl.wire.fault import user_frames
from chainctl.worker.boot import ChainletManifest, boot
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.docker_server import DEFAULT_LISTEN, ServerWorker, boot_server
from chainctl.worker.models.server_process import ServerProcess
from chainctl.worker.models.server_settings import ServerSettings, has_server

_KEEP_ALIVE_SEC = 75
_SWEEP_SEC = 15
_GC_THRESHOLDS = (10_000, 20, 20)
"""Each call makes some objects that stay a while, spans among them: by default they are looked through too often."""
_BACKLOG = 2048
_PING_SEC = 20.0
_LOG = logging.getLogger("chainctl.server")


def serve(
    *,
    name: str,
    module: str,
    qualname: str,
    app_dir: Path,
    debug_logs: bool = False,
    ping_interval_sec: Optional[float] = None,
    ping_timeout_sec: Optional[float] = None,
    truss_config: Optional[Mapping[str, Any]] = None,
) -> None:
    """Serve a chainlet until SIGTERM, then finish the requests under way.

    It listens at once and boots beside, so that a health probe can tell starting from dead. Idle
    websockets are pinged every `ping_interval_sec` and closed without an answer in `ping_timeout_sec`.
    `truss_config` is that of a Truss directory, whose image may bring a server of its own.
    Exits with 1 after a traceback when the chainlet cannot be created.
    """
    alias.install()
    data_dir = app_dir / "data"
    manifest = ChainletManifest.of(os.environ, data_dir if data_dir.is_dir() else None)
    level = logging.DEBUG if debug_logs else logging.INFO
    lines = install(name, manifest.service, _current_ids, level=level)
    if not debug_logs:
        logging.getLogger("uvicorn.error").addFilter(_is_worth_a_line)
    telemetry = _telemetry(name, manifest, os.environ)
    service = ChainletService(
        name,
        manifest.token,
        telemetry=telemetry,
        sampler=sampler_of(os.environ),
        has_deadlines=manifest.unbounded is None,
    )
    if manifest.generation:
        service.serves = GenerationRange(manifest.generation)
    exporter = start_exporter(os.environ, telemetry) if telemetry is not None else None
    app = ChainletApp(service)
    config = _config(app, os.environ.get("CHAINCTL_LISTEN", DEFAULT_LISTEN))
    config.ws_ping_interval = ping_interval_sec or _PING_SEC
    config.ws_ping_timeout = ping_timeout_sec or _PING_SEC
    server = _Server(config, service)
    sharing = SegmentSharing.opened(os.environ)
    starter = _Starter(service, server, module, qualname, manifest, sharing)
    if truss_config is not None and has_server(truss_config):
        starter.forward_to(ServerProcess(ServerSettings.of(truss_config), starter.end), truss_config)
        app.outer = ForwardingApp(service)
    threading.Thread(target=starter.run, name="chainctl-boot", daemon=True).start()
    control = _control(os.environ, service)
    signal.signal(signal.SIGTERM, _keep_going)
    signal.signal(signal.SIGWINCH, lambda _number, _frame: service.leave())
    server.run()
    starter.close()
    if control is not None:
        control.close()
    if exporter is not None:
        exporter.close()
    if sharing is not None:
        sharing.close()
    lines.flush()
    if starter.failed:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Tells the service which event loop runs it, and that it ends."""

    def __init__(self, config: uvicorn.Config, service: ChainletService) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._service.loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def shutdown(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._service.drain()
        await super().shutdown(sockets)


def _keep_going(number: int, frame: object) -> None:
    """Stand for SIGTERM's default: uvicorn raises the signal again when it has shut down, and more is to be done."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out that each websocket was accepted, opened and closed: HTTP requests are not told of either."""
    return record.levelno > logging.INFO or "websockets" not in record.pathname


def _telemetry(name: str, manifest: ChainletManifest, environ: Mapping[str, str]) -> Optional[Telemetry]:
    if environ.get("CHAINCTL_TELEMETRY", "").strip().lower() == "off":
        return None
    return Telemetry(manifest.service or name, name)


def _control(environ: Mapping[str, str], service: ChainletService) -> Optional[ControlSocket]:
    """Listen for edits where the deployment says so; a service without works all the same."""
    path = environ.get("CHAINCTL_CONTROL", "")
    if not path:
        return None
    try:
        return ControlSocket(Path(path), service)
    except OSError as error:
        _LOG.warning("the service cannot be edited while it runs: %s: %s", path, error)
        return None


def _current_ids() -> Optional[tuple[str, str]]:
    context = CURRENT_CALL.get()
    return None if context is None else (context.request_id, f"{context.trace_id:032x}")


class _Starter:
    """Boots the chainlet while the server already listens."""

    def __init__(
        self,
        service: ChainletService,
        server: uvicorn.Server,
        module: str,
        qualname: str,
        manifest: ChainletManifest,
        sharing: Optional[SegmentSharing],
    ) -> None:
        self._sharing = sharing
        self._service = service
        self._server = server
        self._place = (module, qualname)
        self._manifest = manifest
        self._process: Optional[ServerProcess] = None
        self._truss_config: Mapping[str, Any] = {}
        self.failed = False

    def forward_to(self, process: ServerProcess, truss_config: Mapping[str, Any]) -> None:
        """Start the server that the image brings, in place of a chainlet."""
        self._process, self._truss_config = process, truss_config

    def end(self, why: str) -> None:
        """End the service, because it has nothing to serve with any more."""
        _LOG.error("%s: the service ends", why)
        self.failed = True
        self._server.should_exit = True

    def close(self) -> None:
        """End what was started beside this process."""
        if self._process is not None:
            self._process.stop()

    def _worker(self) -> Union[InProcessWorker, ServerWorker]:
        if self._process is not None:
            return boot_server(self._truss_config, self._manifest, self._process, self._service.telemetry)
        return boot(*self._place, self._manifest, self._service.telemetry, self._sharing)

    def run(self) -> None:
        try:
            worker = self._worker()
            self._service.body_limit = worker.body_limit or self._service.body_limit
            self._service.worker = worker
        except BaseException as error:  # noqa: BLE001  # user code may raise anything, SystemExit included
            _LOG.error("%s could not start\n%s", self._place[1], _readable(error))
            self.failed = True
            self._server.should_exit = True
            return
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        _LOG.info("%s is ready", self._place[1])


def _readable(error: BaseException) -> str:
    """The traceback with the user's frames only, or all of it when it has none; none for what is explained."""
    if isinstance(error, CannotStartError):
        return error.text
    frames = user_frames(error) or traceback.extract_tb(error.__traceback__)
    lines = traceback.format_list(frames) + traceback.format_exception_only(type(error), error)
    return "Traceback (most recent call last):\n" + "".join(lines).rstrip()


def _config(app: ChainletApp, listen: str) -> uvicorn.Config:
    """Turn `tcp:HOST:PORT` or `unix:/path.sock` into the server's settings."""
    kind, _, rest = listen.partition(":")
    host, _, port = rest.rpartition(":")
    uds: Optional[str] = rest if kind == "unix" else None
    return uvicorn.Config(
        app,
        host=host or "127.0.0.1",
        port=int(port) if kind == "tcp" else 0,
        uds=uds,
        http=Reception,
        loop="uvloop",
        ws="auto",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SEC,
        callback_notify=app.close_stale,
        timeout_notify=_SWEEP_SEC,
    )

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
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

import uvicorn

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.generation_range import GenerationRange
from chainctl.errors import ChainctlError
from chainctl.segments.sharing import SegmentSharing
from chainctl.server.app import ChainletApp
from chainctl.server.control import ControlSocket
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

if TYPE_CHECKING:
    from chainctl.worker.models.model_worker import ModelWorker

DEFAULT_LISTEN = "tcp:0.0.0.0:8000"
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
    Exits with 1 after a traceback when the chainlet cannot be created. A class with a `truss_config` is a
    model of a Truss directory, and served as such.
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
    service.serves_truss_routes = service.takes_any_media = truss_config is not None
    if manifest.generation:
        service.serves = GenerationRange(manifest.generation)
    exporter = start_exporter(os.environ, telemetry) if telemetry is not None else None
    config = _config(ChainletApp(service), os.environ.get("CHAINCTL_LISTEN", DEFAULT_LISTEN))
    config.ws_ping_interval = ping_interval_sec or _PING_SEC
    config.ws_ping_timeout = ping_timeout_sec or _PING_SEC
    server = _Server(config, service)
    sharing = SegmentSharing.opened(os.environ)
    starter = _Starter(service, server, module, qualname, manifest, sharing, truss_config)
    threading.Thread(target=starter.run, name="chainctl-boot", daemon=True).start()
    control = _control(os.environ, service)
    signal.signal(signal.SIGTERM, _keep_going)
    signal.signal(signal.SIGWINCH, lambda _number, _frame: service.leave())
    server.run()
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
        self.running: Future[asyncio.AbstractEventLoop] = Future()

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._service.loop = asyncio.get_running_loop()
        self.running.set_result(self._service.loop)
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
        server: _Server,
        module: str,
        qualname: str,
        manifest: ChainletManifest,
        sharing: Optional[SegmentSharing],
        truss_config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._sharing = sharing
        self._truss_config = truss_config
        self._service = service
        self._server = server
        self._place = (module, qualname)
        self._manifest = manifest
        self.failed = False

    def run(self) -> None:
        try:
            worker = self._booted()
            self._service.body_limit = worker.body_limit or self._service.body_limit
            self._service.worker = worker
        except BaseException as error:  # noqa: BLE001  # user code may raise anything, SystemExit included
            _LOG.error("%s could not start\n%s", self._name, _readable(error))
            self.failed = True
            self._server.should_exit = True
            return
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        _LOG.info("%s is ready", self._name)

    @property
    def _name(self) -> str:
        """The class, by which its writer knows it; those of models are all called the same."""
        return self._place[1] if self._truss_config is None else self._service.name

    def _booted(self) -> Union[InProcessWorker, ModelWorker]:
        manifest, telemetry = self._manifest, self._service.telemetry
        if self._truss_config is None:
            return boot(*self._place, manifest, telemetry, self._sharing)
        from chainctl.worker.models.boot import boot_model

        return boot_model(*self._place, self._truss_config, manifest, self._server.running.result, telemetry)


def _readable(error: BaseException) -> str:
    """The traceback with the user's frames only, or all of it when it has none.

    What we say of the user's code ourselves needs none.
    """
    own = user_frames(error)
    if not own and isinstance(error, ChainctlError):
        return str(error)
    frames = own or traceback.extract_tb(error.__traceback__)
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

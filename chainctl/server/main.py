"""The class of a chainlet in; a serving process out. Called by the shim of each image, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Optional

import uvicorn

from chainctl.calls.call_context import CURRENT_CALL
from chainctl.calls.generation_range import GenerationRange
from chainctl.segments.sharing import SegmentSharing
from chainctl.server.app import ChainletApp
from chainctl.server.control import ControlSocket
from chainctl.server.log_lines import install
from chainctl.server.otlp import start_exporter
from chainctl.server.reception import Reception
from chainctl.server.service import ChainletService
from chainctl.server.starter import Starter
from chainctl.telemetry.sampling import sampler_of
from chainctl.telemetry.telemetry import Telemetry
from chainctl.truss import alias
from chainctl.worker.boot import DEFAULT_LISTEN, ChainletManifest

_KEEP_ALIVE_SEC = 75
_SWEEP_SEC = 15
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
    if manifest.generation:
        service.serves = GenerationRange(manifest.generation)
    service.zone = manifest.zone
    exporter = start_exporter(os.environ, telemetry) if telemetry is not None else None
    app = ChainletApp(service)
    config = _config(app, os.environ.get("CHAINCTL_LISTEN", DEFAULT_LISTEN))
    config.ws_ping_interval = ping_interval_sec or _PING_SEC
    config.ws_ping_timeout = ping_timeout_sec or _PING_SEC
    server = _Server(config, service)
    sharing = SegmentSharing.opened(os.environ)
    starter = Starter(
        service,
        (module, qualname),
        manifest,
        sharing,
        truss_config,
        running=server.running.result,
        stop=server.stop,
    )
    starter.shape(app)
    threading.Thread(target=starter.run, name="chainctl-boot", daemon=True).start()
    control = _control(os.environ, service)
    signal.signal(signal.SIGTERM, lambda _number, _frame: server.stop())
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
        self.running: Future[asyncio.AbstractEventLoop] = Future()

    def stop(self) -> None:
        """Let it end, from any thread, also before it has begun.

        It handles signals itself while it runs; afterwards it raises them again, when more is to be done here.
        """
        self.should_exit = True

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._service.loop = asyncio.get_running_loop()
        self.running.set_result(self._service.loop)
        await super().startup(sockets)

    async def shutdown(self, sockets: Optional[list[socket.socket]] = None) -> None:
        self._service.drain()
        await super().shutdown(sockets)


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

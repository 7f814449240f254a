"""What a service is to run, a chainlet or what a Truss directory has, in; its worker, once booted, out."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from chainctl.errors import ChainctlError
from chainctl.sdk.chainlet import is_model
from chainctl.segments.sharing import SegmentSharing
from chainctl.server.app import ChainletApp
from chainctl.server.service import ChainletService
from chainctl.wire.fault import user_frames
from chainctl.worker.boot import ChainletManifest, boot
from chainctl.worker.in_process import InProcessWorker

if TYPE_CHECKING:
    from chainctl.worker.models.docker_server import ServerWorker
    from chainctl.worker.models.model_worker import ModelWorker
    from chainctl.worker.models.server_process import ServerProcess

_GC_THRESHOLDS = (10_000, 20, 20)
"""Each call makes some objects that stay a while, spans among them: by default they are looked through too often."""
_LOG = logging.getLogger("chainctl.server")


class Starter:
    """Boots what is served while the server already listens.

    `place` is the module and the qualified name of a class: that of a chainlet, or, with a `truss_config`, that of
    a model. `running` waits for the event loop that calls run on, `stop` ends the server.
    """

    def __init__(
        self,
        service: ChainletService,
        place: tuple[str, str],
        manifest: ChainletManifest,
        sharing: Optional[SegmentSharing],
        truss_config: Optional[Mapping[str, Any]],
        *,
        running: Callable[[], asyncio.AbstractEventLoop],
        stop: Callable[[], None],
    ) -> None:
        self._service = service
        self._place = place
        self._manifest = manifest
        self._sharing = sharing
        self._truss_config = truss_config
        self._running = running
        self._stop = stop
        self._process: Optional[ServerProcess] = None
        self.failed = False

    def shape(self, app: ChainletApp) -> None:
        """Let the service take the calls that what is served takes."""
        if self._truss_config is None:
            return
        self._service.serves_truss_routes = self._service.takes_any_media = True
        if not self._truss_config.get("docker_server"):
            return
        from chainctl.server.forwarding import ForwardingApp  # what few services do
        from chainctl.worker.models.server_process import ServerProcess
        from chainctl.worker.models.server_settings import ServerSettings

        self._process = ServerProcess(ServerSettings.of(self._truss_config), self._end)
        app.outer = ForwardingApp(self._service)

    def run(self) -> None:
        """Boot; what goes wrong is logged, and ends the server."""
        try:
            worker = self._booted()
            self._service.body_limit = worker.body_limit or self._service.body_limit
            self._service.worker = worker
        except BaseException as error:  # noqa: BLE001  # user code may raise anything, SystemExit included
            _LOG.error("%s could not start\n%s", self._name, _readable(error))
            self.failed = True
            self._stop()
            return
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        _LOG.info("%s is ready", self._name)

    def close(self) -> None:
        """End what was started beside this process."""
        if self._process is not None:
            self._process.stop()

    @property
    def _name(self) -> str:
        """The class, by which its writer knows it; those of models are all called the same."""
        return self._place[1] if self._truss_config is None else self._service.name

    def _end(self, why: str) -> None:
        """End the service, because it has nothing to serve with any more."""
        _LOG.error("%s: the service ends", why)
        self.failed = True
        self._stop()

    def _booted(self) -> Union[InProcessWorker, ModelWorker, ServerWorker]:
        manifest, telemetry = self._manifest, self._service.telemetry
        if self._truss_config is None:
            worker = boot(*self._place, manifest, telemetry, self._sharing, self._service.awaited)
            is_a_model = is_model(type(worker.servings.newest.instance))
            self._service.serves_truss_routes = self._service.takes_any_media = is_a_model
            return worker
        if self._process is not None:
            from chainctl.worker.models.docker_server import boot_server

            return boot_server(self._truss_config, manifest, self._process, telemetry)
        from chainctl.worker.models.boot import boot_model

        name = self._service.name
        return boot_model(*self._place, self._truss_config, manifest, self._running, telemetry, name)


def _readable(error: BaseException) -> str:
    """The traceback with the user's frames only, or all of it when it has none.

    What we say of the user's code ourselves needs none.
    """
    own = user_frames(error)
    if not own and isinstance(error, ChainctlError):
        return "\n".join([str(error), *error.details])
    frames = own or traceback.extract_tb(error.__traceback__)
    lines = traceback.format_list(frames) + traceback.format_exception_only(type(error), error)
    return "Traceback (most recent call last):\n" + "".join(lines).rstrip()

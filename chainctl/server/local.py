"""A chain file's entrypoint and a fidelity in; one result, or a server in this process, out.

`python -m chainctl.server.local DESCRIPTOR` reads a request as JSON from stdin and writes one
answer, JSON too, to the file descriptor. It is the child of `chainctl run-local`: user code runs here.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Optional, Union

import uvicorn

from chainctl.sdk.declaration import declaration_of
from chainctl.server.app import ChainletApp
from chainctl.server.reception import Reception
from chainctl.server.service import ChainletService
from chainctl.truss import alias
from chainctl.wire.fault import RemoteErrorDetail, error_body
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.local import LocalFidelity, run_local
from chainctl.worker.worker import Call, Reply, Worker

if TYPE_CHECKING:
    from chainctl.worker.models.model_worker import ModelWorker

_BACKLOG = 1024


@dataclass(frozen=True)
class LocalRequest:
    """What to run. `body` is the JSON of the arguments; None means: serve on `port`.

    `urls` and `fakes` (module and class) stand for chainlets, by display name. With `shares_port` an
    older process of the same run may have the port, too: it serves until this one can. A class with a
    `truss_config` is the model of a Truss directory.
    """

    paths: list[str]
    module: str
    qualname: str
    fidelity: str
    secrets: Mapping[str, str]
    body: Optional[str] = None
    port: int = 0
    urls: Mapping[str, str] = field(default_factory=dict)
    fakes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    shares_port: bool = False
    truss_config: Optional[Mapping[str, Any]] = None


def main(descriptor: int) -> None:
    """Do what the request says; the answer is `{"status", "body"}` or `{"failed", …}`."""
    request = LocalRequest(**json.load(sys.stdin))
    sys.path[:0] = request.paths
    alias.install()
    with _event_loop(serves=request.body is None) as loop:
        try:
            worker = boot_local(request, loop)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary to user code
            detail = RemoteErrorDetail.of(error)
            _answer(descriptor, {"failed": detail.model_dump(), "text": detail.format()})
            return
        if request.body is None:
            serve_local(worker, request, descriptor, loop)
        else:
            reply = loop.run_until_complete(run_once(worker, request.body.encode()))
            _answer(descriptor, reply)


@contextlib.contextmanager
def _event_loop(*, serves: bool) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop on which a model is loaded and then called; what is under way at the end is ended."""
    loop = _fast_loop() if serves else asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(_wind_up(asyncio.all_tasks(loop)))
        loop.close()


async def _wind_up(left: set[asyncio.Task[Any]]) -> None:
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def _fast_loop() -> asyncio.AbstractEventLoop:
    """The loop that services have in images, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def boot_local(request: LocalRequest, loop: asyncio.AbstractEventLoop) -> Union[InProcessWorker, ModelWorker]:
    """Create the entrypoint and all that it depends on in this process. Raises what user code raises.

    Calls run on `loop` afterwards: a model is loaded there.
    """
    if request.truss_config is not None:
        from chainctl.worker.models.boot import data_beside, loaded_model
        from chainctl.worker.models.fetch import fetched_here
        from chainctl.worker.models.site import ModelSite

        data_dir = fetched_here(request.truss_config, request.secrets, data_beside(request.module))
        site = replace(ModelSite.here(request.secrets), data_dir=data_dir)
        return loaded_model(request.module, request.qualname, request.truss_config, site, lambda: loop)
    cls = _loaded(request.module, request.qualname)
    stand_ins = {**request.urls, **{name: _loaded(*place) for name, place in request.fakes.items()}}
    fidelity = LocalFidelity(request.fidelity)
    with run_local(secrets=request.secrets, fidelity=fidelity, stand_ins=stand_ins):
        return InProcessWorker(declaration_of(cls), cls())


def _loaded(module: str, qualname: str) -> Any:
    value: Any = importlib.import_module(module)
    for part in qualname.split("."):
        value = getattr(value, part)
    return value


async def run_once(worker: Worker, body: bytes) -> dict[str, Any]:
    """Run one call and collect its answer; a stream that fails half-way is a failure."""
    reply = await worker.call(Call(body))
    if reply.parts is not None:
        return {"status": reply.status, "body": b"".join(reply.parts).decode(errors="replace")}
    stream: Any = reply.body
    try:
        chunks = [chunk async for chunk in stream]
    except Exception as error:  # noqa: BLE001  # the boundary to user code
        reply = Reply(500, error_body("stream", f"{type(error).__name__}: {error}"))
        return {"status": reply.status, "body": error_body("stream", str(error)).decode()}
    return {"status": reply.status, "body": b"".join(chunks).decode(errors="replace")}


def serve_local(
    worker: Worker, request: LocalRequest, descriptor: int, loop: asyncio.AbstractEventLoop
) -> None:
    """Serve the entrypoint on loopback until interrupted; says when it listens, or why it cannot."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if request.shares_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(("127.0.0.1", request.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        _answer(descriptor, {"refused": error.strerror})
        return
    _answer(descriptor, {"listening": f"http://127.0.0.1:{listener.getsockname()[1]}"})
    service = ChainletService(request.qualname)
    service.worker = worker
    service.serves_truss_routes = service.takes_any_media = request.truss_config is not None
    config = uvicorn.Config(
        ChainletApp(service),
        host="127.0.0.1",
        port=request.port,
        lifespan="off",
        http=Reception,
        log_config=None,
        access_log=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_until_complete(uvicorn.Server(config).serve(sockets=[listener]))


def _answer(descriptor: int, value: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "w") as out:
        json.dump(value, out)


if __name__ == "__main__":
    main(int(sys.argv[1]))

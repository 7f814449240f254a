"""A chainlet and what stands for it in; the URL at which that answers, from a thread of this process, out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainctl.sdk.context import DeploymentContext, Secrets
from chainctl.sdk.declaration import CONTEXT, declaration_of
from chainctl.testing.recorded import Recorder
from chainctl.worker.resolvers import call_refusing

_END_SEC = 10


@contextmanager
def served_fake(chainlet: type, fake: Any, recorder: Recorder) -> Iterator[str]:
    """Serve a fake on loopback; each of its calls is recorded as one of the chainlet."""
    import uvicorn

    from chainctl.server.app import ChainletApp
    from chainctl.server.reception import Reception
    from chainctl.server.service import ChainletService
    from chainctl.worker.in_process import InProcessWorker

    declaration = declaration_of(chainlet)
    service = ChainletService(declaration.display_name)
    service.worker = InProcessWorker(declaration, recorder.around(declaration, _made(fake)))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            ChainletApp(service), lifespan="off", http=Reception, log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="fake", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_END_SEC)


def _made(fake: Any) -> Any:
    """Make an object of a class; its context has no secret and no other service."""
    if not isinstance(fake, type):
        return fake
    context = DeploymentContext(chainlet_to_service={}, secrets=Secrets.given({}, frozenset()), data_dir=None)
    given = {CONTEXT: context} if declaration_of(fake).wants_context else {}
    return call_refusing(lambda: type.__call__(fake, **given))

"""A chainlet and what stands for it in; the URL at which that answers, from a thread of this process, out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chainctl.sdk.context import DeploymentContext, Secrets
from chainctl.sdk.declaration import CONTEXT, declaration_of
from chainctl.testing.recorded import Recorder
from chainctl.worker.resolvers import call_refusing

_END_SEC = 10


@contextmanager
def served_fake(chainlet: type, fake: Any, recorder: Recorder, secrets: Mapping[str, str]) -> Iterator[str]:
    """Serve a fake on loopback; each of its calls is recorded as one of the chainlet."""
    import uvicorn

    from chainctl.calls.client_loop import ClientLoop
    from chainctl.server.app import ChainletApp
    from chainctl.server.reception import Reception
    from chainctl.server.service import ChainletService
    from chainctl.worker.in_process import InProcessWorker
    from chainctl.worker.inline import inline_chainlet

    declaration = declaration_of(chainlet)
    service = ChainletService(declaration.display_name)
    made = inline_chainlet(_made(fake, secrets), ClientLoop())
    as_called = replace(declaration, stages=None)  # a fake has the stages of its own class, if any
    service.worker = InProcessWorker(as_called, recorder.around(declaration, made))
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


def _made(fake: Any, secrets: Mapping[str, str]) -> Any:
    """Make an object of a class; its context has the secrets that it declares, and no other service."""
    if not isinstance(fake, type):
        return fake
    declaration = declaration_of(fake)
    declared = frozenset(declaration.config.assets.secret_keys)
    context = DeploymentContext(
        chainlet_to_service={}, secrets=Secrets.given(secrets, declared), data_dir=None
    )
    given = {CONTEXT: context} if declaration.wants_context else {}
    return call_refusing(lambda: type.__call__(fake, **given))

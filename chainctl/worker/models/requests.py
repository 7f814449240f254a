"""A call in; the request or the websocket that user code was written for, of starlette, out.

Who annotates with these classes has starlette; it is not installed for anybody else.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import MutableMapping
from typing import Any, Optional

from chainctl.errors import MissingDependencyError
from chainctl.sdk.websocket import WebSocketDisconnect, WebSocketProtocol
from chainctl.wire.media import JSON
from chainctl.worker.models.body import inner_value, json_bytes
from chainctl.worker.worker import Call, Heading

_OURS = b"x-chainctl-"
_PLAIN = Heading("POST", "/run_remote")
Message = MutableMapping[str, Any]


def require_requests(of: str) -> None:
    """See that requests can be made, before there are any. Raises MissingDependencyError."""
    try:
        import starlette.requests  # noqa: F401  # it is asked whether it is there
    except ImportError:
        raise MissingDependencyError(
            f"`{of}` takes the request, and starlette is not installed here",
            hint="add `starlette`, or `fastapi`, to `requirements` in config.yaml.",
        ) from None


def request_of(call: Call, of: str) -> Any:
    """Make the request of a call; one from the same chain has its input as its body."""
    from starlette.requests import Request

    heading, body, media = call.heading or _PLAIN, bytes(call.body), call.media
    if call.is_inner:
        body, media = json_bytes(inner_value(media, body), of), JSON
    headers = {name: value for name, value in heading.headers.items() if not name.startswith(_OURS)}
    headers[b"content-type"] = media.encode("latin-1") if call.is_inner else headers.get(b"content-type", b"")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": heading.method,
        "path": heading.path,
        "raw_path": heading.path.encode("latin-1", "replace"),
        "root_path": "",
        "query_string": heading.query.encode("latin-1"),
        "headers": [(name, value) for name, value in headers.items() if value],
        "server": None,
        "client": None,
        "state": {},
    }
    return Request(scope, _Body(body))


class _Body:
    """Gives the whole body once. A client that goes away ends the call, so nothing is told of it here."""

    def __init__(self, body: bytes) -> None:
        self._body: Optional[bytes] = body

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        message: Message = await asyncio.get_running_loop().create_future()
        return message


def websocket_of(socket: WebSocketProtocol) -> Any:
    """A connection as user code knows it: that of starlette where it is used here, else ours."""
    starlette = sys.modules.get("starlette.websockets")
    channel = getattr(socket, "channel", None)
    if starlette is None or channel is None:
        return socket
    made = starlette.WebSocket(*channel())
    made.client_state = made.application_state = starlette.WebSocketState.CONNECTED
    return made


def as_disconnect(error: Exception) -> Optional[WebSocketDisconnect]:
    """The error by which we say that the other side is gone, for the one of starlette; None for another error."""
    starlette = sys.modules.get("starlette.websockets")
    if starlette is None or not isinstance(error, starlette.WebSocketDisconnect):
        return None
    return WebSocketDisconnect(error.code, error.reason)

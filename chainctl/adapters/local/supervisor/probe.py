"""A service's socket in, its health answer out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.local.front_door import upstream
from chainctl.adapters.local.front_door.body import Body
from chainctl.adapters.local.front_door.upstream import UpstreamLink

PROBE_SEC = 5.0
_BODY_LIMIT = 64 * 1024
_REQUEST = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """What a service said of itself. `body` says why it is not ready."""

    is_ready: bool
    body: str


async def probe(socket: Path) -> HealthAnswer:
    """Ask a service whether it is ready; one that cannot be asked is not."""
    try:
        async with asyncio.timeout(PROBE_SEC):
            link = await upstream.connect(socket)
            return await _ask(link)
    except TimeoutError:
        return HealthAnswer(False, f"no health answer within {PROBE_SEC:g} s")
    except ConnectionError as error:
        return HealthAnswer(False, str(error))


async def _ask(link: UpstreamLink) -> HealthAnswer:
    try:
        link.begin(b"GET")
        link.write([_REQUEST])
        response = await link.next_response()
        text = await _text_of(response.body)
        return HealthAnswer(response.head.status == 200, text)
    finally:
        link.abort()


async def _text_of(body: Body) -> str:
    data = b""
    while len(data) < _BODY_LIMIT and (more := await body.read()):
        data += more
    return data[:_BODY_LIMIT].decode(errors="replace")

"""`bentoml serve bento_app:Entry`: BentoML services; raw octets come in by a mounted ASGI route, its own way for them."""

import asyncio

import bentoml
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def raw_array(request: Request) -> Response:
    entry = bentoml.get_current_service()
    array = np.frombuffer(await request.body(), np.float32)
    array = await entry.inner.array(array=array)
    return Response(np.ascontiguousarray(array).tobytes(), media_type="application/octet-stream")


web = Starlette(routes=[Route("/array", raw_array, methods=["POST"])])


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Inner:
    @bentoml.api
    async def number(self, n: int) -> int:
        return n + 1

    @bentoml.api
    async def array(self, array: np.ndarray) -> np.ndarray:
        return array


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(web, path="/raw")
class Entry:
    inner = bentoml.depends(Inner)

    @bentoml.api
    async def hop(self, n: int) -> int:
        return await self.inner.number(n=n)

    @bentoml.api
    async def fan(self, n: int) -> int:
        return sum(await asyncio.gather(*(self.inner.number(n=n + i) for i in range(16))))

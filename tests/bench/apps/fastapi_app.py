"""`python fastapi_app.py PORT [INNER_PORT] [aiohttp|httpx]`: FastAPI on uvicorn, calling with aiohttp or httpx."""

import asyncio
import sys

import fastapi
import numpy as np
import pydantic
import uvicorn

OCTETS = "application/octet-stream"


class Number(pydantic.BaseModel):
    n: int


class AiohttpCaller:
    def __init__(self, base):
        import aiohttp

        self._base = base
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def number(self, n):
        async with self._session.post(f"{self._base}/hop", json={"n": n}) as answer:
            answer.raise_for_status()
            return Number.model_validate_json(await answer.read()).n

    async def array(self, array):
        headers = {"content-type": OCTETS}
        async with self._session.post(f"{self._base}/array", data=memoryview(array).cast("B"), headers=headers) as a:
            a.raise_for_status()
            return np.frombuffer(await a.read(), np.float32)


class HttpxCaller:
    def __init__(self, base):
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(base_url=base, limits=limits, timeout=60)

    async def number(self, n):
        answer = await self._client.post("/hop", json={"n": n})
        answer.raise_for_status()
        return Number.model_validate_json(answer.content).n

    async def array(self, array):
        answer = await self._client.post("/array", content=array.tobytes(), headers={"content-type": OCTETS})
        answer.raise_for_status()
        return np.frombuffer(answer.content, np.float32)


def inner_app():
    app = fastapi.FastAPI()

    @app.get("/readyz")
    async def readyz():
        return {}

    @app.post("/hop")
    async def hop(number: Number) -> Number:
        return Number(n=number.n + 1)

    @app.post("/array")
    async def array(request: fastapi.Request):
        array = np.frombuffer(await request.body(), np.float32)
        return fastapi.Response(array.tobytes(), media_type=OCTETS)

    return app


def entry_app(make_caller):
    app = fastapi.FastAPI()
    callers = []

    def caller():
        if not callers:
            callers.append(make_caller())
        return callers[0]

    @app.get("/readyz")
    async def readyz():
        return {}

    @app.post("/hop")
    async def hop(number: Number) -> Number:
        return Number(n=await caller().number(number.n))

    @app.post("/fan")
    async def fan(number: Number) -> Number:
        return Number(n=sum(await asyncio.gather(*(caller().number(number.n + i) for i in range(16)))))

    @app.post("/array")
    async def array(request: fastapi.Request):
        array = await caller().array(np.frombuffer(await request.body(), np.float32))
        return fastapi.Response(array.tobytes(), media_type=OCTETS)

    return app


if __name__ == "__main__":
    port, *rest = sys.argv[1:]
    if rest:
        kind = {"aiohttp": AiohttpCaller, "httpx": HttpxCaller}[rest[1]]
        app = entry_app(lambda: kind(f"http://127.0.0.1:{rest[0]}"))
    else:
        app = inner_app()
    settings = {"loop": "uvloop", "http": "httptools", "access_log": False, "timeout_keep_alive": 75}
    uvicorn.run(app, host="127.0.0.1", port=int(port), **settings)

"""`python litserve_app.py PORT CALL [INNER_PORT]`: a LitServe API; it takes JSON only, so arrays come as base64."""

import asyncio
import base64
import sys

import aiohttp
import litserve
import numpy as np


def array_of(text):
    return np.frombuffer(base64.b64decode(text), np.float32)


def text_of(array):
    return base64.b64encode(memoryview(array).cast("B")).decode()


class Inner(litserve.LitAPI):
    def setup(self, device):
        pass

    async def decode_request(self, request):
        return request

    async def predict(self, told):
        if "data" in told:
            return {"data": text_of(array_of(told["data"]))}
        return {"n": told["n"] + 1}

    async def encode_response(self, output):
        return output


class Entry(Inner):
    def __init__(self, call, inner, **kwargs):
        super().__init__(**kwargs)
        self._call, self._url = call, f"http://127.0.0.1:{inner}/predict"
        self._session = None

    async def _post(self, told):
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._session.post(self._url, json=told) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def predict(self, told):
        if self._call == "array":
            answer = await self._post({"data": text_of(array_of(told["data"]))})
            return {"data": text_of(array_of(answer["data"]))}
        times = 16 if self._call == "fan" else 1
        answers = await asyncio.gather(*(self._post({"n": told["n"] + i}) for i in range(times)))
        return {"n": sum(answer["n"] for answer in answers)}


if __name__ == "__main__":
    port, call, *inner = sys.argv[1:]
    api = Entry(call, inner[0], enable_async=True) if inner else Inner(enable_async=True)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60, fast_queue=True)
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, log_level="warning", generate_client_file=False,
               timeout_keep_alive=75)

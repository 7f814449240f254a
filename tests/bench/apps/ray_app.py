"""`python ray_app.py PORT DIRECTORY`: Ray Serve; deployments call each other by handles, the proxy takes HTTP."""

import asyncio
import signal
import sys

import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

MANY = {"num_cpus": 0}


@serve.deployment(ray_actor_options=MANY, max_ongoing_requests=256)
class Inner:
    async def number(self, n):
        return n + 1

    async def array(self, array):
        return array


@serve.deployment(ray_actor_options=MANY, max_ongoing_requests=256)
class Entry:
    def __init__(self, inner):
        self._inner = inner

    async def __call__(self, request: Request):
        path = request.url.path
        if path == "/array":
            array = np.frombuffer(await request.body(), np.float32)
            array = await self._inner.array.remote(array)
            return Response(array.tobytes(), media_type="application/octet-stream")
        n = (await request.json())["n"]
        times = 16 if path == "/fan" else 1
        return {"n": sum(await asyncio.gather(*(self._inner.number.remote(n + i) for i in range(times))))}


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False, object_store_memory=512 << 20,
             address="local", configure_logging=False, _temp_dir=sys.argv[2])
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1]), "keep_alive_timeout_s": 75},
                logging_config={"enable_access_log": False})
    serve.run(Entry.bind(Inner.bind()), route_prefix="/")
    print("serving", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()

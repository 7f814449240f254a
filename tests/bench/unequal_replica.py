"""`python -m tests.bench.unequal_replica HOST PORT PACE`: work in, one call at a time; how much longer it took out."""

from __future__ import annotations

import asyncio
import sys
import time


async def serve(host: str, port: int, pace_sec: float) -> None:
    """Answer `/openz` at once, and calls one after the other: a body is how often it takes the pace."""
    place = asyncio.Lock()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                said = b""
                if head.startswith(b"POST"):
                    async with place:
                        began, work_sec = time.perf_counter(), float(body) * pace_sec
                        await asyncio.sleep(work_sec)
                        said = b"%f" % (time.perf_counter() - began - work_sec)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(exchange, host, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))

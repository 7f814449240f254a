"""`python -m tests.bench.unequal_replica HOST PORT PACE`: work in, one call at a time; the host out, after so long."""

from __future__ import annotations

import asyncio
import sys


async def serve(host: str, port: int, pace_sec: float) -> None:
    """Answer `/openz` at once, and calls one after the other: a body is how often it takes the pace."""
    place = asyncio.Lock()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                if head.startswith(b"POST"):
                    async with place:
                        await asyncio.sleep(float(body) * pace_sec)
                said = host.encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(exchange, host, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))

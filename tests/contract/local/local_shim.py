"""The text of a small service that keeps the contract of a chainlet process, without the runtime."""

SHIM = """
import asyncio, json, os, signal, subprocess, sys
from pathlib import Path

NAME = os.environ["CHAINCTL_SERVICE"]
TOKEN = (Path(os.environ["CHAINCTL_SECRETS_DIR"]) / ".chainctl-token").read_text()
busy = 0
idle = asyncio.Event()
idle.set()


def own():
    directory = Path(os.environ["CHAINCTL_SECRETS_DIR"])
    return {
        "name": NAME,
        "pid": os.getpid(),
        "chain": os.environ["CHAINCTL_CHAIN"],
        "chainlet": os.environ["CHAINCTL_CHAINLET"],
        "services": json.loads(os.environ["CHAINCTL_SERVICES"]),
        "secrets": {p.name: p.read_text() for p in directory.iterdir()},
        "modes": {p.name: oct(p.stat().st_mode & 0o777) for p in [directory, *directory.iterdir()]},
        "threads": os.environ["OMP_NUM_THREADS"],
        "env": sorted(os.environ),
        "cwd": os.getcwd(),
    }


def answer(writer, status, body):
    data = json.dumps(body).encode()
    writer.write(b"HTTP/1.1 %d X\\r\\ncontent-length: %d\\r\\n\\r\\n" % (status, len(data)) + data)


async def serve_one(head, body, writer):
    path = head.split(b" ")[1].decode()
    if path == "/healthz":
        return answer(writer, 200, {})
    if path == "/readyz":
        is_ready = "NOT_READY" not in os.environ
        return answer(writer, 200 if is_ready else 503, {"why": "weights are loading"})
    if f"x-chainctl-token: {TOKEN}".encode() not in head.lower():
        return answer(writer, 401, {})
    if path.startswith("/-/"):
        return answer(writer, 404 if path == "/-/missing" else 200, {"service": NAME, "path": path})
    if path == "/crash":
        print("about to crash", flush=True)
        os._exit(3)
    if path == "/slow":
        print("slow begins", flush=True)
        await asyncio.sleep(float(body))
    if path == "/say":
        print(body.decode(), flush=True)
    if path == "/child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return answer(writer, 200, {"pid": child.pid})
    answer(writer, 200, own())


async def serve(reader, writer):
    global busy
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            busy += 1
            idle.clear()
            try:
                length = [l for l in head.lower().split(b"\\r\\n") if l.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                await serve_one(head, body, writer)
                await writer.drain()
            finally:
                busy -= 1
                if not busy:
                    idle.set()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    if "FAIL" in os.environ:
        print("loading weights", flush=True)
        raise ValueError("no such weights")
    path = os.environ["CHAINCTL_LISTEN"].removeprefix("unix:")
    server = await asyncio.start_unix_server(serve, path)
    os.chmod(path, 0o600)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    if "DEAF" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    print(f"{NAME} listens", flush=True)
    await ended.wait()
    server.close()
    await idle.wait()
    print("drained", flush=True)
    os._exit(0)


asyncio.run(main())
"""

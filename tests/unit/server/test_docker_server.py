"""A service whose image brings a server: started, asked through ours as it comes, told of callers gone, ended."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chainctl.worker.boot import ChainletManifest
from chainctl.worker.models.cannot_start import CannotStartError
from chainctl.worker.models.docker_server import boot_server
from chainctl.worker.models.server_process import ServerProcess
from chainctl.worker.models.server_settings import ServerSettings
from tests.unit.server.test_served_process import messages_of

_PATIENCE_SEC = 20
TOKEN = {"x-chainctl-token": "internal"}

_SHIM = """
from pathlib import Path
from chainctl.server.main import serve

here = Path(__file__).resolve().parent
serve(name="Llm", module="model.model", qualname="Model", app_dir=here, truss_config={config!r})
"""

_UPSTREAM = '''
"""A server in a few lines: it tells what it was asked, streams, and notes who went away."""
import asyncio, json, os, sys, uvicorn

gone = []
running = 0
most = 0
released = {}

async def app(scope, receive, send):
    global running, most
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        if scope["path"] == "/refused":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
        await send({"type": "websocket.send", "text": scope["path"] + "?" + scope["query_string"].decode()})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
                return
            kind = "text" if message.get("text") is not None else "bytes"
            await send({"type": "websocket.send", kind: message[kind]})
        gone.append(f"websocket {message.get('code')}")
        return
    path = scope["path"]
    if path == "/exit":
        print("out of memory, as it seems", flush=True)
        os._exit(7)
    if path == "/gone":
        return await answer(send, 200, json.dumps([gone, most]).encode())
    if path == "/release":
        release(scope["query_string"].decode()).set()
        return await answer(send, 200, b"")
    if path == "/upload":
        size = count = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.append("upload")
                return
            size += len(message["body"])
            count += 1
            if not message["more_body"]:
                return await answer(send, 200, json.dumps([size, count > 1]).encode())
            if count == 1:
                print("upload begins", flush=True)
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\\n\\n", "more_body": True})
        waiting, left = asyncio.ensure_future(release("stream").wait()), asyncio.ensure_future(disconnected(receive))
        await asyncio.wait({waiting, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            gone.append("stream")
            return
        await send({"type": "http.response.body", "body": b"data: 2\\n\\n"})
        return
    if path == "/break":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    body += message["body"]
    running += 1
    most = max(most, running)
    if body == b"slow":
        print("slow begins", flush=True)
        waiting, left = asyncio.ensure_future(release("slow").wait()), asyncio.ensure_future(disconnected(receive))
        await asyncio.wait({waiting, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            gone.append("slow")
    running -= 1
    seen = {
        "method": scope["method"],
        "target": scope["raw_path"].decode() + "?" + scope["query_string"].decode(),
        "headers": [[n.decode(), v.decode()] for n, v in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    status = int(body) if body.isdigit() else 200
    await answer(send, status, json.dumps(seen).encode(), [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")])

def release(what):
    return released.setdefault(what, asyncio.Event())

async def disconnected(receive):
    while (await receive())["type"] != "http.disconnect":
        pass

async def answer(send, status, body, more=()):
    length = [(b"content-length", str(len(body)).encode())]
    headers = [(b"content-type", b"application/json"), *length, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

print("loading weights", flush=True)
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", lifespan="off")
'''


@dataclass
class Served:
    """Our process, its directory, and what it has written so far."""

    process: subprocess.Popen[bytes]
    app: Path
    written: Path

    @property
    def socket(self) -> Path:
        return self.app / "s.sock"

    @contextlib.contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        with contextlib.closing(http.client.HTTPConnection("localhost", timeout=_PATIENCE_SEC)) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_PATIENCE_SEC)
            connection.sock.connect(str(self.socket))
            yield connection

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        with self.connection() as connection:
            connection.request(method, path, body, TOKEN if headers is None else headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def seen(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """What the server saw of a request."""
        status, _, data = self.ask(method, path, body, {**TOKEN, **headers})
        assert status == 200, data
        found: dict[str, Any] = json.loads(data)
        return found

    def gone(self) -> list[str]:
        gone: list[str] = json.loads(self.ask("GET", "/gone")[2])[0]
        return gone

    @property
    def log(self) -> str:
        return messages_of(self.written.read_bytes())

    def until(self, condition: Any) -> None:
        """Wait until something is so."""
        turn = threading.Event()
        for _ in range(_PATIENCE_SEC * 50):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if condition():
                    return
            turn.wait(0.02)
        raise AssertionError(f"it did not come true; the log: {self.log}")

    def is_ready(self) -> bool:
        return self.ask("GET", "/readyz")[0] == 200


@contextlib.contextmanager
def serving(directory: Path, command: str = "", **more: Any) -> Iterator[Served]:
    """Start a service with a server; end both at the end."""
    app, secrets = directory / "app", directory / "secrets"
    app.mkdir(parents=True)
    secrets.mkdir()
    (app / "upstream.py").write_text(_UPSTREAM)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = {
        "start_command": command or f"{sys.executable} {app}/upstream.py {port}",
        "server_port": port,
        "predict_endpoint": "/generate",
        "readiness_endpoint": "/health",
        "liveness_endpoint": "/alive",
    }
    (app / "serve.py").write_text(_SHIM.format(config={"docker_server": server, **more}))
    (secrets / ".chainctl-token").write_text("internal\n")
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "CHAINCTL_LISTEN": f"unix:{app}/s.sock",
        "CHAINCTL_SECRETS_DIR": str(secrets),
        "CHAINCTL_SERVICE": "demo-llm-12345678",
    }
    written = directory / "log"
    with written.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(app / "serve.py")], stdout=log, stderr=log, env=environ
        )
    served = Served(process, app, written)
    try:
        yield served
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_SEC)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests that leave it as it is."""
    with serving(tmp_path_factory.mktemp("s")) as served:
        served.until(served.is_ready)
        yield served


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/run_remote", "/generate?"),
        ("/v1/models/model:predict?a=%20b", "/generate?a=%20b"),
        ("/invocations", "/generate?"),
        ("/", "/alive?"),
        ("/v1/models/model", "/health?"),
        ("/v1/models", "/v1/models?"),
        ("/v1/models/org/name:predict", "/v1/models/org/name:predict?"),
        ("/v1/chat%2Fcompletions?x=1&x=2", "/v1/chat%2Fcompletions?x=1&x=2"),
        ("/openapi.json", "/openapi.json?"),
    ],
)
def test_paths_of_truss_lead_to_its_own_and_others_stay(served: Served, path: str, target: str) -> None:
    """As they were written, with their queries."""
    assert served.seen("POST", path, b"hi")["target"] == target


def test_a_request_arrives_as_it_was_sent(served: Served) -> None:
    """Method, body and headers of any kind; not those of a connection, nor the chain's own."""
    seen = served.seen(
        "PATCH", "/run_remote", b"\x00\xff", **{
            "Content-Type": "image/png", "Authorization": "Bearer user", "Connection": "x-hop, close",
            "X-Hop": "1", "X-Kept": "2", "TE": "trailers", "Cookie": "a=b", "x-chainctl-door": "1",
            "x-request-id": "mine", "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        },
    )  # fmt: skip
    headers = dict(seen["headers"])
    assert (seen["method"], seen["body"]) == ("PATCH", "\x00\xff")
    assert {n: headers[n] for n in ("content-type", "authorization", "x-kept", "cookie", "content-length")} == {
        "content-type": "image/png", "authorization": "Bearer user", "x-kept": "2", "cookie": "a=b",
        "content-length": "2",
    }  # fmt: skip
    assert not [name for name in headers if name in ("x-hop", "te", "connection") or "chainctl" in name]
    assert headers["x-request-id"] == "mine"
    assert headers["traceparent"].split("-")[1] == "a" * 32
    assert headers["traceparent"].split("-")[2] != "b" * 16


def test_an_answer_comes_back_as_it_was_given(served: Served) -> None:
    """Status, all headers, also several of one name; it says which id the call had."""
    status, headers, body = served.ask("POST", "/run_remote", b"418")
    assert status == 418
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers.get_all("content-length") == [str(len(body))]
    assert len(headers.get_all("date") or []) == 1
    assert headers["x-request-id"]
    status, headers, body = served.ask("HEAD", "/some/file")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert served.ask("GET", "/again")[0] == 200


def test_strangers_are_kept_out_and_the_health_routes_are_ours(served: Served) -> None:
    """The server itself has no key of the chain."""
    assert served.ask("POST", "/run_remote", b"hi", {})[0] == 401
    assert served.ask("GET", "/metrics", headers={})[0] == 401
    assert served.ask("GET", "/healthz", headers={})[::2] == (200, b'{"status": "ok"}')
    assert b"chainctl_call_duration_seconds_count" in served.ask("GET", "/metrics")[2]
    assert served.ask("POST", "/-/run_remote", b"{}", {**TOKEN, "x-chainctl-door": "1"})[0] == 404


def test_a_chainlet_of_the_chain_calls_the_predict_path(served: Served) -> None:
    """Through the lean protocol, as all calls within a chain. What it gives is the body, whole."""
    media = {"content-type": "application/json"}
    seen = served.seen("POST", "/-/run_remote", b'{"model_input": {"a": 1}}', **media)
    assert (seen["target"], seen["body"]) == ("/generate?", '{"a":1}')
    assert served.ask("POST", "/-/run_remote", b'{"a": 1}', {**TOKEN, **media})[0] == 422


def test_bodies_are_passed_on_as_they_come(served: Served) -> None:
    """A long one in pieces, with its length or in chunks; neither is gathered here first."""
    size, before = 3_000_000, served.log.count("upload begins")
    assert json.loads(served.ask("POST", "/upload", b"x" * size)[2]) == [size, True]
    chunks = iter([b"x" * 1_000_000] * 3)
    assert json.loads(served.ask("POST", "/upload", chunks)[2]) == [size, True]
    with served.connection() as connection:
        _begin_upload(connection)
        served.until(lambda: served.log.count("upload begins") == before + 3)
        connection.send(b"x" * 100_000)
        assert json.loads(connection.getresponse().read()) == [200_000, True]


def test_an_answer_is_passed_on_as_it_comes(served: Served) -> None:
    """Its first event is here while the server has not made the second."""
    with served.connection() as connection:
        connection.request("GET", "/stream", headers=TOKEN)
        response = connection.getresponse()
        assert response.headers["content-type"] == "text/event-stream"
        assert response.read1() == b"data: 1\n\n"
        assert served.ask("GET", "/release?stream")[0] == 200
        assert response.read() == b"data: 2\n\n"


def test_an_answer_that_breaks_off_is_not_taken_for_whole(served: Served) -> None:
    """It breaks off for the caller as well, and is told in a line."""
    with pytest.raises(http.client.IncompleteRead):
        served.ask("GET", "/break")
    served.until(lambda: "the server of Llm broke off in the middle of an answer" in served.log)
    assert "Traceback" not in served.log


def test_the_server_hears_of_callers_who_go_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    """While it works, while it streams, and in the middle of a request."""
    with serving(tmp_path_factory.mktemp("s"), runtime={"predict_concurrency": 1}) as served:
        served.until(served.is_ready)
        for begin, said in (
            (_begin_slow, "slow begins"),
            (_begin_stream, ""),
            (_begin_upload, "upload begins"),
        ):
            with served.connection() as connection:
                begin(connection)
                served.until(lambda said=said: said in served.log)
        served.until(lambda: sorted(served.gone()) == ["slow", "stream", "upload"])
        assert "Traceback" not in served.log


def _begin_slow(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/run_remote", b"slow", TOKEN)


def _begin_stream(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/stream", headers=TOKEN)
    assert connection.getresponse().read1() == b"data: 1\n\n"


def _begin_upload(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/upload")
    connection.putheader("content-length", "200000")
    connection.putheader("x-chainctl-token", "internal")
    connection.endheaders(b"x" * 100_000)


def test_a_deadline_holds(served: Served) -> None:
    """The caller is answered, and the server hears that nobody waits."""
    before = served.gone().count("slow")
    status, _, body = served.ask("POST", "/run_remote", b"slow", {**TOKEN, "x-chainctl-timeout-ms": "300"})
    assert (status, json.loads(body)["error"]["kind"]) == (504, "deadline")
    served.until(lambda: served.gone().count("slow") == before + 1)


@pytest.mark.parametrize(("limit", "most"), [(1, 4), (2, 2)])
def test_a_written_limit_bounds_calls(
    tmp_path_factory: pytest.TempPathFactory, limit: int, most: int
) -> None:
    """1 is what a configuration says that says nothing: the server takes as many as come."""
    with serving(tmp_path_factory.mktemp("s"), runtime={"predict_concurrency": limit}) as served:
        served.until(served.is_ready)
        threads = [threading.Thread(target=served.ask, args=("POST", "/generate", b"slow")) for _ in range(4)]
        for thread in threads:
            thread.start()
        served.until(lambda: served.log.count("slow begins") == most)
        served.ask("GET", "/release?slow")
        for thread in threads:
            thread.join()
        assert json.loads(served.ask("GET", "/gone")[2])[1] == most


def test_conversations_are_passed_on(served: Served) -> None:
    """Text and bytes, the path, the subprotocol, and how the server ends them."""

    async def talk() -> None:
        async with unix_connect(
            str(served.socket), uri="ws://localhost/v1/websocket?a=1", additional_headers=TOKEN,
            subprotocols=["chat"],
        ) as websocket:  # fmt: skip
            assert websocket.subprotocol == "chat"
            assert await websocket.recv() == "/generate?a=1"
            for message in ("text", b"bytes"):
                await websocket.send(message)
                assert await websocket.recv() == message
            await websocket.send("bye")
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")

    asyncio.run(talk())


def test_a_conversation_that_the_caller_ends_is_ended(served: Served) -> None:
    """The server hears the code; a handshake that it refuses is refused, as is a stranger's."""

    async def talk() -> None:
        async with unix_connect(
            str(served.socket), uri="ws://localhost/talk", additional_headers=TOKEN
        ) as websocket:
            assert await websocket.recv() == "/talk?"
            await websocket.close(4321)
        for uri, headers, status in (("/refused", TOKEN, 403), ("/talk", {}, 401)):
            with pytest.raises(InvalidStatus) as refused:
                await unix_connect(
                    str(served.socket), uri=f"ws://localhost{uri}", additional_headers=headers
                ).__aenter__()
            assert refused.value.response.status_code == status

    asyncio.run(talk())
    served.until(lambda: "websocket 4321" in served.gone())


def test_calls_wait_until_the_server_is_ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is not ready before it says so; what it writes is in our log."""
    directory = tmp_path_factory.mktemp("s")
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    upstream = f"{sys.executable} {directory}/app/upstream.py $(cat {fifo})"
    with serving(directory, f"echo waiting for weights; {upstream}") as served:
        served.until(lambda: served.ask("GET", "/healthz")[0] == 200)
        served.until(lambda: "waiting for weights" in served.log)
        assert served.ask("GET", "/readyz")[0] == 503
        status, headers, _ = served.ask("POST", "/v1/chat/completions", b"hi")
        assert (status, headers["retry-after"]) == (503, "1")
        fifo.write_text(str(_port_of(served)))
        served.until(served.is_ready)
        assert "loading weights" in served.log


def _port_of(served: Served) -> int:
    text = (served.app / "serve.py").read_text()
    return int(text.partition("'server_port': ")[2].partition(",")[0])


def test_a_server_that_ends_while_it_starts_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With its exit code and its last words, and without a traceback of ours."""
    with serving(tmp_path_factory.mktemp("s"), "echo no such model; exit 5") as served:
        assert served.process.wait(_PATIENCE_SEC) == 1
        assert "no such model" in served.log
        assert (
            "the server ended with exit code 5 before it was ready: echo no such model; exit 5" in served.log
        )
        assert "mend `docker_server.start_command`" in served.log
        assert "Traceback" not in served.log


def test_the_port_of_the_service_is_not_the_servers() -> None:
    """Callers know the service by it; as a local process it has none."""
    server = {
        "start_command": "true",
        "server_port": 8080,
        "predict_endpoint": "/",
        "readiness_endpoint": "/",
    }
    process = ServerProcess(ServerSettings.of({"docker_server": server}), lambda why: None)
    with pytest.raises(CannotStartError, match="8080 is the port of the service itself"):
        boot_server({"docker_server": server}, ChainletManifest(), process, environ={})
    with pytest.raises(CannotStartError, match="ended with exit code 0 before it was ready"):
        boot_server(
            {"docker_server": server}, ChainletManifest(), process, environ={"CHAINCTL_LISTEN": "unix:/s"}
        )


def test_a_server_that_ends_ends_the_service(tmp_path_factory: pytest.TempPathFactory) -> None:
    """So that it is started again; the call that ended it is answered."""
    with serving(tmp_path_factory.mktemp("s")) as served:
        served.until(served.is_ready)
        status, _, body = served.ask("GET", "/exit")
        assert (status, json.loads(body)["error"]["kind"]) == (502, "dependency")
        assert served.process.wait(_PATIENCE_SEC) == 1
        assert "out of memory, as it seems" in served.log
        assert "the server ended with exit code 7: the service ends" in served.log


def test_the_server_ends_with_the_service(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All processes of its group, also those that it has left behind, and while it still starts."""
    directory = tmp_path_factory.mktemp("s")
    with serving(directory, f"(sleep 600 & echo $! > {directory}/pid); sleep 600") as served:
        served.until(lambda: (directory / "pid").is_file() and (directory / "pid").read_text().strip())
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(_PATIENCE_SEC) in (0, 1)
        pid = int((directory / "pid").read_text())
        served.until(lambda: not _is_alive(pid))


def test_the_server_does_not_outlive_a_service_that_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Nothing of its group does: the service may start again at once, at the same port."""
    with serving(tmp_path_factory.mktemp("s")) as served:
        served.until(served.is_ready)
        port = _port_of(served)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(_PATIENCE_SEC)
        served.until(lambda: not _is_open(port))


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_calls_under_way_are_answered_before_the_server_ends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """SIGTERM comes while one is at work."""
    with serving(tmp_path_factory.mktemp("s")) as served:
        served.until(served.is_ready)
        port = _port_of(served)
        with served.connection() as connection:
            _begin_slow(connection)
            served.until(lambda: "slow begins" in served.log)
            served.process.send_signal(signal.SIGTERM)
            served.until(lambda: "Shutting down" in served.log)
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as server:
                server.request("GET", "/release?slow")
                server.getresponse().read()
            assert connection.getresponse().status == 200
        assert served.process.wait(_PATIENCE_SEC) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
